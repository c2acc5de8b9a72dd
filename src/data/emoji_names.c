// SPDX-License-Identifier: MIT
#include "data/emoji_names.h"

#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "data/cldr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELD_SHARE = 20, JOINER = 0x200d };

// Where systems keep CLDR's folder `common`.
static const char *const cldr_folders[] = {
    "/usr/share/unicode/cldr/common",
    "/usr/local/share/unicode/cldr/common",
    "/usr/share/cldr/common",
};
// Pairs of a colour and a shape, each of which other names have.
static const char *const pairs[] = {
    "green heart", "purple circle", "orange square",      "yellow square",
    "crying cat",  "blue book",     "red apple",          "cat with wry smile",
    "pouting cat", "new moon face", "large blue diamond", "smiling face with sunglasses",
};

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the names of emoji");
}

// ---- texts ----

// Signs that CLDR's names have and captions do without, and what stands for them.
static const struct {
    uint32_t code;
    const char *plain;
} plain_signs[] = {{0x2019, "'"}, {0x201c, ""}, {0x201d, ""}, {0x229b, ""},
                   {'\t', " "},   {'\n', " "},  {'\r', " "},  {0xa0, " "}};
static const struct {
    uint32_t code;
    const char *plain;
} plain_letters[] = {{0xf1, "n"}, {0xe9, "e"}, {0xe3, "a"}};

// Copies bytes of a text with plain signs, and in English plain letters.
static char *copy_plain(fum_arena *arena, const char *text, size_t bytes, bool english) {
    char *copy = fum_arena_alloc(arena, bytes + 1, 1);
    size_t n = 0, used;
    for (size_t at = 0; at < bytes && copy; at += used) {
        uint32_t code = fum_utf8_next(text + at, bytes - at, &used);
        const char *plain = NULL;
        for (size_t i = 0; i < FUM_COUNT(plain_signs); i++)
            if (plain_signs[i].code == code) plain = plain_signs[i].plain;
        for (size_t i = 0; i < FUM_COUNT(plain_letters) && english; i++)
            if (plain_letters[i].code == code) plain = plain_letters[i].plain;
        size_t length = plain ? strlen(plain) : used;
        memcpy(copy + n, plain ? plain : text + at, length);
        n += length;
    }
    while (copy && n && copy[n - 1] == ' ') n--;
    if (copy) copy[n] = 0;
    return copy;
}

static bool is_ascii(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text >= 0x80) return false;
    return true;
}

static bool same_letters(const char *a, size_t bytes, const char *b) {
    for (size_t i = 0; i < bytes; i++) {
        char x = a[i] >= 'A' && a[i] <= 'Z' ? (char)(a[i] + 32) : a[i];
        char y = b[i] >= 'A' && b[i] <= 'Z' ? (char)(b[i] + 32) : b[i];
        if (x != y) return false;
    }
    return b[bytes] == 0;
}

// True if a list separated by ", " has this word.
static bool has_word(const char *list, const char *word) {
    while (*list) {
        size_t bytes = strcspn(list, ",");
        if (same_letters(list, bytes, word)) return true;
        list += bytes + (list[bytes] ? 2 : 0);
    }
    return false;
}

// Copies CLDR's keywords: those that the name does not repeat, each once, separated by ", ".
static char *copy_keywords(fum_arena *arena, const char *keywords, const char *name, bool english) {
    size_t bytes = strlen(keywords), n = 0;
    char *list = fum_arena_alloc(arena, bytes * 2 + 1, 1);
    for (const char *at = keywords; list && *at;) {
        at += strspn(at, " |,");
        size_t length = strcspn(at, "|,");
        char *word = copy_plain(arena, at, length, english);
        if (!word) return NULL;
        at += length;
        bool left_out = !*word || (english && !is_ascii(word)) ||
                        same_letters(word, strlen(word), name) || has_word(list, word);
        if (left_out) continue;
        n += (size_t)sprintf(list + n, "%s%s", n ? ", " : "", word);
    }
    return list;
}

