// SPDX-License-Identifier: MIT
// Takes the parameters of a picture apart as A1111's parse_generation_parameters does.
#include <fumarole/metadata.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "io/image.h"

#include <string.h>

enum { MAX_FILE_BYTES = 512 << 20, LEAST_FIELDS = 3, MAX_FIELDS = 4096 };

struct owned {
    struct fum_metadata metadata; // first: what callers have
    fum_arena *arena;
};

// A part of a text.
struct span {
    const char *begin, *end;
};

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture's parameters");
}

static bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span strip(struct span s) {
    while (s.begin < s.end && is_blank(*s.begin)) s.begin++;
    while (s.begin < s.end && is_blank(s.end[-1])) s.end--;
    return s;
}

static char *copy_span(fum_arena *arena, struct span s) {
    return fum_arena_printf(arena, "%.*s", (int)(s.end - s.begin), s.begin);
}

// ---- fields ----

// True for letters, digits and "_". All characters beyond ASCII count as letters.
static bool is_word(char c) {
    unsigned char u = (unsigned char)c;
    return u >= 0x80 || u == '_' || (u >= '0' && u <= '9') || ((u | 32) >= 'a' && (u | 32) <= 'z');
}

static bool is_key(char c) {
    return is_word(c) || c == ' ' || c == '-' || c == '/';
}

// Returns the end of a JSON string with something in it that a comma or the end follows; NULL: none
// begins here.
static const char *quoted_end(struct span s) {
    const char *p = s.begin;
    if (p == s.end || *p != '"') return NULL;
    for (p++; p < s.end && *p != '"'; p++)
        if (*p == '\\' && ++p == s.end) return NULL;
    if (p == s.end || p == s.begin + 1) return NULL;
    p++;
    return p == s.end || *p == ',' ? p : NULL;
}

// Takes the value behind a key, and returns its end.
static const char *take_value(const char *p, const char *end, struct span *value) {
    while (p < end && is_blank(*p)) p++;
    *value = (struct span){p, quoted_end((struct span){p, end})};
    if (value->end) return value->end;
    const char *comma = memchr(p, ',', (size_t)(end - p));
    return value->end = comma ? comma : end;
}

// Finds the next field of a line, and moves the line's begin behind it. A run of a key's characters
// is looked at once, since no later part of it is a key if the whole is none.
static bool next_field(struct span *line, struct span *key, struct span *value) {
    const char *p = line->begin;
    while (p < line->end) {
        *key = (struct span){p, p};
        while (is_word(*p) && key->end < line->end && is_key(*key->end)) key->end++;
        bool good = key->end < line->end && *key->end == ':' && key->end - key->begin >= 2;
        p = key->end + (key->end < line->end);
        if (!good) continue;
        p = take_value(p, line->end, value);
        line->begin = p + (p < line->end);
        return true;
    }
    return false;
}

// Counts the fields of a line up to the limit.
static size_t count_fields(struct span line) {
    struct span key, value;
    size_t count = 0;
    while (count < MAX_FIELDS && next_field(&line, &key, &value)) count++;
    return count;
}

// Copies a value, without the quotes of a JSON string.
static const char *copy_value(fum_arena *arena, struct span value) {
    const char *text = copy_span(arena, value);
    bool quoted = value.end - value.begin >= 2 && *value.begin == '"' && value.end[-1] == '"';
    if (!text || !quoted) return text;
    cJSON *json = cJSON_ParseWithOpts(text, NULL, true);
    if (cJSON_IsString(json)) text = fum_arena_strdup(arena, json->valuestring);
    cJSON_Delete(json);
    return text;
}

// Adds the fields of the line. A key that comes again has its last value.
static bool add_fields(struct owned *o, struct span line) {
    size_t count = count_fields(line);
    struct fum_metadata_field *fields = fum_arena_alloc(o->arena, count + 1, sizeof *fields);
    struct span key, value;
    o->metadata.fields = fields;
    for (; fields && count && next_field(&line, &key, &value); count--) {
        const struct fum_metadata_field field = {copy_span(o->arena, key),
                                                 copy_value(o->arena, value)};
        if (!field.key || !field.value) return false;
        size_t i = 0;
        while (i < o->metadata.num_fields && strcmp(fields[i].key, field.key)) i++;
        fields[i] = field;
        if (i == o->metadata.num_fields) o->metadata.num_fields++;
    }
    return fields != NULL;
}

// ---- prompts ----

// A text of lines while it is made.
struct lines {
    char *text;
    size_t used;
};

static void add_line(struct lines *lines, struct span line) {
    size_t bytes = (size_t)(line.end - line.begin);
    if (lines->used) lines->text[lines->used++] = '\n';
    memcpy(lines->text + lines->used, line.begin, bytes);
    lines->used += bytes;
    lines->text[lines->used] = 0;
}

