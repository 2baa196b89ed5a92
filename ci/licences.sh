#!/usr/bin/env bash
# What a user of a crate or of a design links is under a licence that the project accepts.
. "$(dirname "$0")/lib.sh"
python3 ci/licences.py
