#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""words.py ROOT: checks comments of C and GLSL, and messages for users, against the wording rules of CONTRIBUTING.md."""
import pathlib
import re
import sys

import sources

MOST_WORDS = 25  # of a sentence
OPENING = re.compile(r"^(Of|By|For|To|With)\b")
BANNED = [(re.compile(r"\b(?:%s)\b" % words, re.I), instead) for words, instead in (
    (r"who|whoever|nobody|somebody", "code is not a person: name the caller or the function"),
    (r"tells?|told|said", "reports, logs, states"),
    (r"asks?|asked|asking", "requests, calls"),
    (r"(?:its|'s|his|her|their) word", "code is not a person: name the value or the text"),
    (r"wants?|wanted", "needs, requires, requested"),
    (r"insists?|insisted", "forces, forced"),
    (r"pays?|paid", "is faster"),
    (r"passed over", "skipped"),
    (r"at the (?:most|least)", "at most, at least"),
    (r"(?:is|are|be) not finite", "non-finite"),
    (r"(?:what|that|where) there (?:is|are)", "name the thing"),
    (r"what is not", "name the thing"),
)]
FUNCTION = re.compile(r"(?:static |inline |FUM_API )*(?!typedef|else|return)[A-Za-z_][\w ]*[\w*] ?\*?\b\w+\(")
VERB = re.compile(r"(?!This\b|Its\b|As\b|Is\b|Has\b|Was\b)[A-Z][a-z-]*s\b|True (?:if|for)\b")
TABLE = re.compile(r"(?: \*)? {3}")
STRING = re.compile(r'(?:"(?:\\.|[^"\\\n])*"(?:\s|PRI\w+)*)+')


def comments(text):
    """Lists the comments as (first line, last line, lines of text): runs of // on lines of their own are one.

    Code samples and tables, indented by three spaces, are left out."""
    block, start, last = [], 0, (0, 0)
    for match in sources.TOKEN.finditer(text):
        if match[0][0] != "/" or match[0].startswith("// SPDX"):
            continue
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - text.rfind("\n", 0, match.start())
        alone = not text[match.start() - column + 1:match.start()].strip()
        if block and not (alone and last == (line - 1, column)):
            yield start, last[0], block
            block = []
        if not block:
            start = line
        lines = match[0].lstrip("/*!").rstrip("*/").split("\n")
        block += ["" if TABLE.match(part) else part.strip(" *") for part in lines]
        last = (line + match[0].count("\n"), column)
    if block:
        yield start, last[0], block


def sentences(block):
    """Splits a comment into sentences; an empty line and a list's item end one."""
    for paragraph in re.split(r"\n\s*\n|\n(?=[-•|] )", "\n".join(block)):
        yield from re.split(r"(?<=[.!?…])\s+(?=\S)", " ".join(paragraph.split()))


def wrong(text):
    for pattern, instead in BANNED:
        for match in pattern.finditer(text):
            yield f"`{match[0]}` ({instead})"


def has_heading(path, lines):
    """True if a comment says what the file does: its own, that of the header of its name, or that of a case's op."""
    return (lines[1].startswith("//") or path.parent.name == "cases"
            or path.suffix == ".c" and (pathlib.Path(sys.argv[1]) / path).with_suffix(".h").exists()
            or path.suffix == ".comp")


def faults(path, text):
    lines = text.split("\n") + [""]
    if not has_heading(path, lines):
        yield 2, "no comment says what the file does"
    for line, end, block in comments(text):
        joined = " ".join(" ".join(block).split())
        of_function = path.parts[0] in ("include", "src") and FUNCTION.match(lines[end])
        if of_function and lines[line - 1].startswith("//") and not VERB.match(joined):
            yield line, f"a function's comment starts with a verb in the third person: {joined[:50]}…"
        for what in wrong(joined):
            yield line, what
        for sentence in sentences(block):
            if OPENING.match(sentence):
                yield line, f"a sentence opens with {sentence.split()[0]}: {sentence[:50]}…"
            count = len(re.findall(r"[A-Za-z][\w'’-]*", sentence))
            if count > MOST_WORDS:
                yield line, f"a sentence of {count} words: {sentence[:50]}…"
    if path.parts[0] == "src" and path.suffix == ".c":
        code = sources.TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m[0]) if m[0][0] == "/" else m[0], text)
        for match in STRING.finditer(code):
            message = re.sub(r'"(?:\s|PRI\w+)*"', "", match[0])
            if " " in message:
                for what in wrong(message):
                    yield code.count("\n", 0, match.start()) + 1, what


def main():
    everything = [*sources.files(sys.argv[1], (".c", ".h", ".def")),
                  *sources.files(sys.argv[1], (".comp", ".glsl", ".h"), ("shaders",))]
    return sources.report([f"{path}:{line}: {what}" for path, text in everything for line, what in faults(path, text)])


sys.exit(main())
