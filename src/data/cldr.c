// SPDX-License-Identifier: MIT
#include "data/cldr.h"

#include "base/error.h"
#include "base/file.h"
#include "data/dataset_config.h"

#ifdef FUM_HAS_EXPAT

#include <expat.h>

#include <string.h>

enum { MAX_FILE_BYTES = 64 << 20, MAX_TEXT_BYTES = 4096 };

// What the parser is in the middle of.
struct reading {
    struct fum_cldr *cldr;
    XML_Parser parser;
    bool inside, name;         // an annotation, of the kind that is a name
    char text[MAX_TEXT_BYTES]; // its text so far; what is longer is cut off
    size_t bytes;
    bool failed; // no memory
};

static void stop(struct reading *r) {
    r->failed = true;
    XML_StopParser(r->parser, XML_FALSE);
}

// Adds an entry, unless the last one is of the same character.
static void add_entry(struct reading *r, const char *text) {
    struct fum_cldr *c = r->cldr;
    if (c->count && !strcmp(c->entries[c->count - 1].text, text)) return;
    char *copy = fum_arena_strdup(c->arena, text);
    if (!copy || !fum_grow((void **)&c->entries, &c->capacity, c->count, sizeof *c->entries)) {
        stop(r);
        return;
    }
    c->entries[c->count++] = (struct fum_cldr_entry){.text = copy};
}

static void on_start(void *user, const XML_Char *element, const XML_Char **attributes) {
    struct reading *r = user;
    const char *character = NULL, *type = "";
    if (strcmp(element, "annotation") != 0) return;
    for (; *attributes; attributes += 2) {
        if (!strcmp(attributes[0], "cp")) character = attributes[1];
        if (!strcmp(attributes[0], "type")) type = attributes[1];
    }
    if (!character) return;
    r->inside = true;
    r->name = !strcmp(type, "tts");
    r->bytes = 0;
    add_entry(r, character);
}

static void on_text(void *user, const XML_Char *text, int bytes) {
    struct reading *r = user;
    size_t room = sizeof r->text - 1 - r->bytes, used = (size_t)bytes;
    if (!r->inside) return;
    if (used > room) used = room;
    memcpy(r->text + r->bytes, text, used);
    r->bytes += used;
}

static void on_end(void *user, const XML_Char *element) {
    struct reading *r = user;
    if (!r->inside || strcmp(element, "annotation") != 0) return;
    r->inside = false;
    r->text[r->bytes] = 0;
    struct fum_cldr_entry *entry = &r->cldr->entries[r->cldr->count - 1];
    const char *copy = fum_arena_strdup(r->cldr->arena, r->text);
    if (!copy) stop(r);
    if (r->name)
        entry->name = copy;
    else
        entry->keywords = copy;
}

static enum fum_result parse(struct reading *r, const char *path, const char *text, size_t bytes,
                             struct fum_error *err) {
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    bool good = XML_Parse(r->parser, text, (int)bytes, XML_TRUE) == XML_STATUS_OK;
    enum XML_Error code = XML_GetErrorCode(r->parser);
    if (good && !r->failed) return FUM_OK;
    if (r->failed || code == XML_ERROR_NO_MEMORY)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its names", path);
    return fum_error_set(err, FUM_ERR_FORMAT, "%s:%lu: %s", path,
                         (unsigned long)XML_GetCurrentLineNumber(r->parser), XML_ErrorString(code));
}

enum fum_result fum_cldr_read(struct fum_cldr *cldr, const char *path, struct fum_error *err) {
    char *text = NULL;
    size_t bytes = 0;
    enum fum_result result = fum_file_read(path, MAX_FILE_BYTES, &text, &bytes, err);
    if (result) return result;
    struct reading *r = fum_calloc(1, sizeof *r);
    if (r) r->parser = XML_ParserCreate(NULL);
    if (r && r->parser) {
        r->cldr = cldr;
        result = parse(r, path, text, bytes, err);
        XML_ParserFree(r->parser);
    } else {
        result = fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory to read it", path);
    }
    fum_free(r);
    fum_free(text);
    return result;
}

#else

enum fum_result fum_cldr_read(struct fum_cldr *cldr, const char *path, struct fum_error *err) {
    (void)cldr;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "%s cannot be read: this build has no expat (Debian: libexpat1-dev)",
                         path);
}

#endif
