# SPDX-License-Identifier: MIT
# Sourced by the scripts beside it, with the program as $1: runs commands in an empty folder and checks what they say.
# shellcheck shell=bash
set -u
fumarole=$(realpath "$1")
failures=0
cases=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# require_device: ends the script as skipped where there is no Vulkan device, or as failed if one is required.
require_device() {
    "$fumarole" devices >/dev/null 2>&1 && return
    echo "no Vulkan device"
    [ -n "${FUM_REQUIRE_DEVICE:-}" ] && exit 1
    exit 77
}

# expect STATUS PATTERN ARGUMENT...: the status, one line on standard error that matches the pattern (for status 0:
# standard output matches), and no file left behind.
expect() {
    local status=$1 pattern=$2 got lines
    shift 2
    cases=$((cases + 1))
    "$fumarole" "$@" >out.txt 2>err.txt </dev/null
    got=$?
    lines=$(wc -l <err.txt)
    local shown=err.txt wanted_lines=1
    [ "$status" = 0 ] && { shown=out.txt; wanted_lines=0; }
    if [ "$got" != "$status" ] || ! grep -qE -- "$pattern" "$shown" || [ "$lines" != "$wanted_lines" ] ||
        compgen -G '*.png' >/dev/null; then
        failures=$((failures + 1))
        echo "FAILED: fumarole $*"
        echo "  wanted $status and a line with /$pattern/, got $got and:"
        sed 's/^/    /' out.txt err.txt
        ls
    fi
}

# check WHAT COMMAND...: the command succeeds. A failure shows the start of err.txt and the files there.
check() {
    local what=$1
    shift
    cases=$((cases + 1))
    "$@" && return
    failures=$((failures + 1))
    echo "FAILED: $what"
    [ ! -f err.txt ] || head -c 2000 err.txt | sed 's/^/    /'
    ls -lA
}

# other_pixels A B: two PNG files hold different pictures.
other_pixels() {
    ! same_pixels "$1" "$2"
}

# same_pixels A B: two PNG files hold the same picture, whatever their texts say.
same_pixels() {
    python3 - "$1" "$2" <<'END'
import struct, sys


def pixels(name):
    data, at, out = open(name, "rb").read(), 8, b""
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        out += data[at + 8:at + 8 + size] if kind in (b"IHDR", b"IDAT") else b""
        at += 12 + size
    return out


sys.exit(pixels(sys.argv[1]) != pixels(sys.argv[2]))
END
}

# finish: the exit status of the script.
finish() {
    echo "$cases cases, $failures failed"
    [ "$failures" = 0 ]
}
