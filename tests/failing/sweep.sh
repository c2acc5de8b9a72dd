# SPDX-License-Identifier: MIT
# Sourced by the sweeps of this folder, with the program as $1: commands run right once, then under failures.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/../cli/expect.sh"

export FUMAROLE_CACHE=$work/cache
# In builds with a sanitizer: keeps drivers loaded, so that what they leak has a name (tests/lsan.supp).
keep_loaded=${FUM_KEEP_LOADED:-}
[ "$keep_loaded" ] && export ASAN_OPTIONS=verify_asan_link_order=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
preload=

# The command, the files that it makes in order, the folder that holds them if it makes one, its input, and whether its output is the same in every run.
run=()
names=()
folder=
input=/dev/null
same_output=
pictures() {
    run=(generate -q -m "$FUM_TEST_DATA/model-sd1" -W 16 -H 16 --steps 1 -b 2 -o picture.png 'a red ship')
    names=(picture.png picture_2.png)
    same_output=
}

# complain WHAT: counts a failed case and shows the run's output.
complain() {
    failures=$((failures + 1))
    echo "FAILED: $1"
    head -n 20 err.txt | sed 's/^/    /'
}

start() {
    timeout 600 env LD_PRELOAD="$keep_loaded $preload" "$fumarole" "${run[@]}" >out.txt 2>err.txt <"$input"
}

# make_right: runs the command as it should be, and keeps its files and its output in right/.
make_right() {
    local name
    rm -rf right
    mkdir right
    start || { complain "${run[0]} without failures"; return 1; }
    cp out.txt right/
    for name in "${names[@]}"; do
        mkdir -p "right/$(dirname "$name")"
        mv "$name" "right/$name"
    done
}

# files_are_right: true if each file that the run reports is there, each that is there is right, and none is
# missing before another.
files_are_right() {
    local name missing=
    for name in "${names[@]}"; do
        if [ ! -e "$name" ]; then
            grep -q "^$name: " out.txt && return 1
            missing=1
        elif [ "$missing" ] || ! cmp -s "$name" "right/$name"; then
            return 1
        fi
    done
}

all_is_done() {
    local name
    for name in "${names[@]}"; do [ -e "$name" ] || return 1; done
    [ ! "$same_output" ] || cmp -s out.txt right/out.txt
}

# check_run WHAT PATTERN: one run with a failure that the environment arranges. It either does all its work,
# perhaps with a warning, or ends with status 1 and one line that matches the pattern.
check_run() {
    local status lines
    cases=$((cases + 1))
    rm -rf "${names[@]}" ${folder:+"$folder"}
    start
    status=$?
    lines=$(wc -l <err.txt)
    files_are_right || { complain "$1: a file is missing or wrong"; return; }
    if [ "$status" = 0 ]; then
        { all_is_done && [ "$lines" -le 1 ]; } || complain "$1: status 0, $lines lines"
    elif [ "$status" != 1 ] || [ "$lines" != 1 ] || ! grep -qE "^$2" err.txt; then
        complain "$1: status $status, $lines lines"
    fi
}
