#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# signals.sh FUMAROLE: what stops the program early, and what becomes of its output: signals, a reader that
# goes away, a full disk, closed descriptors. Finished pictures and their latents are kept, nothing unfinished is.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

require_device

cat >whole.py <<'E2'
# whole.py: every picture is whole, the trace is JSON, and there are latents of as many pictures.
import glob, json, struct, sys, zlib

pictures = glob.glob("kept*.png")
for name in pictures:
    png = open(name, "rb").read()
    assert png[-12:] == bytes(4) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND")), name
latents = open("kept.safetensors", "rb").read()
header = json.loads(latents[8:8 + struct.unpack("<Q", latents[:8])[0]])
assert header["latents"]["shape"][0] == len(pictures) > 1, (header, pictures)
assert len(json.load(open("kept.json"))) > 5
E2

model=$FUM_TEST_DATA/model-sd1
small=(-m "$model" -W 16 -H 16 --steps 2 -q x)
kept=(-o kept-%d.png --save-latents kept.safetensors --trace kept.json)

# stopped_by NAME STATUS: a long batch that gets the signal after its second picture.
stopped_by() {
    rm -f kept*
    # Under nohup, SIGHUP is ignored from the start, which the program respects.
    env --default-signal="$1" "$fumarole" generate -b 2000 "${small[@]}" "${kept[@]}" >out.txt 2>err.txt &
    local program=$! got
    for _ in $(seq 4000); do [ -e kept-2.png ] && break; sleep 0.05; done # a busy machine starts slowly
    kill -s "$1" "$program"
    wait "$program"
    got=$?
    check "$1 exits with $2, not $got" test "$got" = "$2"
    check "$1 is said in one line" test "$(cat err.txt)" = "fumarole: stopped"
    check "$1 keeps what was finished" python3 whole.py
    check "$1 leaves no unfinished file" bash -c '! compgen -G "*.part" >/dev/null'
}
stopped_by INT 130
stopped_by TERM 143
stopped_by HUP 129
rm -f kept*

# A pipe that nobody writes to is waited for until a signal.
mkfifo silent
for line in "batch silent -o batch" "serve --api-key-file silent --listen-port 0 --state state"; do
    timeout -k 30 2 "$fumarole" $line >out.txt 2>err.txt # 124: the first signal ended it
    check "SIGTERM ends ${line%% *} while it reads a pipe" test $? = 124
done

# A second signal ends the program at once, but not while a file is written.
"$fumarole" generate -b 2000 "${small[@]}" -o kept-%d.png >out.txt 2>err.txt &
program=$!
for _ in $(seq 4000); do [ -e kept-2.png ] && break; sleep 0.05; done
kill -s TERM "$program"
kill -s TERM "$program" 2>/dev/null
wait "$program"
check "two signals exit with 143" test $? = 143
check "two signals leave whole pictures alone" bash -c '! compgen -G "*.part" >/dev/null'
rm -f kept*

# A decoding is cut into pieces, after each of which a signal is heard. It begins after the last step.
"$fumarole" generate -m emoji -W 512 -H 512 --steps 1 x -o kept.png >out.txt 2>err.txt &
program=$!
for _ in $(seq 4000); do grep -q '^step 1/1' err.txt && break; sleep 0.05; done
kill -s INT "$program"
wait "$program"
check "Ctrl-C while decoding exits with 130" test $? = 130
check "Ctrl-C while decoding leaves nothing" bash -c '! compgen -G "kept*.png*" >/dev/null'

# A limit on the size of files: the signal of that name stops the batch, the line says which file.
# It is set after the first picture: Mesa's lavapipe keeps device memory in files, too.
rm -f kept*
"$fumarole" generate -b 2000 "${small[@]}" -o kept-%d.png 2>err.txt >/dev/null &
program=$!
for _ in $(seq 4000); do [ -e kept-1.png ] && break; sleep 0.05; done
prlimit --pid "$program" --fsize=100
wait "$program"
check "SIGXFSZ exits with 153" test $? = 153
check "SIGXFSZ is reported in one line" grep -qx 'fumarole: cannot write kept-[0-9]*.png: File too large' err.txt
check "SIGXFSZ leaves no unfinished file" bash -c '! compgen -G "*.part" >/dev/null'

# The reader of the lines goes away: the pictures are made, and the loss of the lines is a failure.
rm -f kept*
{
    "$fumarole" generate -b 4 "${small[@]}" -o kept-%d.png 2>err.txt
    echo $? >status.txt
} | head -n 1 >out.txt
check "a closed pipe is a failure" test "$(cat status.txt)" = 1
check "a closed pipe is said" grep -qx 'fumarole: could not write to standard output' err.txt
check "a closed pipe stops no picture" test -s kept-4.png
if [ -c /dev/full ]; then
    rm -f kept*
    "$fumarole" generate -b 2 "${small[@]}" -o kept-%d.png 2>err.txt >/dev/full
    check "a full disk for the lines is a failure" test $? = 1
    check "a full disk for the lines stops no picture" test -s kept-2.png
fi

# Closed descriptors do not become those of files.
rm -f kept*
"$fumarole" generate -b 2 "${small[@]}" "${kept[@]}" <&- >&- 2>&-
check "closed descriptors: the run succeeds" test $? = 0
check "closed descriptors: nothing strays into the files" python3 whole.py

rm -f kept*.png
finish
