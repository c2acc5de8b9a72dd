#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""completions.py PROGRAM: the completions of each shell have every option that --help lists, and the shells that are here
read them and complete by them.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1]
# A line, whose last word is completed, and a completion that must be among the result.
LINES = [("fumarole gen", "generate"), ("fumarole generate --neg", "--negative-prompt"), ("fumarole generate --rng c", "cpu"),
         ("fumarole generate --sampling-method eul", "euler_a"), ("fumarole --step", "--steps"), ("fumarole tune --for", "--forget"),
         ("fumarole dataset --he", "--help"), ("fumarole bench --pre", "--precision")]
BASH = r"""
source "$1"
COMP_WORDS=($2)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_fumarole
printf '%s\n' "${COMPREPLY[@]}"
"""


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


def listed():
    """Returns the options of every command, as --help has them."""
    env = dict(os.environ, COLUMNS="200")
    usage = run(PROGRAM, "--help", env=env)
    commands = re.findall(r"^  ([\w-]+) ", usage.split("Commands:\n")[1].split("\n\n")[0], re.M)
    return {name: re.findall(r"^  (?:-(\w), |    )--([\w-]+)", run(PROGRAM, name, "--help", env=env), re.M) for name in commands}


def parts(shell, text):
    """Returns the text of every command in a completion."""
    if shell == "bash":
        return dict(re.findall(r"^    ([\w-]+)\) echo '(.*)' ;;$", text, re.M))
    if shell == "zsh":
        return dict(re.findall(r"^    ([\w-]+)\)\n        _arguments -s \\\n(.*?)\n        ;;$", text, re.M | re.S))
    lines = re.findall(r"^complete -c fumarole -n '__fumarole_command_is ([\w-]+)'(.*)$", text, re.M)
    return {name: "\n".join(rest + " " for other, rest in lines if other == name) for name, _ in lines}


PATTERNS = {"bash": (None, r" --{}(?= |$)"), "zsh": (r"-{}\+?\[", r"--{}=?\["), "fish": (r" -s {} ", r" -l {} ")}


def missing(shell, text, options):
    by_letter, by_name = PATTERNS[shell]
    found = parts(shell, text)
    for command, flags in options.items():
        for letter, name in flags:
            if not re.search(by_name.format(re.escape(name)), found.get(command, "")):
                yield f"{shell}: {command} --{name} is missing"
            if letter and by_letter and not re.search(by_letter.format(letter), found.get(command, "")):
                yield f"{shell}: {command} -{letter} is missing"


def complete(shell, path, line):
    if shell == "bash":
        return run("bash", "--norc", "-c", BASH, "bash", path, line).split()
    return [row.split("\t")[0] for row in run("fish", "--no-config", "-c", f"source {path}; complete -C '{line}'").splitlines()]


def main():
    options, bad = listed(), []
    with tempfile.TemporaryDirectory() as folder:
        for shell in PATTERNS:
            path = os.path.join(folder, "fumarole." + shell)
            with open(path, "w", encoding="utf8") as file:
                file.write(run(PROGRAM, "completions", shell))
            with open(path, encoding="utf8") as file:
                bad += missing(shell, file.read(), options)
            if not shutil.which(shell):
                print(f"{shell} is not here")
                continue
            run(shell, "-n", path)
            bad += [f"{shell}: \"{line}\" is not completed to {word}" for line, word in LINES
                    if shell != "zsh" and word not in complete(shell, path, line)]
    for line in bad:
        print(line)
    print(f"{len(options)} commands, {sum(map(len, options.values()))} options, {len(bad)} wrong")
    return 1 if bad or len(options) < 10 else 0


sys.exit(main())
