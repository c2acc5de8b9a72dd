# SPDX-License-Identifier: MIT
"""Reads the project's sources for the checks beside this file."""
import pathlib
import re

FOLDERS = ("include", "samples", "src", "tests")
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
DEFINITION = re.compile(r"^(static |inline |FUM_API )*[A-Za-z_][\w ]*[\w*] ?\*?\b(?P<name>\w+)"
                        r"\((?P<parameters>[^;{}]*)\) \{ *\n", re.M)


def files(root, suffixes=(".c", ".h"), folders=FOLDERS):
    """Lists the sources below the folders, each as (path from root, text)."""
    for folder in folders:
        for path in sorted((pathlib.Path(root) / folder).rglob("*")):
            if path.suffix in suffixes:
                yield path.relative_to(root), path.read_text(encoding="utf8")


def blank(text):
    """Returns the text with spaces in place of comments and of what strings hold, lines kept."""
    return TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def definitions(text):
    """Lists the functions of a formatted source, each as (match, number of lines)."""
    code = blank(text)
    for match in DEFINITION.finditer(code):
        end = code.find("\n}\n", match.end() - 1)
        if end >= 0 and not match[0].startswith(("else", "typedef", "struct {", "enum {")):
            yield match, code.count("\n", match.start(), end) + 2


def parameters(text):
    """Counts the parameters in the text between a function's parentheses."""
    depth = 0
    count = 1
    for character in text:
        depth += character in "([{"
        depth -= character in ")]}"
        count += character == "," and depth == 0
    return 0 if text.strip() in ("", "void") else count


def known(path):
    """Reads a list of exceptions: one a line, and comments after #."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf8").splitlines())
    return [line for line in lines if line]


def report(lines):
    """Prints the lines, and returns the exit status."""
    for line in lines:
        print(line)
    return 1 if lines else 0