// ---- the list ----

// Decodes the characters of an entry. None if there are too many.
static struct fum_emoji_codes decode(const char *text) {
    struct fum_emoji_codes codes = {.count = 0};
    size_t bytes = strlen(text), used;
    for (size_t at = 0; at < bytes; at += used) {
        if (codes.count == FUM_EMOJI_CODES) return (struct fum_emoji_codes){.count = 0};
        codes.codes[codes.count++] = fum_utf8_next(text + at, bytes - at, &used);
    }
    return codes;
}

// True for flags and for variants by skin tone, which have a character of these.
static bool has_left_out(const struct fum_emoji_codes *e) {
    static const struct {
        uint32_t first, last;
    } left_out[] = {
        {0x1f1e6, 0x1f1ff}, // regional indicators, of which flags are made
        {0x1f3fb, 0x1f3ff}, // skin tones
        {0xe000, 0xf8ff},   // private use
        {0xe0020, 0xe007f}, // tags of flags
    };
    for (int i = 0; i < e->count; i++)
        for (size_t k = 0; k < FUM_COUNT(left_out); k++)
            if (e->codes[i] >= left_out[k].first && e->codes[i] <= left_out[k].last) return true;
    return false;
}

// True for variants of other emoji by gender and direction, and for families and couples.
static bool is_variant(const struct fum_emoji_codes *e) {
    enum { MAN = 0x1f468, WOMAN = 0x1f469, PERSON = 0x1f9d1, RIGHTWARDS = 0x27a1 };
    int joiners = 0;
    bool rightwards = false;
    for (int i = 0; i < e->count; i++) {
        joiners += e->codes[i] == JOINER;
        rightwards = rightwards || e->codes[i] == RIGHTWARDS;
    }
    uint32_t first = e->codes[0], last = e->codes[e->count - 1];
    if (e->count == 1) return false;
    if (joiners && (last == 0x2640 || last == 0x2642)) return true; // the signs of gender
    return rightwards || (joiners && (first == MAN || first == WOMAN)) ||
           (first == PERSON && joiners > 1);
}

// True if an entry may be an emoji of the list: a character that is no letter, or a sequence.
static bool is_listed(const struct fum_cldr_entry *entry, const struct fum_emoji_codes *e) {
    if (!entry->name || !e->count || has_left_out(e) || is_variant(e)) return false;
    bool hair = e->codes[0] >= 0x1f9b0 && e->codes[0] <= 0x1f9b3;
    return e->count > 1 || (e->codes[0] >= 0x80 && !hair);
}

// True for series of which the pictures hardly differ, or hold nothing but writing.
static bool is_series(const char *name) {
    size_t n = strlen(name);
    return !strncmp(name, "Japanese \xe2\x80\x9c", 12) ||
           (n > 7 && !strcmp(name + n - 7, "-thirty"));
}

// Returns the part that a picture is in: its name decides, or the hash of its file's name
// modulo 20.
static const char *split_of(const char *name, const char *file) {
    struct fum_sha256 sha;
    char digest[FUM_SHA256_TEXT];
    unsigned rest = 0;
    for (size_t i = 0; i < FUM_COUNT(pairs); i++)
        if (!strcmp(pairs[i], name)) return "comp";
    fum_sha256_begin(&sha);
    fum_sha256_add(&sha, file, strlen(file));
    fum_sha256_end(&sha, digest);
    for (const char *p = digest; *p; p++)
        rest = (rest * 16 + (unsigned)(*p <= '9' ? *p - '0' : *p - 'a' + 10)) % HELD_SHARE;
    return rest ? "train" : "held";
}

struct listing {
    struct fum_emoji_names *names;
    struct fum_emoji_groups groups;
    size_t capacity;
    bool english;
};

