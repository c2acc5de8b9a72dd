#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# files.sh FUMAROLE: what the program writes and reads: names, links, pipes, folders, and what happens when it cannot.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

# draws ARGUMENT...: a picture is made; data.bin is standard output, err.txt standard error.
draws() {
    "$fumarole" generate -q --steps 1 -W 32 -H 32 "red heart" "$@" >data.bin 2>err.txt </dev/null
}
png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ]; }

# ---- refused before the work ----

same='are one file; give every output its own name'
expect 2 "s.png and s.png $same" generate cat -o s.png --save-latents s.png
expect 2 "s.png and ./s.png $same|./s.png and s.png $same" generate cat -o s.png --trace ./s.png
expect 2 "$same" generate cat -o s_%d.png -b 3 --trace s_2.png
expect 2 "$same" generate cat -o new/folder/s.png --trace new//./folder/s.png
expect 2 "$same" generate cat -o s.png --preview proj --preview-path s.png
expect 2 '[-]-preview-path must end in .png' generate cat --preview proj --preview-path preview.txt
expect 1 'cannot write /proc/none/p.png' generate cat --preview proj --preview-path /proc/none/p.png
printf '{"prompt": "a"}\n{"prompt": "b", "preview": "proj"}\n' >lines.jsonl # of which only the second has one
expect 1 'cannot write /proc/none/p.png' generate --prompts-file lines.jsonl --preview-path /proc/none/p.png
expect 2 "$same" generate --prompts-file lines.jsonl -o s.png --preview-path s.png
expect 1 'cannot write /proc/none/p.png' generate cat --xy preview=none,proj --preview-path /proc/none/p.png
rm lines.jsonl
expect 2 'only one output, and only one picture' generate cat -o - --trace -
expect 2 'only one output, and only one picture' generate cat -o - -b 2
expect 2 "$same" bench --json a.txt --html ./a.txt
expect 2 'at most 67108864 can be drawn' generate cat -W 16384 -H 4104
echo old >old.txt
ln -s old.txt link.txt
ln old.txt hard.txt
expect 2 "$same" bench --json link.txt --html hard.txt
expect 1 'old.txt is there already, and --no-clobber keeps it' bench --no-clobber --json old.txt
expect 1 'link.txt is there already' generate cat --no-clobber --trace link.txt
ln -s nowhere/lost.txt lost.txt
ln -s loop.txt loop.txt
long=$(printf 'n%.0s' {1..256})
for option in --save-latents --trace; do
    expect 1 'cannot write lost.txt: No such file' generate cat $option lost.txt
    expect 1 'cannot write loop.txt: .*symbolic links' generate cat $option loop.txt
    expect 1 'cannot write n+: .*too long' generate cat $option "$long"
    expect 1 'cannot write old.txt/new: Not a directory' generate cat $option old.txt/new
    expect 1 'cannot write new/: it is a folder' generate cat $option new/
done
expect 1 'cannot write lost.txt' bench --json lost.txt
expect 1 'cannot write old.txt/new' bench --html old.txt/new
expect 1 'cannot write old.txt/.*: Not a directory' generate cat --dump-graph old.txt
check 'refusing leaves nothing behind' [ "$(ls -A | tr '\n' ' ')" = \
    'err.txt hard.txt link.txt loop.txt lost.txt old.txt out.txt ' ]

# ---- reading ----

mkfifo pipe
mkdir model
cp -r "$FUM_SOURCE_ROOT"/models/emoji/. model
expect 1 'cannot read pipe: it is not a regular file' generate cat --noise pipe
expect 1 'cannot read pipe: it is not a regular file' generate cat -m pipe
expect 1 'cannot read /dev/zero: it is not a regular file' generate cat --noise /dev/zero
for file in model_index.json unet/config.json vae/diffusion_pytorch_model.safetensors tokenizer/vocab.json; do
    mv model/$file kept
    mkfifo model/$file
    expect 1 "cannot read model/$file: it is not a regular file" info model
    rm model/$file
    mv kept model/$file
done
deep=$(printf 'folder%.0s' {1..40})/$(printf 'folder%.0s' {1..40})
mkdir -p "$deep"
cp -r model "$deep"
echo '{' >"$deep/model/unet/config.json"
expect 1 '^fumarole: folderfolder.*\.\.\..*/model/unet/config.json: not valid JSON near byte' info "$deep/model"

# Root may read everything, so another user tries what may not be read or written.
as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
if [ "$(id -u)" != 0 ]; then as_nobody() { "$@"; }; fi
if as_nobody "$fumarole" --version >out.txt 2>&1; then
    open=$(mktemp -d)
    chmod 777 "$open"
    (
        cd "$open" || exit 1
        cp -r "$work/model" . && chmod -R a+rX . && chmod 0 model/unet model/tokenizer
        mkdir shut && echo old >shut/file.txt && chmod 666 shut/file.txt && chmod 755 shut
    )
    # refused PATTERN ARGUMENT...: one line with the reason.
    refused() {
        local pattern=$1
        shift
        (cd "$open" && as_nobody "$fumarole" "$@" >"$work/out.txt" 2>"$work/err.txt" </dev/null)
        check "$* says $pattern" grep -qE "$pattern" err.txt
        check "$* says one line" [ "$(wc -l <err.txt)" = 1 ]
    }
    refused 'cannot open model/unet/config.json: Permission denied' info model
    chmod 755 "$open/model/unet"
    refused 'cannot open model/tokenizer/.*: Permission denied' info model
    refused 'cannot open model/tokenizer/.*: Permission denied' tokenize -m model heart
    chmod 0 "$open/model"
    refused 'cannot open model/[a-z_]*[.][a-z]*: Permission denied' info model
    refused 'cannot open model/unet: Permission denied' info model/unet
    if [ "$(id -u)" = 0 ]; then refused 'cannot write shut/new: Permission denied' generate cat --trace shut/new; fi
    chmod -R u+rwX "$open"
    rm -rf "$open"
