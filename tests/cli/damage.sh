#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# damage.sh FUMAROLE: a model folder whose files are cut off or have bits turned over. Whatever that does, the program
# ends by itself with 0, 1 or 2, says one line when it fails, and no sanitizer that is built in has a word to say.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

source_model=$FUM_TEST_DATA/model-sd1
mkdir model
(cd "$source_model" && find . -type f ! -name golden.safetensors | sort) >files.txt
mapfile -t files <files.txt
for file in "${files[@]}"; do
    mkdir -p "model/$(dirname "$file")"
    cp "$source_model/$file" "model/$file"
done

RANDOM=1 # the same damage in every run
random() { # BELOW: two draws, since one has 15 bits
    echo $(((RANDOM << 15 | RANDOM) % $1))
}

# damage FILE HOW: changes model/FILE in place. A weight file's flips go to its header: the rest is any number.
damage() {
    local path=model/$1 size at byte i
    size=$(stat -c %s "$path")
    case $2 in
        cut) truncate -s "$(random "$size")" "$path" ;;
        cut-start) truncate -s "$(random $((size < 64 ? size : 64)))" "$path" ;;
        flip)
            [ "${1##*.}" = safetensors ] && size=$((size < 30000 ? size : 30000))
            for ((i = 0; i < 1 + RANDOM % 3; i++)); do
                at=$(random "$size")
                byte=$(od -An -tu1 -j "$at" -N 1 "$path")
                # shellcheck disable=SC2059 # the format is the byte
                printf "\\x$(printf %x $((byte ^ 1 << RANDOM % 8)))" |
                    dd of="$path" bs=1 seek="$at" conv=notrunc status=none
            done
            ;;
    esac
}

# survives WHAT ARGUMENT...: one run on the damaged folder.
survives() {
    local what=$1 got lines
    shift
    cases=$((cases + 1))
    timeout 600 "$fumarole" "$@" >out.txt 2>err.txt </dev/null
    got=$?
    lines=$(wc -l <err.txt)
    if [ "$got" -le 2 ] && ! grep -qE 'Sanitizer|runtime error' err.txt; then
        [ "$got" = 0 ] && return
        [ "$lines" = 1 ] && grep -q '^fumarole: ' err.txt && return
    fi
    failures=$((failures + 1))
    echo "FAILED: fumarole $* after $what: status $got, $lines lines:"
    head -n 20 err.txt | sed 's/^/    /'
}

for ((round = 0; round < ${DAMAGE_ROUNDS:-200}; round++)); do
    file=${files[round % ${#files[@]}]}
    hows=(flip cut flip cut-start)
    how=${hows[round / ${#files[@]} % 4]}
    damage "$file" "$how"
    case $file in
        ./tokenizer/*) survives "$how of $file in round $round" tokenize -m model 'a red heart, 2 cats' ;;
        *) survives "$how of $file in round $round" info model ;;
    esac
    cp "$source_model/$file" "model/$file"
done

# Whole again: the runs above failed for the damage.
expect 0 'complete: every tensor' info model
expect 0 'ids$' tokenize -m model 'red heart'
finish
