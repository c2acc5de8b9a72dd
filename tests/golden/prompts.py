#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An implementation of A1111's prompt grammar that shares nothing with fumarole, and prompts to compare both on.

    prompts.py MODEL/tokenizer OUT.json                  writes the sample that the tests read
    prompts.py MODEL/tokenizer --compare FUMAROLE COUNT  compares COUNT prompts with `FUMAROLE tokenize`

It needs lark and transformers. Schedules are read by the grammar of A1111's prompt_parser.py with lark's Earley parser,
emphasis by the regular expressions of parse_prompt_attention, and chunks as FrozenCLIPEmbedderWithCustomWords makes them.
What is fixed otherwise: BREAK counts inside brackets, a trailing number is a weight only beside AND, and a prompt of
weight -1 is no break.
"""
import json
import random
import re
import subprocess
import sys

import lark

GRAMMAR = r"""
!start: (prompt | /[][():]/+)*
prompt: (emphasized | scheduled | alternate | plain | WHITESPACE)*
!emphasized: "(" prompt ")"
        | "(" prompt ":" prompt ")"
        | "[" prompt "]"
scheduled: "[" [prompt ":"] prompt ":" [WHITESPACE] NUMBER [WHITESPACE] "]"
alternate: "[" prompt ("|" [prompt])+ "]"
WHITESPACE: /\s+/
plain: /([^\\\[\]():|]|\\.)+/
%import common.SIGNED_NUMBER -> NUMBER
"""
SCHEDULES = lark.Lark(GRAMMAR)
FIRM = lark.Lark(GRAMMAR.replace("scheduled:", "scheduled.2:").replace("alternate:", "alternate.2:"))
ATTENTION = re.compile(r"\\\(|\\\)|\\\[|\\]|\\\\|\\|\(|\[|:\s*([+-]?[.\d]+)\s*\)|\)|]|[^\\()\[\]:]+|:")
BREAK = re.compile(r"\s*\bBREAK\b\s*", re.S)
AND = re.compile(r"\bAND\b")
WEIGHT = re.compile(r"^((?:\s|.)*?)(?:\s*:\s*([-+]?(?:\d+\.?|\d*\.\d+)))?\s*$")


def split(prompt):
    """[(text, weight)] of the parts that AND joins."""
    parts = AND.split(prompt)
    if len(parts) == 1:
        return [(prompt, 1.0)]
    found = [WEIGHT.search(part).groups() for part in parts]
    return [(text, 1.0 if weight is None else float(weight)) for text, weight in found]


def schedule(prompt, steps, parser=SCHEDULES):
    """[(last step, text)]."""
    try:
        tree = parser.parse(prompt)
    except lark.exceptions.LarkError:
        return [(steps, prompt)]
    ends = {steps}

    class Collect(lark.Visitor):
        def scheduled(self, tree):
            number = tree.children[-2]
            when = float(number) * steps if "." in number else float(number)
            tree.children[-2] = min(steps, int(when))
            if tree.children[-2] >= 1:
                ends.add(tree.children[-2])

        def alternate(self, tree):
            ends.update(range(1, steps + 1))

    class At(lark.Transformer):
        def __init__(self, step):
            super().__init__()
            self.step = step

        def scheduled(self, args):
            before, after, _, when, _ = args
            yield before or () if self.step <= when else after

        def alternate(self, args):
            args = ["" if not arg else arg for arg in args]
            yield args[(self.step - 1) % len(args)]

        def start(self, args):
            def flatten(x):
                if isinstance(x, str):
                    yield x
                else:
                    for inner in x:
                        yield from flatten(inner)
            return "".join(flatten(args))

        def plain(self, args):
            yield args[0].value

        def __default__(self, data, children, meta):
            yield from children

    Collect().visit(tree)
    return [(step, At(step).transform(tree)) for step in sorted(ends)]


def weigh(text):
    """[[text, weight]], where a text of None is a break."""
    out, round_open, square_open = [], [], []

    def multiply(first, factor):
        for piece in out[first:]:
            piece[1] *= factor

    for match in ATTENTION.finditer(text):
        sign, weight = match.group(0), match.group(1)
        if sign.startswith("\\"):
            out.append([sign[1:], 1.0])
        elif sign == "(":
            round_open.append(len(out))
        elif sign == "[":
            square_open.append(len(out))
        elif weight is not None and round_open:
            multiply(round_open.pop(), float(weight))
        elif sign == ")" and round_open:
            multiply(round_open.pop(), 1.1)
        elif sign == "]" and square_open:
            multiply(square_open.pop(), 1 / 1.1)
        else:
            for i, part in enumerate(BREAK.split(sign)):
                if i:
                    out.append([None, 1.0])
                out.append([part, 1.0])
    for first in round_open:
        multiply(first, 1.1)
    for first in square_open:
        multiply(first, 1 / 1.1)
    i = 0
    while i + 1 < len(out):
        if out[i][0] is not None and out[i + 1][0] is not None and out[i][1] == out[i + 1][1]:
            out[i][0] += out.pop(i + 1)[0]
        else:
            i += 1
    return out or [["", 1.0]]


def chunk(pieces, encode, marks, length=75, back=20):
    """[(ids, weights)] of whole chunks. `encode` gives the ids of a text; `marks` has start, end, pad and comma."""
    chunks, ids, weights, comma = [], [], [], -1

    def close():
        nonlocal ids, weights, comma
        fill = length - len(ids)
        whole = [marks["start"]] + ids + [marks["end"]] * (fill + 1)
        if marks["pad"] != marks["end"]:
            first = whole.index(marks["end"])
            whole[first + 1:] = [marks["pad"]] * (len(whole) - first - 1)
        chunks.append((whole, [1.0] + weights + [1.0] * (fill + 1)))
        ids, weights, comma = [], [], -1

    for text, weight in pieces:
        if text is None:
            close()
            continue
        for token in encode(text):
            if token == marks["comma"]:
                comma = len(ids)
            elif len(ids) == length and comma != -1 and len(ids) - comma <= back:
                moved, moved_weights = ids[comma + 1:], weights[comma + 1:]
                ids, weights = ids[:comma + 1], weights[:comma + 1]
                close()
                ids, weights = moved, moved_weights
            if len(ids) == length:
                close()
            ids.append(token)
            weights.append(weight)
    if ids or not chunks:
        close()
    return chunks


def rows(prompt, steps, encode, marks):
    """What fumarole tokenize prints, as objects."""
    out = []
    for text, weight in split(prompt):
        for until, now in schedule(text, steps):
            row = {} if weight == 1 else {"weight": weight}
            if until < steps:
                row["until"] = until
            row["chunks"] = [{"ids": ids, "weights": weights} for ids, weights in chunk(weigh(now), encode, marks, marks["length"])]
            out.append(row)
    return out


WORDS = """a the cat dog face, red heart, blue, smiling, with an astronaut riding horse, masterpiece, best quality,
highly detailed, 8k, café 日本語 don't, 3.14, UPPER Grinning, pizza slice, and, rocket; ocean-wave flag! x""".split()
NUMBERS = ["1.3", "0.5", "1", "3", ".25", "1.", "-0.5", "+1.2", "0", "10", "0.0", "1e1", "2.5", "100", "0.999", "2:3", "x", ""]


