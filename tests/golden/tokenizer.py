#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Golden ids for the CLIP tokenizer, from transformers' CLIPTokenizer.

    tokenizer.py MODEL/tokenizer bpe_simple_vocab_16e6.txt OUT.json
    tokenizer.py --tables            prints the ranges of src/text/unicode_tables.h

OUT.json is {"strings": [...]}. Each string has t (the text) or x (its bytes in hexadecimal, where they hold NUL or are
not UTF-8), and the ids without start and end: e with MODEL's vocabulary; s and p with the same vocabulary in folders
like those of Stable Diffusion 1 and 2 (see FOLDERS), left out where equal to e; c with CLIP's vocabulary. Some have
d, the text that decoding e gives; those that do not fit MODEL's length have cut, the text that is left out.
"""
import json
import os
import random
import shutil
import sys
import tempfile

from tokenizers import Regex, normalizers, pre_tokenizers
from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"

# special_tokens_map.json of the two kinds of folder: "normalized" decides whether <|ENDOFTEXT|> counts.
TOKEN = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
FOLDERS = {
    "s": {"bos_token": {"content": START, **TOKEN}, "eos_token": {"content": END, **TOKEN}, "pad_token": END,
          "unk_token": {"content": END, **TOKEN}},
    "p": {"bos_token": {"content": START, **TOKEN}, "eos_token": {"content": END, **TOKEN}, "pad_token": "!",
          "unk_token": {"content": END, **TOKEN}},
}

WORDS = """a the of with in on and cat dog face smiling grinning astronaut riding horse photograph portrait oil
painting highly detailed 4k trending artstation unreal engine cinematic lighting masterpiece best quality greg
rutkowski watercolour sunset mountain river castle dragon knight woman man child robot neon cyberpunk city rain
emoji picture red heart thumbs up pizza slice rocket flag button arrow left ocean wave internationalisation
supercalifragilisticexpialidocious antidisestablishmentarianism bokeh f/1.8 50mm ISO-100 it's don't we're they've
I'm she'll he'd o'clock rock'n'roll John's 'quoted' "double" (brackets) [square] {curly} <tag> a/b c\\d e_f g-h
i.j k,l 3.14 1,000,000 2024-01-31 50% $9.99 #hashtag @user https://example.org/x?y=1&z=2 ...ellipsis wow!!! what?!
:-) ;) <3 -> => != == ** ~~ || && ^^ `code` one.two.three""".split()

SCRIPTS = """Füße|Größe|naïve café|Ångström|Łódź|İstanbul|IĞDIR|ığdır|Straße|STRASSE|ẞ|ΑΣΟΣ|ΟΔΥΣΣΕΥΣ ΣΟΦΟΣ|σς|Ελληνικά κείμενα
Русский текст|ЁЛКА ёлка|Україна їжак|Ђорђе Ћ|Հայերեն|ᲐᲑᲒ აბგ|Ⴀⴀ|עברית שָׁלוֹם|العربية السَّلامُ|فارسی گربه|اردو ٹ|हिन्दी बिल्ली क़|বাংলা ড়|தமிழ் பூனை
తెలుగు|ಕನ್ನಡ|മലയാളം|සිංහල|ไทย แมวน้ำ|ລາວ|မြန်မာ|ខ្មែរ|བོད་ཡིག|ᠮᠣᠩᠭᠣᠯ|አማርኛ|ᏣᎳᎩ ꮳꮃꭹ|ᓀᐦᐃᔭᐍᐏᐣ|ᚠᚢᚦᚨᚱᚲ|日本語の猫|ひらがな カタカナ|ｶﾀｶﾅ ﾊﾟﾋﾟ|がぎぐ|ぱぴぷ
한국어 고양이|한국어|中文猫咪 繁體字|漢字｡、「」|Ａｂｃ１２３|𠮷野家|𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒜𝓃𝒹 𝟙𝟚𝟛|Ⅷ ⅷ ½ ² ₃ ① ㊙ ㍿|ﬁ ﬂ ﬀ|Å Å Å|ñ ñ|ự ự ự|ǅ Ǆ ǆ|Kelvin K Ω Ω
¡Hola! ¿Qué?|«guillemets» „quotes“ ‚x‘|– — ― … · • † ‡|€ £ ¥ ₹ ₿ ¢|© ® ™ § ¶|± × ÷ ≠ ≤ ∞ ∑ √|← ↑ → ↓ ⇒|½¾⅓|10⁻³ x² H₂O|a‌b a‍b|soft­hyphen
don’t it’s ‘s ʼs|'S 'T 'RE 'VE 'M 'LL 'D|''s '''s 's's 're're|x's's y'lls|'sa 'ta 'rea|' s ' t|l'été d'où|O'Neil's|𐐀𐐨 𞤀𞤢|Ǹ ǹ Ȧ́|ཱི ཱུ|֑ׄ|ᾳ ᾼ ΐ|ſ ẛ ẛ̣""".replace("\n", "|").split("|")

EMOJI = """😀 😂 🥹 👍 👍🏽 👨‍👩‍👧‍👦 👩🏿‍🚀 🏳️‍🌈 🏴‍☠️ 🇩🇪 🇺🇳🇯🇵 ❤️ ❤ ☺️ ☺ 1️⃣ #️⃣ ©️ 🧑‍🤝‍🧑 🐈‍⬛ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ♾️ 🫠 🩷 🫨 ⌚︎ 🕵🏻‍♀️""".split()