// Divides the lines before that of the fields into the two prompts.
static bool add_prompts(struct owned *o, struct span lines) {
    static const char mark[] = "Negative prompt:";
    size_t room = (size_t)(lines.end - lines.begin) + 2;
    struct lines prompt = {.text = fum_arena_alloc(o->arena, room, 1)},
                 negative = {.text = fum_arena_alloc(o->arena, room, 1)}, *to = &prompt;
    o->metadata.prompt = prompt.text;
    o->metadata.negative_prompt = negative.text;
    if (!prompt.text || !negative.text) return false;
    for (bool more = lines.begin < lines.end; more;) {
        const char *end = memchr(lines.begin, '\n', (size_t)(lines.end - lines.begin));
        struct span line = strip((struct span){lines.begin, end ? end : lines.end});
        more = end != NULL;
        lines.begin = end ? end + 1 : lines.end;
        size_t bytes = (size_t)(line.end - line.begin);
        if (bytes >= strlen(mark) && !memcmp(line.begin, mark, strlen(mark))) {
            line.begin += strlen(mark);
            line = strip(line);
            to = &negative;
        }
        add_line(to, line);
    }
    return true;
}

static bool parse(struct owned *o, const char *text) {
    struct span all = strip((struct span){text, text + strlen(text)}), last = all;
    for (last.begin = all.end; last.begin > all.begin && last.begin[-1] != '\n';) last.begin--;
    bool fields = count_fields(last) >= LEAST_FIELDS;
    if (fields) all.end = last.begin > all.begin ? last.begin - 1 : last.begin;
    return add_prompts(o, all) && (!fields || add_fields(o, last));
}

// ---- the whole ----

enum fum_result fum_metadata_parse(struct fum_metadata **metadata, const char *parameters,
                                   struct fum_error *err) {
    struct owned *o = fum_calloc(1, sizeof *o);
    *metadata = o ? &o->metadata : NULL;
    if (o) o->arena = fum_arena_create();
    bool good = o && o->arena;
    if (good && parameters) {
        o->metadata.parameters = fum_arena_strdup(o->arena, parameters);
        good = o->metadata.parameters != NULL;
    }
    if (good && parse(o, parameters ? parameters : "")) return FUM_OK;
    fum_metadata_destroy(metadata);
    return no_memory(err);
}

// Reads the texts of a picture's bytes.
static enum fum_result read_texts(struct fum_metadata **metadata, const struct fum_image_file *file,
                                  struct fum_error *err) {
    struct fum_bitmap size;
    enum fum_result result = fum_image_measure(file, &size, err);
    if (result == FUM_ERR_UNSUPPORTED) result = FUM_OK; // it is a picture, and its texts are read
    if (result) return result;
    char *parameters = NULL, *request = NULL;
    bool found = fum_image_find_text(file, "parameters", &parameters) &&
                 fum_image_find_text(file, FUM_IMAGE_REQUEST_KEY, &request);
    result = found ? fum_metadata_parse(metadata, parameters, err) : no_memory(err);
    if (!result && request) {
        struct owned *o = (struct owned *)*metadata;
        o->metadata.request = fum_arena_strdup(o->arena, request);
        if (!o->metadata.request) result = no_memory(err);
    }
    fum_free(parameters);
    fum_free(request);
    return result;
}

enum fum_result fum_metadata_read(struct fum_metadata **metadata, const char *path,
                                  struct fum_error *err) {
    char *bytes = NULL;
    size_t count = 0;
    *metadata = NULL;
    enum fum_result result = fum_file_read(path, MAX_FILE_BYTES, &bytes, &count, err);
    if (!result) result = fum_metadata_decode(metadata, bytes, count, path, err);
    fum_free(bytes);
    return result;
}

enum fum_result fum_metadata_decode(struct fum_metadata **metadata, const void *data, size_t bytes,
                                    const char *name, struct fum_error *err) {
    const struct fum_image_file file = {.data = data, .bytes = bytes, .where = name};
    *metadata = NULL;
    enum fum_result result = read_texts(metadata, &file, err);
    if (result) fum_metadata_destroy(metadata);
    return result;
}

void fum_metadata_destroy(struct fum_metadata **metadata) {
    if (!metadata || !*metadata) return;
    struct owned *o = (struct owned *)*metadata;
    fum_arena_destroy(&o->arena);
    fum_free(o);
    *metadata = NULL;
}

const char *fum_metadata_find(const struct fum_metadata *metadata, const char *key) {
    for (size_t i = 0; key && i < metadata->num_fields; i++)
        if (!strcmp(metadata->fields[i].key, key)) return metadata->fields[i].value;
    return NULL;
}
