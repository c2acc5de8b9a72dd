#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# abi.sh LIBRARY FOLDER NUMBER [--record]: compares the library's interface with the one recorded for its
# FUM_API_VERSION, so that no layout or signature changes without a new number. Added functions are no change.
# After an intended change: raise FUM_API_VERSION in fumarole/core.h and run this with --record, which replaces the
# record of the old number.
set -euo pipefail
library=$1 folder=$2 number=$3
recorded=$folder/libfumarole.so.$number.abi

[ "$(uname -m)" = x86_64 ] || exit 77 # the record is of this architecture
command -v abidiff >/dev/null || exit 77

if [ "${4:-}" = --record ]; then
    if ! readelf -S "$library" | grep debug_info >/dev/null; then
        echo "a record needs the types of a build with debug information: meson setup --buildtype=debug"
        exit 1
    fi
    abidw --exported-interfaces-only --no-show-locs --no-comp-dir-path --no-corpus-path --drop-private-types \
        --headers-dir "$folder/../../include/fumarole" "$library" >"$recorded.new"
    rm -f "$folder"/libfumarole.so.*.abi
    mv "$recorded.new" "$recorded"
    exit
fi

readelf -d "$library" | grep -F "Library soname: [libfumarole.so.$number]" >/dev/null
if [ ! -f "$recorded" ]; then
    echo "the interface $number has no record: run $0 $library $folder $number --record and commit the file"
    exit 1
fi
# Public headers declare some types without their members, which may change. The record has a few of them, since headers
# of the sources bear the same names as public ones.
opaque=$(mktemp)
trap 'rm -f "$opaque"' EXIT
sed -nE 's/^typedef struct (fum_[a-z0-9_]+) \1;/[suppress_type]\n  name = \1/p' \
    "$folder"/../../include/fumarole/*.h >"$opaque"
# The record holds no places of types: with --headers-dir2 abidiff would take them all for private.
if ! abidiff --no-added-syms --suppressions "$opaque" "$recorded" "$library"; then
    echo "The interface is no longer that of FUM_API_VERSION $number: raise the number, then record it with --record."
    exit 1
fi
