#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# install.sh BUILD SOURCE: installs into an empty folder and uses only what is there: the program with its model and
# man page, and a sample built against the library by pkg-config alone, shared and static.
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "install.sh: line $LINENO failed"' ERR
prefix=$(sed -n 's/^prefix=//p' "$build/meson-private/fumarole.pc")
root=$work/root$prefix
log=$(meson install -C "$build" --no-rebuild --destdir "$work/root" 2>&1) || { echo "$log"; exit 1; }

pc=$(find "$root" -name fumarole.pc)
export PKG_CONFIG_PATH=${pc%/*}
flags() { pkg-config --define-variable=prefix="$root" "$@" fumarole; }
libdir=$(pkg-config --define-variable=prefix="$root" --variable=libdir fumarole)

[ "$("$root/bin/fumarole" --version)" = "fumarole $(pkg-config --modversion fumarole)" ]
"$root/bin/fumarole" tokenize -m emoji heart | grep 'heart</w>' >/dev/null # the installed model, found beside the program
[ -f "$root/share/man/man1/fumarole.1" ]
[ -f "$root/share/doc/fumarole/LICENSE" ]
for completion in bash-completion/completions/fumarole.bash zsh/site-functions/_fumarole fish/vendor_completions.d/fumarole.fish; do
    grep -q -e '--sampling-method\|-l sampling-method' "$root/share/$completion"
done
# What an error message says to run exists, and what it fetched is installed with the rest.
if vocabulary=$("$root/bin/fumarole-clip-vocab" --where); then
    cmp "$vocabulary" "$root/share/fumarole/clip/${vocabulary##*/}"
fi
for header in "$source"/include/fumarole/*.h; do
    cmp "$header" "$root/include/fumarole/${header##*/}"
done
if grep -rlE "(^|[^.[:alnum:]_-])$source/" --binary-files=text "$root"; then
    echo "installed files name the source folder"
    exit 1
fi

mkdir "$work/static"
cp "$libdir/libfumarole.a" "$work/static/"
for sample in "$source"/samples/*.c; do
    name=$(basename "$sample" .c)
    # shellcheck disable=SC2046 # lists of flags
    cc -std=c11 -Wall -Wextra -Werror "$sample" $(flags --cflags --libs) -lm -o "$work/$name"
    # The same without the shared library in reach: only libfumarole.a is left to link.
    # shellcheck disable=SC2046
    cc -std=c11 "$sample" -L"$work/static" $(flags --static --cflags --libs | sed "s|-L$libdir||") -o "$work/$name-static"
    ldd "$work/$name" | grep libfumarole >/dev/null
    if ldd "$work/$name-static" | grep libfumarole; then exit 1; fi
done

if "$work/graph-static" >"$work/static.txt" 2>&1; then
    LD_LIBRARY_PATH=$libdir "$work/graph" >"$work/shared.txt"
    cmp "$work/static.txt" "$work/shared.txt"
    grep -q -- '0.4590$' "$work/shared.txt"
    # The network has learnt its function: the last mean squared error is below 0.01.
    LD_LIBRARY_PATH=$libdir "$work/fit" | tail -n1 | awk '{ exit !($NF < 0.01) }'
elif [ -n "${FUM_REQUIRE_DEVICE:-}" ]; then
    cat "$work/static.txt"
    exit 1
fi
