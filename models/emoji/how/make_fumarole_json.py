"""make_fumarole_json.py CAPTIONS.tsv OUT.json: writes the folder's fumarole.json, with the names that the model was shown
and, for each name, the further words of its CLDR keywords"""
import csv, json, re, sys

rows = list(csv.DictReader(open(sys.argv[1], encoding="utf8"), delimiter="\t", quoting=csv.QUOTE_NONE))

def words(text):
    return set(re.findall(r"[^\W\d_]+", text.lower()))


keywords = {}
for r in rows:
    name = r["name"].lower()
    keywords.setdefault(name, set()).update(words(r["keywords"]) - words(name))
names = sorted(keywords)

with open(sys.argv[2], "w", encoding="utf8") as f:
    json.dump({
        "name": "emoji",
        "description": "Draws 128x128 emoji from their names and near words; it does not compose scenes.",
        "license": "Apache-2.0 AND OFL-1.1 (pictures it was trained on; see README.md)",
        "origin": "Trained for this project on Noto Emoji by Google; names and keywords from Unicode CLDR.",
        "defaults": {"width": 128, "height": 128, "steps": 20, "guidance": 2.5, "sampler": "ddim"},
        "prompts": names,
        "keywords": [" ".join(sorted(keywords[name])) for name in names],
    }, f, ensure_ascii=False, indent=0)
    f.write("\n")
