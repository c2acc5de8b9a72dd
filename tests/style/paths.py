#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""paths.py ROOT: checks that every file that documents and comments name exists.

In documents these are the targets of links, paths below a folder of the root, and names of sources between backticks.
In comments they are paths below a folder of the root, and names of sources. A word in capitals and a * stand for any
name. Libraries are left out, since they are built.
"""
import fnmatch
import pathlib
import posixpath
import re
import sys

import sources

FOLDERS = ("bindings", "docs", "include", "models", "packaging", "samples", "scripts", "shaders",
           "src", "subprojects", "tests", "third_party")
PATH = re.compile(r"(?<![\w./$~-])((?:%s)/[\w.*/-]*[\w*/])" % "|".join(FOLDERS))
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
SOURCE = r"[\w*.-]+\.(?:c|h|comp|glsl|def|py)"
QUOTED = re.compile(r"`(%s)`" % SOURCE)
NAMED = re.compile(r"(?<![\w./*-])(%s)\b" % SOURCE)
ANY = re.compile(r"(?<![A-Za-z])[A-Z]{2,}(?![A-Za-z])")


class Files:
    """The project's files and folders, without what was built or downloaded."""

    def __init__(self, root):
        self.paths = {path.name for path in root.iterdir()}
        for folder in FOLDERS:
            self.paths |= {path.relative_to(root).as_posix() for path in (root / folder).rglob("*")}
        names = {posixpath.basename(path) for path in self.paths}
        self.names = names | {name.removesuffix(".in") for name in names}

    def lacks(self, name, among):
        pattern = ANY.sub("*", name.rstrip("/"))
        return not name.endswith(".so") and pattern not in among and not (
            "*" in pattern and fnmatch.filter(among, pattern))

    def missing(self, text, sources_named):
        """Lists (offset, name) for the paths in a text, and the names of sources that a pattern finds."""
        yield from ((m.start(), m[1]) for m in PATH.finditer(text) if self.lacks(m[1], self.paths))
        yield from ((m.start(), m[1]) for m in sources_named.finditer(text) if self.lacks(m[1], self.names))


def documents(root):
    folders = [root / folder for folder in FOLDERS if folder not in ("subprojects", "third_party")]
    for path in sorted([*root.glob("*.md"), *(path for folder in folders for path in folder.rglob("*.md"))]):
        yield path.relative_to(root), path.read_text(encoding="utf8")


def faults(root, files):
    for path, text in documents(root):
        for match in LINK.finditer(text):
            if files.lacks(posixpath.normpath((path.parent / match[1]).as_posix()), files.paths):
                yield path, text, match.start(), match[1]
        yield from ((path, text, at, name) for at, name in files.missing(text, QUOTED))
    for path, text in [*sources.files(root, (".c", ".h", ".def")),
                       *sources.files(root, (".comp", ".glsl", ".h"), ("shaders",))]:
        for comment in sources.TOKEN.finditer(text):
            if comment[0][0] == "/":
                yield from ((path, text, comment.start() + at, name) for at, name in files.missing(comment[0], NAMED))


def main():
    root = pathlib.Path(sys.argv[1])
    return sources.report([f"{path}:{text.count(chr(10), 0, at) + 1}: names {name}, which does not exist"
                           for path, text, at, name in faults(root, Files(root))])


sys.exit(main())
