#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""third_party.py ROOT: checks that third_party/needs, third_party/README.md and meson's files name the same things."""
import pathlib
import re
import sys

import sources

DEPENDENCY = re.compile(r"\bdependency\('([^']+)'")
PROGRAM = re.compile(r"\bfind_program\('([a-z][\w-]*)'", re.I)
WITHOUT_PACKAGE = {"threads"}  # part of the C library


def needs(root):
    """Reads third_party/needs as {package: probe}."""
    lines = (line.split(maxsplit=2) for line in (root / "third_party/needs").read_text(encoding="utf8").splitlines())
    return {line[1]: line[2] for line in lines if line and line[0] != "#"}


def meson_files(root):
    skipped = ("build", "subprojects", ".")
    for path in sorted(root.rglob("meson.build")):
        if not path.relative_to(root).parts[0].startswith(skipped) or path.parent == root:
            yield path.read_text(encoding="utf8")


def main():
    root = pathlib.Path(sys.argv[1])
    wanted = needs(root)
    probes = " ".join(wanted.values())
    text = "\n".join(meson_files(root))
    dependencies = set(DEPENDENCY.findall(text)) - WITHOUT_PACKAGE
    bad = [f"meson asks for the dependency {name}, which third_party/needs does not probe" for name in
           sorted(dependencies) if not re.search(rf"has_pkg {name}\b|has_header \S*{name}\b|has_header {name}[/.]", probes)]
    bad += [f"third_party/needs probes {name}, which no meson.build names as a dependency" for name in
            sorted(set(re.findall(r"has_pkg (\S+)", probes)) - dependencies)]
    programs = set(PROGRAM.findall(text))
    bad += [f"meson looks for the program {name}, which third_party/needs does not probe" for name in sorted(programs)
            if f"has_tool {name}" not in probes]
    listed = set(re.findall(r"`([\w.+-]+)`", (root / "third_party/README.md").read_text(encoding="utf8")))
    bad += [f"third_party/README.md does not name {package}" for package in wanted if package not in listed]
    return sources.report(bad)


sys.exit(main())
