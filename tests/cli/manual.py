#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""manual.py PROGRAM MANUAL: every command has a section of the manual, which names every option that the command's --help
lists; and every option that has an entry there exists.
"""
import os
import re
import subprocess
import sys

PROGRAM, MANUAL = sys.argv[1:3]
COMMON = {"help", "version"}  # told once for all commands


def run_help(*words):
    env = dict(os.environ, COLUMNS="200")
    return subprocess.run([PROGRAM, *words, "--help"], env=env, capture_output=True, text=True, check=True).stdout


def main():
    usage = run_help()
    commands = re.findall(r"^  ([\w-]+) ", usage.split("Commands:\n")[1].split("\n\n")[0], re.M)
    text = open(MANUAL, encoding="utf8").read().replace("\\-", "-")
    sections = dict(re.findall(r"^\.SH (.+)\n((?:(?!\.SH ).*\n)*)", text, re.M))
    bad = []
    for command in commands:
        listed = set(re.findall(r"^\s+(?:-\w, )?--([\w-]+)", run_help(command), re.M)) - COMMON
        section = sections.get(command.upper())
        if section is None:
            bad.append(f"{command} has no section")
            continue
        named = set(re.findall(r"--([\w-]+)", section + sections["SYNOPSIS"]))
        entries = re.findall(r"^\.TP\n\..*", section, re.M)
        described = {name for entry in entries for name in re.findall(r"--([\w-]+)", entry)}
        bad += [f"{command} --{name} is not in the manual" for name in sorted(listed - named)]
        bad += [f"{command} has no --{name}, which the manual describes" for name in sorted(described - listed)]
    for line in bad:
        print(line)
    print(f"{len(commands)} commands, {len(bad)} wrong")
    return 1 if bad or len(commands) < 2 else 0


sys.exit(main())
