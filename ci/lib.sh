# Sourced by every script of ci/: the root of the clone, the target folder, and who is in the workspace.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
export CARGO_TARGET_DIR=$target
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}

# Who is in the workspace is asked of cargo, so that a new crate or design needs no edit here.
workspace() { python3 ci/workspace.py "$@"; }

# -p a -p b ... of the names on standard input
packages() { sed 's/^/-p /' | tr '\n' ' '; }

# A thing that is not here is said aloud.
skip() { echo "SKIPPED $(basename "$0" .sh): $*" >&2; exit 0; }

# Shows a command before it runs.
run() { echo "+ $*" >&2; "$@"; }
