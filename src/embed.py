#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed.py KIND OUT.c FILE…: writes files as C arrays with a function that finds them by name. KIND is recipes, or page
for the files of the server's page and openapi.json. A string literal may not be as long as some of them."""
import hashlib
import pathlib
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png",
         ".ico": "image/x-icon", ".json": "application/json"}
# The text around the arrays and the rows of the table.
RECIPES = """// Made by the build from recipes/*.ini. Do not edit.
#include "train/recipe.h"

#include <string.h>

ARRAYS
static const struct recipe_text {
    const char *name, *text;
} texts[] = {
ROWS
};

const char *fum_recipe_text(const char *name) {
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!strcmp(texts[i].name, name)) return texts[i].text;
    return NULL;
}
"""
PAGE = """// Made by the build from the folder page. Do not edit.
#include "cli/serve/page_files.h"

#include <string.h>

ARRAYS
static const struct page_file files[] = {
ROWS
    {0},
};

const struct page_file *page_find(const char *name) {
    for (const struct page_file *file = files; file->name; file++)
        if (strcmp(file->name, name) == 0) return file;
    return NULL;
}
"""


def recipe_row(path, i):
    """Returns the row of a recipe, whose text ends with a zero byte."""
    return f'    {{"{path.stem}", (const char *)data_{i}}},'


def page_row(path, i):
    """Returns the row of a file of the page: its size leaves the zero byte out."""
    tag = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return f'    {{"{path.name}", "{TYPES[path.suffix]}", "\\"{tag}\\"", data_{i}, sizeof data_{i} - 1}},'


def array(path, i):
    """Returns a file as an array, with a zero byte behind it."""
    data = [*path.read_bytes(), 0]
    lines = [", ".join(map(str, data[at:at + 24])) for at in range(0, len(data), 24)]
    return f"static const unsigned char data_{i}[] = {{\n    " + ",\n    ".join(lines) + "};\n"


def main():
    kind, (out, *files) = sys.argv[1], map(pathlib.Path, sys.argv[2:])
    text, row = {"recipes": (RECIPES, recipe_row), "page": (PAGE, page_row)}[kind]
    arrays = "\n".join(array(path, i) for i, path in enumerate(files))
    rows = "\n".join(row(path, i) for i, path in enumerate(files))
    out.write_text(text.replace("ARRAYS", arrays).replace("ROWS", rows), encoding="utf8")


main()
