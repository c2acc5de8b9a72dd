#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed.py OUT.c FILE…: writes the files of the page, and openapi.json, as C arrays."""
import hashlib
import pathlib
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png",
         ".ico": "image/x-icon", ".json": "application/json"}
HEAD = """// Made by the build from the folder page. Do not edit.
#include "cli/serve/page_files.h"

#include <string.h>
"""
TAIL = """
const struct page_file *page_find(const char *name) {
    for (const struct page_file *file = files; file->name; file++)
        if (strcmp(file->name, name) == 0) return file;
    return NULL;
}
"""


def main():
    out, *files = map(pathlib.Path, sys.argv[1:])
    parts, rows = [HEAD], []
    for i, path in enumerate(files):
        data = path.read_bytes()
        lines = [", ".join(map(str, data[at:at + 24])) for at in range(0, len(data), 24)]
        tag = hashlib.sha256(data).hexdigest()[:16]
        parts.append(f"static const unsigned char data_{i}[] = {{\n    " + ",\n    ".join(lines) + "};\n")
        rows.append(f'    {{"{path.name}", "{TYPES[path.suffix]}", "\\"{tag}\\"", data_{i}, sizeof data_{i}}},')
    parts.append("static const struct page_file files[] = {\n" + "".join(row + "\n" for row in rows) + "    {0},\n};")
    out.write_text("\n".join(parts) + "\n" + TAIL, encoding="utf8")


main()