// Adds an emoji with the texts of an entry, unless it is of a series that is left out.
static enum fum_result add_emoji(struct listing *l, const struct fum_cldr_entry *entry,
                                 const struct fum_emoji_codes *codes, struct fum_error *err) {
    fum_arena *arena = l->names->arena;
    struct fum_emoji emoji = {.codes = *codes, .keywords = ""};
    emoji.file = fum_emoji_codes_file(arena, codes);
    if (!emoji.file) return no_memory(err);
    const struct fum_emoji_group *group = fum_emoji_groups_find(&l->groups, emoji.file);
    // with the list of groups, what it lacks is no emoji
    if (is_series(entry->name) || (l->groups.count && !group)) return FUM_OK;
    emoji.group = group ? group->group : "";
    emoji.subgroup = group ? group->subgroup : "";
    emoji.name = copy_plain(arena, entry->name, strlen(entry->name), l->english);
    if (emoji.name && entry->keywords)
        emoji.keywords = copy_keywords(arena, entry->keywords, emoji.name, l->english);
    if (!emoji.name || !emoji.keywords ||
        !fum_grow((void **)&l->names->emoji, &l->capacity, l->names->count, sizeof emoji))
        return no_memory(err);
    emoji.split = split_of(emoji.name, emoji.file);
    l->names->emoji[l->names->count++] = emoji;
    return FUM_OK;
}

static int compare_files(const void *a, const void *b) {
    return strcmp(((const struct fum_emoji *)a)->file, ((const struct fum_emoji *)b)->file);
}

// Reads the annotations of a language, and those that CLDR derives from others where it has them.
static enum fum_result read_annotations(struct fum_cldr *entries, const char *folder,
                                        const char *language, struct fum_error *err) {
    const char *path = fum_arena_printf(entries->arena, "%s/annotations/%s.xml", folder, language);
    const char *derived =
        fum_arena_printf(entries->arena, "%s/annotationsDerived/%s.xml", folder, language);
    if (!path || !derived) return no_memory(err);
    enum fum_result result = fum_cldr_read(entries, path, err);
    if (result || !fum_path_may_exist(derived)) return result;
    return fum_cldr_read(entries, derived, err);
}

// Finds the folder that has annotations of a language.
static enum fum_result find_folder(fum_arena *arena, const char *language, const char **folder,
                                   struct fum_error *err) {
    size_t count = *folder ? 1 : FUM_COUNT(cldr_folders);
    const char *path = NULL;
    for (size_t i = 0; i < count; i++) {
        const char *dir = *folder ? *folder : cldr_folders[i];
        path = fum_arena_printf(arena, "%s/annotations/%s.xml", dir, language);
        if (!path) return no_memory(err);
        if (!fum_path_may_exist(path)) continue;
        *folder = dir;
        return FUM_OK;
    }
    return fum_error_set(err, FUM_ERR_IO,
                         "no names of emoji: %s is missing; install CLDR (Debian: "
                         "unicode-cldr-core) or name its folder `common`",
                         path);
}

enum fum_result fum_emoji_names_read(struct fum_emoji_names *names, const char *cldr,
                                     const char *language, struct fum_error *err) {
    struct fum_cldr entries = {.arena = names->arena};
    struct listing l = {
        .names = names, .groups.arena = names->arena, .english = !strncmp(language, "en", 2)};
    enum fum_result result = find_folder(names->arena, language, &cldr, err);
    if (!result) result = read_annotations(&entries, cldr, language, err);
    if (!result) result = fum_emoji_groups_read(&l.groups, err);
    for (size_t i = 0; i < entries.count && !result; i++) {
        const struct fum_cldr_entry *entry = &entries.entries[i];
        const struct fum_emoji_codes codes = decode(entry->text);
        if (is_listed(entry, &codes)) result = add_emoji(&l, entry, &codes, err);
    }
    if (!result && names->count == 0)
        result = fum_error_set(err, FUM_ERR_FORMAT, "%s: no names of emoji for the language %s",
                               cldr, language);
    if (!result) qsort(names->emoji, names->count, sizeof *names->emoji, compare_files);
    fum_free(entries.entries);
    fum_free(l.groups.groups);
    return result;
}
