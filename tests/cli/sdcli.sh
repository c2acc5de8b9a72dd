#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# sdcli.sh FUMAROLE: lines that people post for sd-cli, and flags of other tools. Each runs, or one line says why not.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/expect.sh"

fail() { # WHAT: reports the last run
    failures=$((failures + 1))
    echo "FAILED: $1, status $got:"
    sed 's/^/    /' out.txt err.txt
}

# run ARGUMENT...
run() {
    cases=$((cases + 1))
    "$fumarole" "$@" >out.txt 2>err.txt </dev/null
    got=$?
}

# Options one by one, with a model that is not there: what is accepted gets as far as looking for it.
missing='^fumarole: nowhere: no such file or folder'
while read -r kind arguments; do
    case $kind in '' | '#'*) continue ;; esac
    eval "set -- $arguments"
    run -m nowhere -p "a lovely cat" "$@"
    lines=$(grep -vc '^Random seed: ' err.txt)
    case $kind in
        ok) [ "$got" = 1 ] && [ "$lines" = 1 ] && grep -q "$missing" err.txt ;;
        note) [ "$got" = 1 ] && [ "$lines" = 2 ] && grep -q '^fumarole: no effect here: --' err.txt ;;
        no) [ "$got" = 2 ] && [ "$lines" = 1 ] && grep -q 'not supported' err.txt ;;
        *) false ;;
    esac || fail "$kind $arguments"
done <"$here/sdcli.txt"
[ "$cases" -ge 154 ] || { got=none; fail "the table is read"; }

# Several options without effect share one line.
run -m nowhere -p cat --fa --mmap --color
[ "$(grep -c 'no effect here: --fa .*, --mmap .*, --color' err.txt)" = 1 ] || fail 'one line for several options'
run -m nowhere -p cat --fa=1
grep -q -- '--fa takes no value' err.txt || fail 'a flag of another tool takes no value'
expect 2 'backend needs a value' -m nowhere -p cat --backend

# Names from elsewhere are explained; suggestions mend spelling and never change the meaning.
expect 2 'here it is fumarole upscale' generate cat -M upscale
expect 2 'here it is fumarole convert' -M convert -m x
expect 2 'here it is --steps' generate cat --num_inference_steps 20
expect 2 'here it is --cfg-scale' generate cat --cfg 7
expect 2 'here it is --sampling-method' generate cat --sampler-name Euler
expect 2 'here it is --width and --height' generate cat --size 64
expect 2 'here it is --precision f16' generate cat --fp16
expect 2 'here it is --subseed' generate cat --variation-seed 1
expect 2 'here it is --strength' generate cat --denoising-strength=0.5
expect 2 'did you mean --steps' generate cat --stpes 3
expect 2 'did you mean --negative-prompt\?' generate cat --negativ-prompt blurry
expect 2 'did you mean --negative-prompt\?' generate cat --negativ_prompt blurry
expect 2 'did you mean --prompt' generate -prompt cat
for option in --weighted --widen --seedling --sampler-kind --promotion --stop --outer -x -j; do
    run generate cat "$option" 1
    if [ "$got" != 2 ] || ! grep -q 'unknown option' err.txt || grep -q 'did you mean' err.txt; then
        fail "no suggestion for $option"
    fi
done

# Without a command the options are generate's; help and version are found anywhere but in a value.
expect 0 'usage: fumarole generate' -m nowhere -h
expect 0 'usage: fumarole generate' generate -p cat -qh
expect 0 'usage: fumarole info' help info
expect 0 'usage: fumarole COMMAND' help
expect 2 'did you mean info' help inof
expect 0 '^fumarole [0-9.]+$' -V
expect 0 '^fumarole [0-9.]+$' generate -p cat --version
expect 1 "$missing" -m nowhere -p -h
expect 1 "$missing" -m nowhere -- --help
expect 1 "$missing" -qvm nowhere cat
expect 1 "$missing" -qmnowhere -W64 cat
expect 2 'unknown option "-z" in "-qvz"' -qvz
expect 2 'at most 18446744073709551615, not 18446744073709551616' -s 18446744073709551616 cat
expect 2 'needs a whole number' -s 0x10 cat
expect 2 'needs a whole number' -s - cat
expect 2 'contradict' --type f16 --precision f32 cat
expect 2 'not both' --max-vram 4 --memory-budget 4GiB cat
expect 2 'one number of GiB' --max-vram cuda0=6,vulkan0=4 cat