else
    echo "user 65534 may not run $fumarole: not tried"
fi

# ---- with a device ----

if ! "$fumarole" devices >out.txt 2>&1; then
    cat out.txt
    [ -z "${FUM_REQUIRE_DEVICE:-}" ] && finish && exit 77
    exit 1
fi
rm -f -- *.txt

check '-o - draws' draws -o -
check '-o - is the picture on standard output' png data.bin
check '-o - reports on standard error' grep -q '^-: 32 x 32, seed 42' err.txt
check 'latents on standard output' draws -o p.png --save-latents -
check 'are latents' grep -qa '"latents"' data.bin
check 'a trace on standard output' draws -o p.png --trace -
check 'is whole' [ "$(head -c 1 data.bin)$(tail -n 1 data.bin)" = '[]' ]
check 'and nothing else is written' [ ! -e - ]
if [ -e /dev/stdout ]; then
    check 'standard output by its other name' draws -o p.png --trace /dev/stdout
    check 'is whole too' [ "$(head -c 1 data.bin)$(tail -n 1 data.bin)" = '[]' ]
    draws -o - --trace /dev/stdout
    check 'is the same output' grep -q 'only one output' err.txt
fi

bench() { "$fumarole" bench "$@" >data.bin 2>err.txt </dev/null; }
check 'a report on standard output' bench -q --limits --repeats 1 --time 1 --json -
check 'is JSON alone' [ "$(head -c 1 data.bin)" = '{' ]
check 'and the table is on standard error' grep -q 'Limits of the device' err.txt
cp data.bin report.json
check 'a page on standard output' bench --compare report.json report.json --html -
check 'is HTML alone' grep -q '^<!DOCTYPE html>' data.bin
check 'and the comparison is on standard error' grep -q '^A  report.json' err.txt

check 'missing folders are made' draws -o deep/er/100%%_%02d.png --save-latents deep/l/a.safetensors \
    --trace deep/t/a.json
check 'and percent signs' png deep/er/100%_01.png
check 'other files too' [ -s deep/l/a.safetensors -a -s deep/t/a.json ]
check 'graphs in folders of any length' draws -o p.png --dump-graph "$deep/$deep/graphs"
check 'have their names' compgen -G "$deep/$deep/graphs/00-text_encoder-*.txt" >/dev/null

name=$(printf 'n%.0s' {1..251}).png
check 'a name of 255 bytes' draws -o "$name"
check 'is the picture' png "$name"
chmod 600 p.png
check 'a file is replaced' draws -o p.png
check 'and keeps its mode' [ "$(stat -c %a p.png)" = 600 ]
ln -s p.png link.png
check 'a link is followed' draws -o link.png
check 'and stays' [ -L link.png -a "$(stat -c %a p.png)" = 600 ]
check '--no-clobber writes what is not there' draws --no-clobber -o fresh.png
check 'nothing unfinished is left' [ -z "$(find . -name '*.part')" ]

if [ -c /dev/full ]; then
    ln -s /dev/full full.png
    draws -o full.png --save-latents full.safetensors
    check 'a picture that cannot be written fails' [ $? = 1 ]
    check 'but is kept' grep -q ': No space left on device; it is kept as ./full_kept.png$' err.txt
    check 'whole' png full_kept.png
    check 'and so are its latents' [ -s full.safetensors ]
    ln -s /dev/full full_preview.png
    draws -o seen.png --preview proj --preview-path full_preview.png
    check 'a preview that cannot be written fails the run' test $? = 1
    check 'but not its picture' png seen.png
    ln -s /dev/full full2.safetensors
    draws -o full.png --save-latents full2.safetensors
    check 'which have a line of their own if they go elsewhere' \
        grep -q '^fumarole: cannot write full2.safetensors: .*; it is kept as ./full2_kept.safetensors$' err.txt
fi

# Links and pipes in the cache folder are replaced, neither followed nor waited for.
export FUMAROLE_CACHE=$work/cache
check 'a cache is written' draws -o p.png
cache=$(echo cache/pipelines-*)
echo precious >victim.txt
for trap in link pipe; do
    rm "$cache"
    if [ $trap = link ]; then ln -s ../victim.txt "$cache"; else mkfifo "$cache"; fi
    check "a $trap in the cache is no trap" timeout 120 "$fumarole" generate -q --steps 1 -W 32 -H 32 cat >data.bin \
        2>err.txt
    check "and is replaced" [ -f "$cache" -a ! -L "$cache" ]
done
check 'what it pointed to is as it was' [ "$(cat victim.txt)" = precious ]
finish
