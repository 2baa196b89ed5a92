#!/usr/bin/env bash
# Words that must not be committed: unfinished work, leftovers of debugging, paths of one machine.
. "$(dirname "$0")/lib.sh"

# This file holds the words; the loop below reads every other text file of the repository.
files=$(git ls-files -- '*.rs' '*.toml' '*.md' '*.sh' '*.py' '.ci/*' | grep -v '^ci/words.sh$')
bad=0
forbid() { # pattern, why, files that may
    # shellcheck disable=SC2086
    if grep -nE -- "$1" $(printf '%s\n' $files | grep -vE "${3:-^$}"); then
        echo "  ^ $2"
        bad=1
    fi
}
forbid '\b(todo|unimplemented)!\(' 'unfinished'
forbid '\b(FIXME|TODO|XXX)\b' 'unfinished: do it or open an issue'
forbid '\bdbg!\(' 'left over from debugging'
forbid '(^|[^A-Za-z0-9_.])/(work|root|home|Users)/' 'a path of one machine'
forbid '/tmp/(wt|brief|target|ci-)' 'a path of one machine'
forbid '\.\./shared' 'a folder beside the repository' '^\.ci/run$'
forbid 'github\.com/(archstone|your|example|OWNER)' 'an address that was made up'
forbid '#\[ignore\]' 'a test that does not run: say why with #[ignore = "..."] or remove it'

# A file has one subject: about 400 lines, over 600 says why near its top. Told, not failed.
printf '%s\n' "$files" | grep '\.rs$' | xargs wc -l | awk '$1 > 600 && $2 != "total" { print "long: " $2 " has " $1 " lines" }'
exit $bad
