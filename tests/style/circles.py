#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""circles.py ROOT: checks that within a layer no files depend on each other in a circle.

A layer is a folder of src. A .c depends on another of its layer if it names a function that the other defines (a call,
or an address taken), a header if it includes the other. circles.known lists exceptions as `LAYER: FILE FILE …`. A file
of such a line that is in no circle any more fails, too.
"""
import pathlib
import re
import sys

import sources

INCLUDE = re.compile(r'^#include "(?:\w+/)*(\w+\.h)"', re.M)
WORD = re.compile(r"\b[a-z_]\w*\b")


def layers(root):
    """Reads src as {layer: {file: text}}."""
    found = {}
    for path, text in sources.files(root, folders=("src",)):
        if len(path.parts) > 2:
            found.setdefault(path.parts[1], {})[path.name] = text
    return found


def edges(files):
    """Returns {file: the files of the layer it depends on}."""
    owner = {}  # of a function that several systems define each for themselves: the first file
    for name, text in sorted(files.items()):
        for match, _ in sources.definitions(text) if name.endswith(".c") else ():
            if not match[0].startswith("static"):
                owner.setdefault(match["name"], name)
    graph = {}
    for name, text in files.items():
        if name.endswith(".h"):
            needs = files.keys() & set(INCLUDE.findall(text))
        else:
            needs = {owner[word] for word in WORD.findall(sources.blank(text)) if word in owner}
        graph[name] = needs - {name}
    return graph


def reach(graph, start):
    seen, todo = set(), [start]
    while todo:
        for name in graph[todo.pop()]:
            if name not in seen:
                seen.add(name)
                todo.append(name)
    return seen


def circles(graph):
    """Lists the sets of files that all reach each other."""
    reached = {name: reach(graph, name) for name in graph}
    groups = {frozenset(o for o in reached[name] if name in reached[o]) for name in graph if name in reached[name]}
    return sorted((sorted(group) for group in groups if len(group) > 1))


def main():
    known = [line.partition(":") for line in sources.known(pathlib.Path(__file__).with_suffix(".known"))]
    allowed = [(layer, set(names.split())) for layer, _, names in known]
    met, bad = set(), []
    for layer, files in layers(sys.argv[1]).items():
        graph = edges(files)
        for circle in circles(graph):
            met.update((layer, name) for name in circle)
            if any(layer == l and names.issuperset(circle) for l, names in allowed):
                continue
            bad.append(f"src/{layer}: {', '.join(circle)} depend on each other")
            bad += [f"    {a} needs {', '.join(sorted(graph[a] & set(circle) - {a}))}" for a in circle]
    bad += [f"circles.known: {name} of {layer} is in no circle any more; take it out"
            for layer, names in allowed for name in sorted(names) if (layer, name) not in met]
    return sources.report(bad)


sys.exit(main())
