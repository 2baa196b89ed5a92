#!/usr/bin/env bash
# Every interleaving, within loom's bounds, of the lock-free code.
exec bash "$(dirname "$0")/model.sh" loom