SPACES = [" ", "  ", "\t", "\n", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u1680", "\u180e",
          "\u2000", "\u2003", "\u2009", "\u200a", "\u200b", "\u200c", "\u200d", "\u2028", "\u2029", "\u202f", "\u205f",
          "\u2060", "\u3000", "\ufeff"]

SPECIAL = [START, END, START.upper(), "<|EndOfText|>", "<|endoftext|", "|endoftext|>", "<|endoftext|>>", "<<|endoftext|>",
           "!<|endoftext|>!", "<|startoftext|>!!", "a<|endoftext|>b", "<|endoftext|><|startoftext|>", "</w>", "cat</w>",
           "<|pad|>", "!", "!!", "!!!", "a!", "!a", "! !", "<|ENDOFTEXT|>!!", "<|Startoftext|>'s", "e\u0301<|endoftext|>\u0301"]

# Bytes that are not UTF-8, and NUL.
BYTES = [b"\xff", b"a\x80b", b"caf\xe9", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xf0\x9f\x98 x", b"\xed\xa0\x80",
         b"\xed\xb0\x80cat", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe0\x80\xaf", b"\xe2\x28\xa1",
         b"ok \xe2\x82\xac \xe2\x82", b"\x00", b"a\x00b", b"\x00\x00 cat", b"\xfe\xff\x00a", b"\xf1\x80\x80\xe1\x80\xc2",
         b"smiling \xc3\x28 cat", bytes(range(256)), bytes(range(128, 256))]


def inverse(text, rng):
    return "".join(c.upper() if rng.random() < .5 else c.swapcase() for c in text)


