#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bench.sh FUMAROLE: reports of the benchmark, setting them side by side, stopping early.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

if ! "$fumarole" devices >/dev/null 2>&1 && [ -z "${FUM_REQUIRE_DEVICE:-}" ]; then
    echo "no device"
    exit 77
fi

expect 0 'fma f32 .*GFLOP/s' bench -q --limits --repeats 2 --json limits.json
expect 0 'latents 64x64' bench -q --op silu --precision f32 --repeats 2 --time 3600 --json op.json --html op.html
expect 0 'step with guidance' bench -q --models emoji -W 32 --repeats 1 --time 2 --json model.json --html model.html
check 'the page is whole' grep -q '</html>' op.html
check 'the page needs nothing else' bash -c '! grep -qE "https?://|src=|<script" op.html model.html'
check 'nothing half written' bash -c '! compgen -G "*.part"'
check 'reports are JSON' python3 -c 'import json
for name in "limits", "op", "model":
    report = json.load(open(name + ".json"))
    assert report["format"] == "fumarole-bench" and report["complete"] and report["device"]["driver"], name
    assert len(report["limits"][0]["value"]["values"]) >= 2, name
assert json.load(open("op.json"))["ops"][0]["seconds"]["median"] > 0
assert json.load(open("model.json"))["models"][0]["pictures_per_second"] > 0'

expect 0 'x1\.00' bench --compare op.json op.json
expect 0 'B to A: [0-9]+ compared, 0 faster \(\+\), 0 slower' bench --compare op.json op.json --html both.html
check 'the page of both' grep -q '</html>' both.html
expect 0 'C to A' bench --compare op.json limits.json model.json

# What takes the place of a file.
touch target.json
ln -s target.json link.json
expect 0 'fma f32' bench -q --limits --repeats 2 --json link.json
check 'a link stays a link' [ -L link.json ]
check 'a link is written through' grep -q fumarole-bench target.json
if [ -c /dev/full ]; then
    "$fumarole" bench -q --limits --repeats 2 >/dev/full 2>err.txt
    check "status 1 on a full disk, not $?" [ "$?" = 1 ]
    check 'a full disk is said' grep -q 'could not write to standard output' err.txt
fi

# Terminals of 80 columns.
"$fumarole" bench -q --limits --op matmul --models emoji -W 32 --repeats 1 --time 5 --json wide.json >wide.txt
python3 -c 'import json
report = json.load(open("wide.json"))
report["device"]["driver"] = "a driver with the longest of names, Mesa 25.0.7-2+deb13u1 (LLVM 19.1.7)"
json.dump(report, open("long.json", "w"))'
"$fumarole" bench --compare long.json op.json >>wide.txt
check 'lines of 80 columns' python3 -c 'import sys
wide = [line for line in open("wide.txt", encoding="utf8").read().splitlines() if len(line) > 80]
sys.exit("\n".join(wide) or 0)'

# A report twice as slow is a regression, one of another device is only slower.
slower() { # NAME DEVICE
    python3 -c 'import json, sys
report = json.load(open("op.json"))
report["device"]["name"] = sys.argv[2] or report["device"]["name"]
for op in report["ops"]:
    for key, factor in (("seconds", 10), ("of_fma", 0.1)):
        for part in "median", "low", "high":
            op[key][part] *= factor
json.dump(report, open(sys.argv[1], "w"))' "$@"
}
slower slow.json ''
slower other.json 'another device'
expect 0 'x0\.10 +!' bench --compare op.json slow.json
expect 0 'x10\.00 +\+' bench --compare slow.json op.json
expect 0 'another device' bench --compare op.json other.json

echo 'not JSON' >text.json
echo '{"format": "something else"}' >else.json
echo '{"format": "fumarole-bench", "version": 99}' >newer.json
echo '{"format": "fumarole-bench", "version": 1, "limits": []}' >part.json
echo '{"format": "fumarole-bench", "version": 1, "limits": [], "ops": [3, {"op": 4}], "models": [null]}' >odd.json
expect 1 'text.json: not a report .*no JSON from byte' bench --compare op.json text.json
expect 1 'else.json: not a report' bench --compare op.json else.json
expect 1 'newer.json: a report in format 99' bench --compare op.json newer.json
expect 1 'part.json: damaged' bench --compare op.json part.json
expect 1 'nowhere.json' bench --compare op.json nowhere.json
expect 0 'B to A' bench --compare odd.json op.json --html odd.html
expect 2 'takes 2 to 8 reports' bench --compare op.json
expect 2 'without --compare' bench op.json
expect 2 "no op 'xyzzy'" bench --op xyzzy
expect 2 'no model "xyzzy"' bench --models xyzzy
expect 1 'cannot write' bench --limits --json /dev/null/report.json

# Ctrl-C once the limits are known: what there is so far is written.
"$fumarole" bench --time 300 --json stopped.json >out.txt 2>err.txt &
pid=$!
while kill -0 "$pid" 2>/dev/null && ! grep -q emoji err.txt; do sleep 0.2; done
kill -INT "$pid"
wait "$pid"
check "status 130 after Ctrl-C, not $?" [ "$?" = 130 ]
check 'the report of a stopped run' python3 -c 'import json
report = json.load(open("stopped.json"))
assert not report["complete"] and report["limits"]'

finish