def text(rng, most=6):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(0, most)))


def tree(rng, depth):
    """A piece of a prompt; some are damaged on purpose."""
    inner = lambda: " ".join(tree(rng, depth - 1) for _ in range(rng.randint(0, 3))) if depth else text(rng)
    space = lambda: rng.choice(["", "", " ", "  "])
    number = lambda: rng.choice(["5", "0.5", "3", ".3", "1.5", "12", "0.25", rng.choice(NUMBERS)])
    kind = rng.randrange(14)
    if kind < 5:
        return text(rng)
    if kind == 5:
        return f"({inner()})"
    if kind == 6:
        return f"[{inner()}]"
    if kind == 7:
        return f"({inner()}:{space()}{rng.choice(['1.3', '0.7', '1.21', '2', rng.choice(NUMBERS[:-2])])}{space()})"
    if kind == 8:
        return f"[{inner()}:{inner()}:{space()}{number()}{space()}]"
    if kind == 9:
        return f"[{inner()}:{number()}]"
    if kind == 10:
        return "[" + "|".join(inner() for _ in range(rng.randint(2, 4))) + "]"
    if kind == 11:
        return rng.choice(["BREAK", " BREAK ", "BREAK BREAK", "BREAKFAST", "(x BREAK y)", "a\\(b\\)", "\\[", "\\\\", "C:\\dir"])
    if kind == 12:
        return rng.choice(["(", ")", "[", "]", ":", ":)", "|", "\\", "((", "]]", ":1.2)", "[:", "AND", "\n"])
    return text(rng, 40)


