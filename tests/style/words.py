#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""words.py ROOT: checks comments of C and GLSL, messages for users and documents against the wording rules of
CONTRIBUTING.md."""
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


def sentence_faults(sentence):
    if OPENING.match(sentence):
        yield f"a sentence opens with {sentence.split()[0]}: {sentence[:50]}…"
    count = len(re.findall(r"[A-Za-z][\w'’-]*", sentence))
    if count > MOST_WORDS:
        yield f"a sentence of {count} words: {sentence[:50]}…"


def paragraphs(text):
    """Lists a document's paragraphs and items of lists as (line, text), without headings, tables and code."""
    text = re.sub(r"^```.*?^```", lambda m: re.sub(r"[^\n]", "", m[0]), text, flags=re.S | re.M)
    start, block = 1, []
    for number, line in enumerate(text.split("\n") + [""], 1):
        plain = re.match(r"\s*$|#|\s*\||    |<", line)
        item = re.match(r"\s*(?:[-*]|\d+\.) ", line)
        if block and (plain or item):
            yield start, " ".join(block)
            block = []
        if plain:
            continue
        if not block:
            start = number
        block.append(line[item.end():] if item else line.strip())


def document_faults(path, text):
    # A document that states the rules quotes what they forbid.
    for line, paragraph in paragraphs(text) if path.name != "CONTRIBUTING.md" else ():
        plain = re.sub(r"`[^`]*`", "`x`", re.sub(r"\]\([^)]*\)", "]", paragraph))
        for what in wrong(plain):
            yield line, what
        for sentence in re.split(r"(?<=[.!?…])\s+(?=\S)", plain):
            for what in sentence_faults(sentence):
                yield line, what


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
            for what in sentence_faults(sentence):
                yield line, what
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
    root = pathlib.Path(sys.argv[1])
    documents = [(path.relative_to(root), path.read_text(encoding="utf8")) for path in sorted(root.glob("*.md"))]
    documents += sources.files(root, (".md",), ("docs", "tests", "third_party", "shaders"))
    found = [(path, fault) for path, text in everything for fault in faults(path, text)]
    found += [(path, fault) for path, text in documents for fault in document_faults(path, text)]
    return sources.report([f"{path}:{line}: {what}" for path, (line, what) in found])


sys.exit(main())
