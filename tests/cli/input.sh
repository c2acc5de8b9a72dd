#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# input.sh FUMAROLE: text that users hand over, as tokenize and generate read it, without a GPU.
. "$(dirname "${BASH_SOURCE[0]}")/expect.sh"

# lines STATUS PATTERN COUNT TEXT: the text, which printf formats, gives COUNT lines of ids and, unless the status is 0,
# one line that matches the pattern.
lines() {
    local status=$1 pattern=$2 count=$3 got
    # shellcheck disable=SC2059 # the text is the format
    printf "$4" >in.txt
    "$fumarole" tokenize -m emoji --jsonl <in.txt >out.txt 2>err.txt
    got=$?
    check "status $status of $4, not $got" test "$got" = "$status"
    check "$count lines of $4" test "$(grep -c '^{"ids":\[' out.txt)" = "$count"
    [ "$status" = 0 ] || check "one line for $4" grep -qE "^fumarole: standard input, $pattern" err.txt
    check "no more than a line for $4" test "$(wc -l <err.txt)" = $((status != 0))
}
heart='{"text": "a red heart"}'
lines 0 '' 3 "$heart\n$heart\n$heart\n"
lines 0 '' 2 "$heart\n$heart"                       # the last line without its end
lines 0 '' 2 "$heart\r\n$heart \t\r\n"
lines 0 '' 2 "\n$heart\n  \n$heart\n\n"             # empty lines are no input
lines 0 '' 2 "\xef\xbb\xbf$heart\n$heart\n"         # a byte order mark
lines 1 'line 2: holds a NUL byte' 1 "$heart\n$heart\\0junk\n$heart\n"
lines 1 'line 1: holds a NUL byte' 0 "\\0\n$heart\n"
lines 1 'line 2: more than one JSON object, from byte 24 on' 1 "$heart\n$heart$heart\n$heart\n"
lines 1 'line 1: more than one JSON object' 0 "$heart and more\n"
lines 1 'line 3: not a JSON object with a string "text"' 2 "$heart\n$heart\n[1]\n"
lines 1 'line 1: not a JSON object with a string "text"' 0 '{"text": 5}\n'
lines 1 'line 1: not a JSON object with a string "text"' 0 '{"text": "x"'
lines 1 'line 1: not a JSON object with a string "text"' 0 '{"text": "a\\u12g4b"}\n' # cJSON would cut it there
lines 0 '' 1 '{"text": "a\\\\u12g4b"}\n'

# ids TEXT: the ids of a line of JSON, whose text printf formats.
ids() {
    # shellcheck disable=SC2059 # the text is part of the format
    printf "{\"text\": \"$1\"}\n" | "$fumarole" tokenize -m emoji --jsonl | grep -o '"ids":[^]]*'
}
check "an escaped NUL is text" test "$(ids 'a\\u0000b')" = "$(printf 'a\0b' | "$fumarole" tokenize -m emoji |
    awk 'NF == 2 && $2 != "ids" { printf "%s%s", n++ ? "," : "\"ids\":[", $1 }')"
check "a noncharacter is no NUL" test "$(ids 'a\xef\xb7\x90b')" != "$(ids 'a\\u0000b')"
check "a noncharacter beside a NUL" test "$(ids 'a\\ufdd0\\u0000b')" = "$(ids 'a\xef\xb7\x90\\u0000b')"

# A byte order mark is no part of a prompt or a text.
printf 'a red heart' | "$fumarole" tokenize -m emoji >plain.txt
printf '\xef\xbb\xbfa red heart\r\n' | "$fumarole" tokenize -m emoji >marked.txt
check "a mark at the start of standard input" cmp plain.txt marked.txt
check "a mark elsewhere is text" bash -c "! printf 'a\xef\xbb\xbf red heart' | '$fumarole' tokenize -m emoji | cmp -s - plain.txt"

# Prompts of exactly the limit, and of a byte more.
limit=1048576
head -c $((limit - 1)) /dev/zero | tr '\0' x >prompt.txt
expect 2 'no device matches "none"' generate --prompt-file prompt.txt --device none
printf x >>prompt.txt
expect 2 'no device matches "none"' generate --prompt-file prompt.txt --device none
printf x >>prompt.txt
expect 1 'prompt.txt: more than 1048576 bytes of text' generate --prompt-file prompt.txt --device none
printf 'a\0b' >prompt.txt
expect 1 'prompt.txt: holds a NUL byte' generate --prompt-file prompt.txt
printf '\xef\xbb\xbf\n' >prompt.txt
expect 1 'prompt.txt: is empty' generate --prompt-file prompt.txt
expect 1 'Is a directory' generate --prompt-file .

# Output that is lost is a failure of every command.
if [ -c /dev/full ]; then
    for line in --help --version help 'generate --help' devices 'info emoji' 'tokenize -m emoji x'; do
        # shellcheck disable=SC2086 # words
        "$fumarole" $line >/dev/full 2>err.txt
        check "status 1 of $line on a full disk" test $? = 1
        check "one line of $line on a full disk" grep -qx 'fumarole: could not write to standard output' err.txt
    done
fi
finish
