#!/usr/bin/env bash
# Random schedules of what is too large for loom.
exec bash "$(dirname "$0")/model.sh" shuttle