def prompt(rng):
    parts = [" ".join(tree(rng, rng.randint(0, 3)) for _ in range(rng.randint(1, 6))) for _ in range(rng.choice([1, 1, 1, 1, 2, 3]))]
    if rng.random() < 0.3:
        parts[0] += ", " + text(rng, 120)
    ends = ["", "", " :0.7", ":1.5 ", " : 2.", ":-1", ": .5", ":x"]
    return " AND ".join(part + rng.choice(ends) for part in parts)


def good(prompt):
    """True for prompts that A1111 reads without an exception and without an accident. (x:1.2.3) and [a:1e999] end it.
    Beside two loose brackets or colons, as in "[a:5]::", lark's choice between readings is arbitrary: a rule's priority
    changes it."""
    try:
        for part, _ in split(prompt):
            found = schedule(part, 10)
            if found != schedule(part, 10, FIRM) or re.search(r"[][():]{2}.*\d\s*\][][():]{2}", part, re.S):
                return False
            for _, now in found:
                weigh(now)
    except (ValueError, OverflowError):
        return False
    return True


def prompts(count, seed):
    rng = random.Random(seed)
    out = []
    while len(out) < count:
        one = prompt(rng)
        if len(one) < 1200 and good(one):
            out.append((one, rng.choice([1, 4, 10, 20])))
    return out


def open_tokenizer(folder):
    from transformers import CLIPTokenizer
    t = CLIPTokenizer.from_pretrained(folder)
    marks = {"start": t.bos_token_id, "end": t.eos_token_id, "pad": t.pad_token_id, "comma": t.get_vocab().get(",</w>", -1),
             "length": t.model_max_length - 2}
    return lambda text: t(text, add_special_tokens=False, truncation=False, verbose=False)["input_ids"], marks


def compare(folder, program, count):
    encode, marks = open_tokenizer(folder)
    bad = 0
    for one, steps in prompts(count, 1):
        done = subprocess.run([program, "tokenize", "-m", folder + "/..", "--steps", str(steps), f"--prompt={one}"],
                              capture_output=True, text=True)
        got = [json.loads(line) for line in done.stdout.splitlines()]
        want = rows(one, steps, encode, marks)
        if got != want:
            bad += 1
            if bad < 6:
                print(f"differs: {one!r} at {steps} steps\n  got  {str(got)[:600]}\n  want {str(want)[:600]} {done.stderr}")
    print(f"{count} prompts, {bad} differ")
    return bad != 0


def sample(folder, path):
    encode, marks = open_tokenizer(folder)
    fixed = ["", "a [b:3]", "a [b:.5] c", "((a][:b:c [d:3]", "[fe|]male", "[a|(b:1.1)]", "a BREAK", "BREAK a", "BREAK",
             "(a BREAK b:1.3)", "a :1.2", "a :1.2 AND b AND c:0.5", "[cat:dog:0.5] AND [a|b]:2", "x | y [a:b:3]", "a [unbalanced"]
    found, seen = [], 0
    for one, steps in [(p, 10) for p in fixed] + prompts(500, 2):
        lines = rows(one, steps, encode, marks)
        if len(json.dumps(lines)) > 6000:
            continue
        # Padding is left out: the tests know it.
        for row in lines:
            for c in row["chunks"]:
                last = max([0] + [i for i, (id, w) in enumerate(zip(c["ids"], c["weights"]))
                                  if (id != marks["pad"] or w != 1)])
                c["ids"], c["weights"] = c["ids"][1:last + 1], c["weights"][1:last + 1]
        found.append({"prompt": one, "steps": steps, "rows": lines})
        seen += 1
        if seen == 150:
            break
    with open(path, "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in found) + "\n]\n")


if __name__ == "__main__":
    if sys.argv[2] == "--compare":
        sys.exit(compare(sys.argv[1], sys.argv[3], int(sys.argv[4])))
    sample(sys.argv[1], sys.argv[2])
