#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# dataset.sh FUMAROLE: the command dataset: its arguments, the files it writes, and what it refuses.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

expect 0 'usage: fumarole dataset' dataset --help
expect 2 'name a kind' dataset
expect 2 'unknown kind "digits"; available: glyphs, emoji' dataset digits out
expect 2 'name one folder' dataset glyphs
expect 2 'name one folder' dataset emoji a b
expect 2 'emoji takes no --count' dataset emoji out --count 5
expect 2 'glyphs takes no --cldr' dataset glyphs out --cldr x
expect 2 'size' dataset glyphs out --size 4

if "$fumarole" dataset glyphs probe -n 1 --held-out 1 2>&1 | grep -q 'built without'; then
    echo "this build has no FreeType"
    finish
fi

dejavu=/usr/share/fonts/truetype/dejavu
expect 1 'no fonts \(.ttf' dataset glyphs out --fonts .
expect 1 'no font or folder of fonts nowhere' dataset glyphs out --fonts nowhere
expect 2 'given twice' dataset glyphs out --characters aba
expect 2 'no characters' dataset glyphs out --characters ''
expect 2 'visible' dataset glyphs out --characters 'a b'
touch file
expect 1 'file' dataset glyphs file/out
if [ -e $dejavu/DejaVuSans.ttf ]; then
    expect 1 '1 families of fonts' dataset glyphs out --fonts $dejavu/DejaVuSans.ttf
    expect 0 '^40 pictures of 10 characters in [0-9]+ fonts, and 20 in [0-9]+ other fonts held out$' \
        dataset glyphs digits -n 40 --held-out 20 --seed 7 --fonts $dejavu
    check 'images have their size' [ "$(stat -c %s digits/train-images-idx3-ubyte)" = $((16 + 40 * 784)) ]
    check 'labels have their size' [ "$(stat -c %s digits/t10k-labels-idx1-ubyte)" = $((8 + 20)) ]
    check 'classes are named' [ "$(tr -d '\n' <digits/classes.txt)" = 0123456789 ]
    families() { awk -F '\t' -v part="$1" '$1 == part { print $2 }' digits/fonts.tsv | sort -u; }
    check 'no family is in both parts' [ -z "$(comm -12 <(families train) <(families test))" ]
    check 'each part has a family' [ -n "$(families train)" ] && check 'the other, too' [ -n "$(families test)" ]
    "$fumarole" dataset glyphs again -q -n 40 --held-out 20 --seed 7 --fonts $dejavu
    check 'equal seeds give equal files' diff -r digits again
    "$fumarole" dataset glyphs other -q -n 40 --held-out 20 --seed 8 --fonts $dejavu
    check 'other seeds give others' sh -c '! cmp -s digits/train-images-idx3-ubyte other/train-images-idx3-ubyte'
    expect 0 '^8 pictures of 3 characters' dataset glyphs letters -n 8 --held-out 8 --characters 'Aé?' --size 32 --fonts $dejavu
    check 'letters have their size' [ "$(stat -c %s letters/train-images-idx3-ubyte)" = $((16 + 8 * 1024)) ]
    # A font that draws other things under the codes of the digits, as fonts of symbols do.
    mkdir fonts
    cp $dejavu/*.ttf fonts
    cat >symbols.py <<'PY'
import struct, sys
font = bytearray(open(sys.argv[1], "rb").read())
tables = {bytes(font[at:at + 4]): struct.unpack(">II", font[at + 8:at + 16])
          for at in range(12, 12 + 16 * struct.unpack(">H", font[4:6])[0], 16)}
cmap = tables[b"cmap"][0]
for i in range(struct.unpack(">H", font[cmap + 2:cmap + 4])[0]):
    at = cmap + struct.unpack(">I", font[cmap + 8 + 8 * i:cmap + 12 + 8 * i])[0]
    kind = struct.unpack(">H", font[at:at + 2])[0]
    if kind == 4:  # the segment's delta of glyphs
        size = struct.unpack(">H", font[at + 6:at + 8])[0]
        for s in range(0, size, 2):
            last, first = (struct.unpack(">H", font[p:p + 2])[0] for p in (at + 14 + s, at + 16 + size + s))
            if first <= 0x30 <= last:
                p = at + 16 + 2 * size + s
                font[p:p + 2] = struct.pack(">H", struct.unpack(">H", font[p:p + 2])[0] + 900 & 0xffff)
    if kind == 12:  # the group's first glyph
        for g in range(at + 16, at + 16 + 12 * struct.unpack(">I", font[at + 12:at + 16])[0], 12):
            first, last, glyph = struct.unpack(">III", font[g:g + 12])
            if first <= 0x30 <= last:
                font[g + 8:g + 12] = struct.pack(">I", glyph + 900)
open(sys.argv[2], "wb").write(font)
PY
    python3 symbols.py $dejavu/DejaVuSerif.ttf fonts/Symbols.ttf
    "$fumarole" dataset glyphs sorted -v -n 10 --held-out 10 --fonts fonts >out.txt 2>err.txt
    check 'symbols are skipped' grep -q 'Symbols.ttf) is skipped: its characters are unlike' err.txt
    check 'and only these' [ "$(grep -c unlike err.txt)" = 1 ]
    "$fumarole" dataset glyphs stopped -q -n 2000000 --fonts $dejavu 2>err.txt &
    program=$!
    sleep 0.3
    kill -INT $program
    wait $program
    check 'Ctrl-C stops it' [ $? = 130 ]
    check 'and leaves no file' [ -z "$(ls -A stopped)" ]
fi

expect 1 'CLDR|unicode-cldr-core|in colours' dataset emoji out --cldr nowhere
noto=/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf
if [ -e $noto ]; then
    mkdir -p common/annotations bad/annotations
    cat >common/annotations/en.xml <<'XML'
<?xml version="1.0" encoding="UTF-8"?>
<ldml><annotations>
<annotation cp="🐱">cat | Cat face | face | pet, small | cat</annotation>
<annotation cp="🐱" type="tts">cat face</annotation>
<annotation cp="🍎">fruit | red</annotation><annotation cp="🍎" type="tts">red apple</annotation>
<annotation cp="🏻" type="tts">light skin tone</annotation>
<annotation cp="x" type="tts">a letter</annotation>
<annotation cp="#⃣" type="tts">keycap: #</annotation>
<annotation cp="🐱‍👩" type="tts">no such sequence</annotation>
<annotation cp="🇦🇨" type="tts">flag: Ascension Island</annotation>
<annotation cp="🏃‍♀" type="tts">woman running</annotation>
<annotation cp="⚽">ball | na&#239;ve</annotation><annotation cp="⚽" type="tts">soccer’s “ball”</annotation>
</annotations></ldml>
XML
    expect 0 '^3 emoji to train on, 1 held out$' dataset emoji emoji --fonts $noto --cldr common
    cut -f1-3,6 emoji/captions.tsv >found.tsv
    printf 'file\tname\tkeywords\tsplit\nimages/0023_20e3.png\tkeycap: #\t\ttrain\nimages/1f34e.png\tred apple\tfruit, red\tcomp\nimages/1f431.png\tcat face\tcat, face, pet, small\ttrain\nimages/26bd.png\tsoccer'\''s ball\tball\ttrain\n' >expected.tsv
    check 'captions are those of CLDR' diff found.tsv expected.tsv
    check 'pictures are there' [ "$(ls emoji/images | wc -l)" = 4 ]
    echo '<ldml><annotations><annotation cp="a">' >bad/annotations/en.xml
    expect 1 'en.xml:[0-9]+: ' dataset emoji out --fonts $noto --cldr bad
    expect 1 'no names of emoji: common/annotations/xx.xml' dataset emoji out --fonts $noto --cldr common --language xx
    [ ! -e $dejavu/DejaVuSans.ttf ] ||
        expect 1 'no font draws emoji in colours' dataset emoji out --fonts $dejavu --cldr common
fi
finish