def strings():
    import unicodedata
    rng = random.Random(20261121)
    out = ["", " ", "a", "cat", "smiling cat face", "A photograph of an astronaut riding a horse."]
    for items in (WORDS, SCRIPTS, EMOJI, SPECIAL, SPACES):
        out += items
    for item in SCRIPTS:
        out += [unicodedata.normalize("NFD", item), unicodedata.normalize("NFKC", item), item.upper(), item.title()]
    out += ["cat" + space + "dog" + space for space in SPACES]
    out += [a + b for a in EMOJI for b in (" cat", "cat", "️", EMOJI[3])]
    for _ in range(420):  # prose
        out.append(" ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 14))))
    for _ in range(120):
        out.append(inverse(", ".join(rng.choice(WORDS) for _ in range(rng.randint(2, 8))), rng))
    for _ in range(220):  # anything next to anything
        pool = rng.choice([WORDS + SCRIPTS, SCRIPTS + EMOJI, WORDS + SPECIAL, EMOJI + SPECIAL + SCRIPTS])
        out.append("".join(rng.choice(pool) + rng.choice(SPACES + [""] * 12) for _ in range(rng.randint(2, 9))))
    for _ in range(140):  # runs of punctuation and digits
        out.append("".join(rng.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~0123456789 a") for _ in range(rng.randint(1, 24))))
    for _ in range(60):
        out.append("".join(rng.choice("'strevmld SX") for _ in range(rng.randint(2, 12))))
    for _ in range(60):  # control characters
        out.append("".join(chr(rng.randrange(1, 0xa1)) for _ in range(rng.randint(1, 10))))
    blocks = [(0x80, 0x250), (0x300, 0x370), (0x370, 0x530), (0x530, 0x780), (0x900, 0xe00), (0xe00, 0x1200), (0x1200, 0x2000),
              (0x2000, 0x2c00), (0x2c00, 0x3100), (0x3100, 0xa000), (0xa000, 0xac00), (0xac00, 0xd7ff), (0xe000, 0x10000),
              (0x10000, 0x12000), (0x12000, 0x1f000), (0x1f000, 0x20000), (0x20000, 0x110000)]
    for first, last in blocks:
        for _ in range(22):
            out.append("".join(chr(rng.randrange(first, last)) for _ in range(rng.randint(1, 6))))
    marks = [chr(c) for c in range(0x300, 0x1f000) if unicodedata.combining(chr(c))]
    marks += [chr(c) for c in (0x897, 0x1abf, 0x1ace, 0x8ca, 0x10ec, 0x1611e, 0x11930, 0x16d67, 0x1e08f)]
    for _ in range(110):  # combining marks in any order
        out.append(rng.choice("aeiouAEIOUcCsSıİ가ねカक") + "".join(rng.choice(marks) for _ in range(rng.randint(1, 7))))
    for a, b in ((0x105d2, 0x307), (0x11935, 0x11930), (0x1611e, 0x1611e), (0x16d67, 0x16d67), (0x11382, 0x113c9)):
        out.append("a" + chr(a) + chr(b) + "\u0301")
    for code in (0x1c89, 0xa7cb, 0xa7ce, 0xa7da, 0xa7dc, 0x10d50, 0x16ea0, 0x130, 0x1e9e, 0x3a3, 0x1f88, 0x2c2f, 0x10400):
        out += [chr(code), "x" + chr(code) + "x"]
    for n in (40, 75, 76, 77, 78, 120):  # longer than any prompt may be
        out += [" ".join(["cat"] * n), "a" * n, "1" * n, "!" * n, "猫" * (n // 3), "😀" * (n // 4)]
    for _ in range(24):
        out.append(" ".join(rng.choice(WORDS + SCRIPTS) for _ in range(rng.randint(40, 110))))
    seen, unique = set(), []
    for text in out:
        text = text.encode("utf-8", errors="replace").decode()
        if text not in seen:
            seen.add(text)
            unique.append(text)
    return unique


def folder_like(model, special_map, where):
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(os.path.join(model, name), where)
    with open(os.path.join(where, "special_tokens_map.json"), "w") as f:
        json.dump(special_map, f)
    with open(os.path.join(where, "tokenizer_config.json"), "w") as f:
        json.dump({"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True}, f)
    return CLIPTokenizer.from_pretrained(where)


def clip(path):
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")[1:49152 - 256 - 2 + 1]
    chars = [chr(c) for c in list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))]
    chars += [chr(256 + i) for i in range(256 - len(chars))]
    merges = [tuple(line.split()) for line in lines]
    pieces = chars + [c + "</w>" for c in chars] + ["".join(m) for m in merges] + [START, END]
    return CLIPTokenizer(vocab={p: i for i, p in enumerate(pieces)}, merges=merges, model_max_length=77)


def golden(model, clip_path, out):
    own = CLIPTokenizer.from_pretrained(model)
    with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
        others = {k: folder_like(model, FOLDERS[k], d) for k, d in zip(FOLDERS, (a, b))}
    others["c"] = clip(clip_path)
    rows = []
    items = [(text, {"t": text}) for text in strings()]
    items += [(raw.decode("utf-8", errors="replace"), {"x": raw.hex()}) for raw in BYTES]
    for i, (text, row) in enumerate(items):
        ids = own(text).input_ids
        row["e"] = ids[1:-1]
        for key, tokenizer in others.items():
            other = tokenizer(text).input_ids[1:-1]
            if key == "c" or other != row["e"]:
                row[key] = other
        if i % 6 == 0 and "\0" not in text:
            row["d"] = own.decode(ids[1:-1])
        limit = own.model_max_length
        if len(ids) > limit and "\0" not in text:
            row["cut"] = own.batch_decode([ids[limit - 1:-1]])[0]
        rows.append(row)
    with open(out, "w", encoding="utf-8") as f:
        f.write('{"strings": [\n')
        f.write(",\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in rows))
        f.write("\n]}\n")
    print(f"{len(rows)} strings")


def ranges(codes):
    out = []
    for c in codes:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return ", ".join("{0x%x, 0x%x}" % (a, b) for a, b in out)


def tables():
    """The old tables are Python 3.11's (Unicode 14); the new ones those of the package unicodedata2."""
    import unicodedata
    import unicodedata2
    codes = [c for c in range(1, 0x110000) if not 0xd800 <= c < 0xe000]
    letter, number = (pre_tokenizers.Split(Regex(p), "removed") for p in (r"\p{L}", r"\p{N}"))
    letters = {c for c in codes if not letter.pre_tokenize_str(chr(c))}
    numbers = {c for c in codes if not number.pre_tokenize_str(chr(c))}
    print("new_letters:", ranges(c for c in codes if c in letters and unicodedata.category(chr(c))[0] != "L"))
    print("new_numbers:", ranges(c for c in codes if c in numbers and unicodedata.category(chr(c))[0] != "N"))
    print("later_characters:", ranges(c for c in codes if c not in letters and c not in numbers
                                      and unicodedata2.category(chr(c))[0] in "LN"))
    nfc, lower, inert = normalizers.NFC(), normalizers.Lowercase(), set()
    for c in codes:
        for s in (chr(c), "a%c\u0334" % c, "a\u0345%c" % c, "a\u0345\u0315%c\u0334%c" % (c, c), "\u1100%c" % c):
            if nfc.normalize_str(s) != unicodedata2.normalize("NFC", s):
                inert.add(c)
        pair = unicodedata2.decomposition(chr(c))
        if pair and pair[0] != "<":
            s = unicodedata2.normalize("NFD", chr(c))
            if nfc.normalize_str(s) != unicodedata2.normalize("NFC", s):
                first, last = pair.split()[0], pair.split()[-1]
                inert |= {c, int(first if last == "0307" else last, 16)}
    print("inert_characters:", ranges(sorted(inert)))
    print("new_lower:", [(hex(c), hex(ord(lower.normalize_str(chr(c))[0]))) for c in codes
                         if lower.normalize_str(chr(c)) != chr(c).lower()])


if __name__ == "__main__":
    if sys.argv[1:] == ["--tables"]:
        tables()
    elif len(sys.argv) == 4:
        golden(*sys.argv[1:])
    else:
        sys.exit(__doc__)
