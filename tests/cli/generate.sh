#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# generate.sh FUMAROLE: wrong usage of generate and info, broken input, without a GPU.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

for command in generate info; do
    expect 0 "usage: fumarole $command" "$command" --help
    expect 2 'unknown option' "$command" --no-such-option-at-all
done
expect 0 'usage: fumarole generate' generate -m nowhere --help # opens no model
expect 0 '^fumarole [0-9]' generate -m nowhere --version
expect 2 'did you mean generate' genrate

expect 2 'no prompt' generate
expect 2 'more than one prompt' generate red heart
expect 2 'give the prompt once' generate -p red heart
expect 2 'did you mean --steps' generate --stesp 3 heart
expect 2 'did you mean --cfg-scale' generate --cfg-scal=3 heart
expect 2 'needs a value' generate heart --steps
expect 2 'needs a whole number' generate heart --steps many
expect 2 'needs a whole number' generate heart --steps 3x
expect 2 'needs a whole number' generate heart --steps=
expect 2 'at most 18446744073709551615' generate heart -s 99999999999999999999
expect 2 'from 1 to 100000' generate heart --steps 0
expect 2 'from 1 to 100000' generate heart --steps 100001
expect 2 'from 1 to 100000' generate heart --steps 99999999999999999999
expect 2 'from 1 to 16384' generate heart -W 0
expect 2 'from 1 to 16384' generate heart -W -8
expect 2 'needs a number' generate heart --cfg-scale nan
expect 2 'needs a number' generate heart --cfg-scale strong
expect 2 'eta must be from 0 to 1' generate heart --eta 2
expect 2 'did you mean euler' generate heart --sampling-method eulr
expect 2 'does not know "magic"; available:' generate heart --sampling-method magic
expect 2 'does not know "magic"; available:' generate heart --scheduler magic
expect 2 'leading linspace trailing' generate heart --timestep-spacing sideways
expect 2 'auto f32 f16 bf16' generate heart --precision f64
for bytes in 0 -1 GiB 4GiBs 1e30 lots 0x10 nan; do
    expect 2 'memory-budget takes auto or a size' generate heart --memory-budget "$bytes" -m nowhere
done
for bytes in auto 4GiB 1.5GiB 512MiB 512M 8GB 1000000000; do
    expect 1 'no shipped model of that name' generate heart --memory-budget "$bytes" -m nowhere
done
expect 2 'needs a path' generate heart -o ''
expect 1 'no such file or folder' generate heart -m nowhere/model
expect 1 'no shipped model of that name' generate heart -m nowhere
: >empty.txt
expect 1 'empty.txt' generate --prompt-file empty.txt
expect 1 'missing.txt' generate --prompt-file missing.txt
expect 1 'empty.txt' generate cat --negative-prompt-file empty.txt
expect 2 'negative prompt once' generate cat -n x --negative-prompt-file empty.txt
expect 2 'only one prompt' generate --prompt-file - --negative-prompt-file -
expect 1 '/dev/null/cat.png' generate heart -o /dev/null/cat.png
expect 2 'one model' info
expect 1 'no such file' info nowhere.safetensors
: >zero.safetensors
expect 1 'zero.safetensors' info zero.safetensors
printf 'not a model %.0s' 1 2 3 4 5 6 7 8 >noise.safetensors
expect 1 'noise.safetensors' info noise.safetensors

finish
