#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ternaries.py ROOT: checks that no conditional expression stands within another one."""
import sys

import sources


def nested(text):
    """Lists the lines on which a second `?` belongs to one expression."""
    code = sources.blank(text)
    open_here = [False]  # for every bracket that is open, innermost last
    for at, character in enumerate(code):
        if character in "([{":
            open_here.append(False)
        elif character in ")]}" and len(open_here) > 1:
            open_here.pop()
        elif character in ";,":
            open_here[-1] = False
        elif character == "?":
            if open_here[-1]:
                yield code.count("\n", 0, at) + 1
            open_here[-1] = True


sys.exit(sources.report([f"{path}:{line}: a conditional expression within another one: write it with if"
                         for path, text in sources.files(sys.argv[1]) for line in nested(text)]))
