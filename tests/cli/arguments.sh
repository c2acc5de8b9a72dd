#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# arguments.sh FUMAROLE: exit statuses and messages of the command line, without a GPU.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

expect 2 'no command'
expect 0 'usage: fumarole' --help
expect 0 '^fumarole [0-9]+\.[0-9]+\.[0-9]+$' --version
expect 2 'did you mean devices' device
expect 2 'unknown command' xyzzy
expect 2 'fumarole generate draws a prompt' 'a red heart'
for command in tokenize devices selftest bench tune evaluate serve completions; do
    expect 0 "usage: fumarole $command" "$command" --help
    expect 2 'unknown option' "$command" --no-such-option-at-all
done
expect 2 'takes no argument' devices all
expect 2 'takes no value' devices --verbose=yes

expect 2 'more than one text' tokenize red heart
expect 2 'takes no text' tokenize --jsonl heart
expect 1 'no such file or folder' tokenize -m nowhere heart
expect 2 'takes the text itself' tokenize -m emoji --prompt heart red
expect 2 '.steps' tokenize -m emoji --prompt heart --steps 0
expect 0 '^."weight":0.5,"until":2,"chunks":.."ids":.*,"weights":.1,1.21[0-9]*,1' tokenize -m emoji --steps 4 --prompt '((a [b:2])) :.5 AND c'
expect 0 '^."chunks":.."ids":' tokenize -m emoji --no-emphasis --prompt '(a) BREAK'
expect 0 '^ *[0-9]+  heart</w>$' tokenize -m emoji heart
expect 0 '^2 ids$' tokenize -m emoji ''
expect 2 'takes no argument' selftest everything
expect 2 'f32 f16 bf16 all' selftest --precision f8
expect 2 'name one shell' completions
expect 2 'not of .csh' completions csh
expect 0 'complete -F _fumarole fumarole' completions bash

finish
