#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# evaluate.sh FUMAROLE: the command evaluate, without a GPU: its arguments, its report, its JSON, and what it refuses.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
data=$FUM_TEST_DATA/evaluate
real=$data/real.safetensors
fake=$data/fake.safetensors

expect 0 'usage: fumarole evaluate' evaluate --help
expect 2 'name two sets' evaluate
expect 2 'name two sets' evaluate "$real"
expect 2 'one too many' evaluate "$real" "$fake" "$real"
expect 2 'unknown option' evaluate "$real" "$fake" --fidd
expect 2 'splits' evaluate "$real" "$fake" --splits 0
expect 2 'subset-size' evaluate "$real" "$fake" --subset-size -3
expect 2 'hold at least 2' evaluate "$real" "$fake" --subset-size 1

expect 0 '^FID +[0-9.]+$' evaluate "$real" "$fake"
expect 0 '^IS +[0-9.]+  ± [0-9.]+ over 10 splits$' evaluate "$real" "$fake"
expect 0 '^KID +[0-9.]+  over subsets of 45$' evaluate "$real" "$fake"
expect 0 '^KID +[0-9.]+  of everything, once$' evaluate "$real" "$fake" --kid --subset-size 0
expect 0 '^FID' evaluate "$real" "$fake" --fid
check 'only what is requested is printed' sh -c '! grep -qE "^(KID|IS|recall)" out.txt'
expect 0 '^precision +[0-9.]+$' evaluate "$real" "$fake" --pr
expect 0 '^features +given, 12 numbers each$' evaluate "$real" "$fake" --fid
expect 0 '^REAL +.*, statistics$' evaluate "$data/real.npz" "$fake"

expect 0 FID evaluate "$real" "$fake" --json all.json
for key in fid is_mean is_std kid precision recall features; do
    check "JSON has $key" grep -q "\"$key\":" all.json
done
check 'JSON has no other keys' test "$(grep -c : all.json)" = 7
expect 0 '^FID' evaluate "$real" "$fake" --fid --json fid.json
check 'JSON has what was requested' test "$(grep -c : fid.json)" = 2
"$fumarole" evaluate "$real" "$fake" --fid --json - >out.txt 2>err.txt
check 'JSON on standard output, the report beside it' sh -c 'head -c1 out.txt | grep -q "{" && grep -q FID err.txt'

expect 0 '^REAL' evaluate "$real" --save-stats real.npz
expect 0 '^FID' evaluate real.npz "$fake" --fid
expect 1 'cannot write|cannot create|no such|not a' evaluate "$real" --save-stats real.npz/inside.npz

expect 2 'holds only mu and sigma' evaluate "$data/real.npz" "$fake" --kid
expect 2 'logits of FAKE' evaluate "$real" "$data/fake.npz" --is
expect 2 'at least 4 samples' evaluate "$real" "$data/two.safetensors" --pr
expect 1 'gone.npz' evaluate gone.npz "$fake"
echo 'no archive' | tee text.npz >text
expect 1 'text.npz: the zip archive is damaged' evaluate text.npz "$fake"
head -c 900 "$data/real.npz" >cut.npz
expect 1 'cut.npz: the zip archive is damaged' evaluate cut.npz "$fake"
expect 1 'text: not a data set' evaluate text "$fake"
mkdir empty
expect 1 'empty: not a data set|no pictures' evaluate empty "$fake"
expect 2 'give --features inception:FILE' evaluate "$FUM_TEST_DATA/inception/pictures" "$fake"
expect 2 'available: inception' evaluate "$FUM_TEST_DATA/inception/pictures" "$fake" --features exception:x
expect 1 'gone.pth' evaluate "$FUM_TEST_DATA/inception/pictures" "$fake" --features inception:gone.pth
expect 1 'holds no tensor "features"' evaluate "$FUM_TEST_DATA/runs.safetensors" "$fake"

expect 0 '^SSIM +0\.[0-9]+$' evaluate "$data/a" "$data/b" --pairs --json pairs.json
check 'pairs as JSON' grep -q '"psnr":' pairs.json
expect 2 'no pairs' evaluate "$data/a" "$FUM_TEST_DATA/inception/pictures" --pairs
expect 2 'needs two sets' evaluate "$data/a" --pairs --save-stats x.npz

# Pictures below the window of SSIM have a PSNR.
python3 -c '
import struct, zlib
chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
for name, grey in (("a", 100), ("b", 151)):
    open(name + ".one", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)) +
                                    chunk(b"IDAT", zlib.compress(bytes([0, grey]))) + chunk(b"IEND", b""))
'
mkdir dark light
mv a.one dark/1.png
mv b.one light/1.png
"$fumarole" evaluate dark light --pairs --json few.json >out.txt 2>err.txt
check 'one pixel has a PSNR' grep -qE '^PSNR +13.9794 +dB$' out.txt
check 'and no SSIM, with the reason' grep -q 'no SSIM.*at least 11x11 pixels, not 1x1' err.txt
check 'nor in the report' sh -c '! grep -q SSIM out.txt && grep -q "\"ssim\":[[:space:]]*null" few.json'

mkdir model
echo '{}' >model/model_index.json
expect 2 'give --count' evaluate "$real" model
expect 1 'model' evaluate "$real" model --count 2

finish
