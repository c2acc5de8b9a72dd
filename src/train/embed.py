#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed.py OUT.c NAME.ini…: writes the texts of recipes as C arrays. A string literal may not be that long."""
import pathlib
import sys

HEAD = """// Made by the build from recipes/*.ini. Do not edit.
#include "train/recipe.h"

#include <string.h>
"""
TAIL = """
const char *fum_recipe_text(const char *name) {
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!strcmp(texts[i].name, name)) return texts[i].text;
    return NULL;
}
"""


def main():
    out, *files = map(pathlib.Path, sys.argv[1:])
    parts, rows = [HEAD], []
    for i, path in enumerate(files):
        data = [*path.read_bytes(), 0]
        lines = [", ".join(map(str, data[at:at + 24])) for at in range(0, len(data), 24)]
        parts.append(f"static const unsigned char text_{i}[] = {{\n    " + ",\n    ".join(lines) + "};\n")
        rows.append(f'    {{"{path.stem}", (const char *)text_{i}}},')
    parts.append("static const struct recipe_text {\n    const char *name, *text;\n} texts[] = {\n"
                 + "\n".join(rows) + "\n};")
    out.write_text("\n".join(parts) + "\n" + TAIL.lstrip("\n"), encoding="utf8")


main()
