#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""functions.py ROOT: checks that no function has more than 60 lines or more than five parameters.

functions.known lists exceptions as `lines NAME` or `parameters NAME`. An entry that is no longer needed fails, too.
"""
import pathlib
import re
import sys

import sources

MOST_LINES, MOST_PARAMETERS = 60, 5
PROTOTYPE = re.compile(r"^[a-z_][\w ]*[\w*] ?\*?\b(?P<name>fum_\w+)\((?P<parameters>[^;{}]*)\);", re.M | re.I)


def faults(path, text):
    for match, lines in sources.definitions(text):
        if lines > MOST_LINES:
            yield f"lines {match['name']}", f"{path}: {match['name']} has {lines} lines; at most {MOST_LINES}"
    found = [match for match, _ in sources.definitions(text)]
    if path.parts[0] == "include":
        found += PROTOTYPE.finditer(sources.blank(text))
    for match in found:
        count = sources.parameters(match["parameters"])
        if count > MOST_PARAMETERS:
            yield (f"parameters {match['name']}",
                   f"{path}: {match['name']} has {count} parameters; at most {MOST_PARAMETERS}")


def main():
    known = sources.known(pathlib.Path(__file__).with_suffix(".known"))
    met, bad = set(), []
    for path, text in sources.files(sys.argv[1]):
        for key, what in faults(path, text):
            met.add(key)
            if key not in known:
                bad.append(what)
    bad += [f"functions.known: `{key}` is no longer needed; take it out" for key in known if key not in met]
    return sources.report(bad)


sys.exit(main())
