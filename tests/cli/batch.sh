#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# batch.sh FUMAROLE: the pictures of a file of lines: what is written, what a second run does, kills, several devices and
# ranks.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"
model=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../data/model-sd1")
require_device

expect 2 'name one file of lines' batch -o out
expect 2 'name the folder of the pictures with -o DIR' batch lines.jsonl
expect 2 'batch has no --xy' batch lines.jsonl -o out --xy steps=1,2
expect 1 'nowhere.jsonl: No such file' batch nowhere.jsonl -o out
check "a missing file makes no folder" test ! -e out
expect 2 'unknown option "--stesp"; did you mean --steps' batch lines.jsonl -o out --stesp 2

batch() { "$fumarole" batch "$@" -m "$model" -W 16 -H 16 --steps 2 -q >out.txt 2>err.txt </dev/null; }
rows() { cat "$1/manifest.jsonl" 2>/dev/null | wc -l; }
# status STATUS COMMAND…: the command ends with this status.
status() {
    local wanted=$1
    shift
    "$@"
    [ $? = "$wanted" ]
}
# whole DIR COUNT: every picture has one row, its hash is right, and the folder has nothing else.
whole() {
    python3 - "$@" <<'END'
import hashlib, json, os, sys
folder, count = sys.argv[1], int(sys.argv[2])
with open(folder + "/manifest.jsonl") as file:
    rows = [json.loads(line) for line in file]
for row in rows:
    with open(f"{folder}/{row['file']}", "rb") as file:
        assert hashlib.sha256(file.read()).hexdigest() == row["sha256"], row
    assert list(row) == ["line", "file", "seed", "seconds", "device", "rank", "sha256"], row
    assert row["file"].startswith(f"{row['line']:05d}-") and row["seconds"] > 0 and row["device"]
names = sorted(row["file"] for row in rows)
assert len(names) == count and sorted(os.listdir(folder)) == names + ["manifest.jsonl"], (names, os.listdir(folder))
END
}
same_files() { for f in "$1"/*.png; do cmp "$f" "$2/${f##*/}" || return 1; done; }

# ---- lines ----
cat >lines.jsonl <<'END'
{"prompt": "a cat", "seed": 5, "batch_count": 2}

{"prompt": "a cat", "steps": "4"}
{"prompt": "a dog", "seed": 9, "steps": 3, "width": 24}
nonsense
{"prompt": "a dog", "lora": ["nowhere.safetensors"]}
{"prompt": "a dog", "output": "x.png"}
{"prompt": "a dog", "seed": -1, "batch_count": 2}
END
check "broken lines end in status 1" status 1 batch lines.jsonl -o out
check "the other lines are drawn" whole out 5
for n in 3 5 6 7; do check "line $n is reported once" test "$(grep -c "^lines.jsonl: line $n: " err.txt)" = 1; done
check "nothing else is reported" test "$(wc -l <err.txt)" = 4
"$fumarole" generate -q -m "$model" -W 16 -H 16 --steps 2 -s 6 -o one.png "a cat" >/dev/null
check "a line draws what its options draw" cmp one.png out/00001-1.png
rm -f one.png
"$fumarole" generate -q --from-png out/00004-0.png -o again.png >/dev/null
check "pictures can be drawn again from themselves" cmp again.png out/00004-0.png
rm -f again.png
cp -r out before
check "a second run ends in status 1, too" status 1 batch lines.jsonl -o out
check "and draws nothing" grep -q ', 0 of them new' out.txt
check "and changes nothing" diff -r before out

# ---- repairs ----
sed -i '$d' out/manifest.jsonl # of the line with a random seed
rm out/00001-0.png
printf 'x' >>out/00004-0.png
printf '{"line":9,"file":"00009-0.png","seed":1' >>out/manifest.jsonl
touch out/.fumarole-0123456789abcdef.part
check "damage is repaired" status 1 batch lines.jsonl -o out
check "by three pictures" grep -q ', 3 of them new' out.txt
check "and rows for them" whole out 5
check "with the same bytes" same_files before out

# ---- kills ----
for i in $(seq 12); do echo "{\"prompt\": \"a cat\", \"seed\": $((7 * i)), \"batch_count\": 2, \"steps\": 5}"; done >many.jsonl
check "24 pictures" batch many.jsonl -o whole
check "24 rows" whole whole 24
for _ in 1 2; do
    before=$(rows killed)
    batch many.jsonl -o killed &
    subshell=$!
    while [ "$(rows killed)" -le $((before + 2)) ] && kill -0 $subshell 2>/dev/null; do sleep 0.02; done
    sleep "0.0$((RANDOM % 10))"
    pkill -9 -P $subshell
    wait $subshell 2>/dev/null
done
check "the killed batch is not whole" test "$(rows killed)" -lt 24
check "it goes on" batch many.jsonl -o killed
check "to 24 rows" whole killed 24
check "with the same bytes" same_files whole killed

"$fumarole" batch many.jsonl -o stopped -m "$model" -W 16 -H 16 -q >out.txt 2>err.txt &
program=$!
while [ "$(rows stopped)" -lt 2 ] && kill -0 $program 2>/dev/null; do sleep 0.02; done
status 1 "$fumarole" batch many.jsonl -o stopped -m "$model" 2>locked.txt
check "one batch uses a folder" grep -q 'stopped: another batch is writing there' locked.txt
kill -INT $program
wait $program
check "Ctrl-C ends it with status 130" test $? = 130
check "and leaves whole pictures" whole stopped "$(rows stopped)"
check "two painters go on" batch many.jsonl -o stopped --device 0 --device 0
check "to 24 rows" whole stopped 24
check "with the same bytes" same_files whole stopped

# ---- ranks ----
if command -v mpirun >/dev/null && [ -n "${2:-}" ]; then
    ranks() {
        OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none \
            mpirun --oversubscribe "$@" -m "$model" -W 16 -H 16 -q >out.txt 2>err.txt </dev/null
    }
    cp many.jsonl ranks.jsonl
    echo nonsense >>ranks.jsonl
    ranks -n 2 "$fumarole" batch ranks.jsonl -o ranks &
    subshell=$!
    while [ "$(rows ranks)" -lt 6 ] && kill -0 $subshell 2>/dev/null; do sleep 0.05; done
    for p in $(pgrep -P "$(pgrep -P $subshell)"); do
        grep -qzs '^OMPI_COMM_WORLD_RANK=1$' "/proc/$p/environ" && kill -9 "$p"
    done
    wait $subshell
    check "a rank's death ends mpirun" test $? != 0
    check "two ranks go on" status 1 ranks -n 2 "$fumarole" batch ranks.jsonl -o ranks
    check "and report a broken line once" test "$(grep -c "^ranks.jsonl: line 13: " err.txt)" = 1
    check "to 24 rows" whole ranks 24
    check "with the same bytes" same_files whole ranks
fi

finish
