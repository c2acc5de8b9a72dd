"""make_fumarole_json.py CAPTIONS.tsv OUT.json : the folder's fumarole.json with the names and words that the model was shown"""
import csv, json, re, sys

rows = list(csv.DictReader(open(sys.argv[1], encoding="utf8"), delimiter="\t", quoting=csv.QUOTE_NONE))
names = [r["name"].lower() for r in rows]
words = set()
for r in rows:
    words.update(w for w in re.findall(r"[^\W\d_]+", (r["name"] + " " + r["keywords"]).lower()) if len(w) > 2)
words -= {"the", "and", "with", "not", "for", "from"}

with open(sys.argv[2], "w", encoding="utf8") as f:
    json.dump({
        "name": "emoji",
        "description": "Draws 128x128 emoji from their names and near words; it does not compose scenes.",
        "license": "Apache-2.0 AND OFL-1.1 (pictures it was trained on; see README.md)",
        "origin": "Trained for this project on Noto Emoji by Google; names and keywords from Unicode CLDR.",
        "defaults": {"width": 128, "height": 128, "steps": 20, "guidance": 2.5, "sampler": "ddim"},
        "prompts": sorted(set(names)),
        "words": sorted(words),
    }, f, ensure_ascii=False, indent=0)
    f.write("\n")