# Lines of help fit the terminal, and no word is broken: the words are those of a very wide one.
for command in generate tokenize info devices selftest bench tune ''; do
    COLUMNS=1000 "$fumarole" ${command:+"$command"} --help | tr -s ' \n' '\n' >wide.txt
    for columns in '' 40 61 80 132; do
        COLUMNS=$columns "$fumarole" ${command:+"$command"} --help >narrow.txt
        cases=$((cases + 1))
        got=$(LC_ALL=C.UTF-8 wc -L <narrow.txt)
        if [ "$got" -gt "${columns:-80}" ] || grep -q ' $' narrow.txt || ! tr -s ' \n' '\n' <narrow.txt | cmp -s - wide.txt; then
            fail "help of ${command:-the program} in ${columns:-no} columns"
        fi
    done
done

if ! "$fumarole" devices >/dev/null 2>&1; then
    echo "no Vulkan device: whole lines are left out"
    [ -n "${FUM_REQUIRE_DEVICE:-}" ] && exit 1
    finish
    exit
fi

# Whole lines on a tiny model.
model=$FUM_TEST_DATA/model-sd1
draws() { # PICTURE ARGUMENT...
    local picture=$1
    shift
    run -m "$model" -W 16 -H 16 --steps 2 "$@"
    [ "$got" = 0 ] && [ -s "$picture" ] || fail "draws $picture: $*"
    rm -f ./*.png
}
draws output.png -p "a lovely cat"
draws output.png -p "a lovely cat" -v -t 8 --type f32
draws output.png -p "a lovely cat" --sampling-method dpm++2m --scheduler karras --cfg-scale 7 -s -1 --clip-skip -1
draws output.png -p "a lovely cat" -n "ugly" --vae-tiling --vae-on-cpu --clip-on-cpu --control-net-cpu
draws output.png -p "a lovely cat" --offload-to-cpu --diffusion-fa -v
draws output.png -p "a lovely cat" --max-vram 4 --stream-layers --mmap
draws output.png -p "a lovely cat" --backend vulkan0 --params-backend cpu --fa
draws output.png -p "a lovely cat" --diffusion-conv-direct --vae-conv-direct --vae-tile-size 32x32
draws output.png -p "a lovely cat" -M img_gen --rng std_default --color
draws output.png -p "a lovely cat" --sampling_method ddim_trailing --cfg_scale 1 --prediction eps
draws out_005.png -p "a lovely cat" -o ./out_%03d.png -b 2 --output-begin-idx 4
draws output.png "a lovely cat" --negative_prompt "lowres, bad anatomy" --batch_count 1 --sampler-rng cuda
expect 1 'cat.png: [Nn]o such file' -m "$model" -i cat.png -p "a lovely cat" --strength 0.4
expect 1 'marblesh: no such adapter' -m "$model" -p "a lovely cat" --lora marblesh:1 --lora-model-dir ../models
run -q -m "$model" -W 16 -H 16 --steps 2 -p "a (red:1.9) cat BREAK [dog|fox] AND [a:b:1]:.5" -n "(blue) <lora:bad:1>"
[ "$got" = 0 ] && [ ! -s err.txt ] || fail 'the grammar of prompts is read'
run -q -m "$model" -W 16 -H 16 --steps 1 -p 'a (cat) BREAK' --prompt-style plain --emphasis no-norm
[ "$got" = 0 ] && [ ! -s err.txt ] || fail 'plain text has no grammar'
rm -f ./*.png
# Advice for the shipped model: where something is similar, or most of a prompt is unknown.
run -q --steps 1 -W 32 -H 32 katze
[ "$got" = 0 ] && [ ! -s err.txt ] || fail 'no advice where nothing is similar'
run -q --steps 1 -W 32 -H 32 elefant
grep -q '^fumarole: the model emoji does not know: elefant; try "elephant"' err.txt || fail 'advice for a misspelling'
run -q --steps 1 -W 32 -H 32 "masterpiece, detailed photograph of a cat"
grep -q 'does not know: masterpiece, detailed, photograph$' err.txt || fail 'unknown words are listed'
rm -f ./*.png
run --list-devices
cp out.txt listed.txt
run devices
cmp -s out.txt listed.txt || fail '--list-devices'

# Seeds have 64 bits everywhere; the next picture's wraps.
run -m "$model" cat -W 16 -H 16 --steps 1 -s 18446744073709551615 -b 2
if ! grep -aq 'Seed: 18446744073709551615, Size' output.png || ! grep -aq 'Seed: 0, Size' output_2.png; then
    fail 'the largest seed'
fi
rm -f ./*.png

finish
