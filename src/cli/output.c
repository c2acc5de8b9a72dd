// SPDX-License-Identifier: MIT
#include "output.h"

#include <fumarole/pipeline.h>

#include <stdlib.h>
#include <string.h>

enum { MAX_KEPT = 100 };

static bool data_on_stdout;

static bool is_stdout(const char *path) {
    return strcmp(path, "-") == 0;
}

// ---- names ----

// Finds a "%d", "%3d" or "%03d" and its width; NULL when there is none. *after is what follows it.
static const char *find_number(const char *pattern, const char **after, int *width, bool *zeros) {
    for (const char *p = strchr(pattern, '%'); p; p = strchr(p, '%')) {
        const char *q = p + 1;
        *zeros = *q == '0';
        *width = 0;
        while (*q >= '0' && *q <= '9' && *width < 10) *width = *width * 10 + (*q++ - '0');
        if (*q == 'd') {
            *after = q + 1;
            return p;
        }
        p += p[1] == '%' ? 2 : 1;
    }
    return NULL;
}

int cli_output_check_pattern(const struct cli_command *command, const char *option,
                             const char *pattern) {
    const char *after, *again;
    int width;
    bool zeros;
    struct fum_error err = {0};
    if (!is_stdout(pattern) && fum_image_check_name(pattern, &err))
        return cli_misuse(command,
                          "--%s must end in .png, .jpg or .webp, or be - for standard output: %s",
                          option, err.text);
    if (find_number(pattern, &after, &width, &zeros) && find_number(after, &again, &width, &zeros))
        return cli_misuse(command, "--%s holds more than one number: \"%s\"", option,
                          cli_show(pattern).text);
    return 0;
}

// Copies a part of a pattern; "%%" is a percent sign.
static char *put_part(char *to, const char *from, const char *end) {
    while (from < end) {
        *to++ = *from;
        from += *from == '%' && from + 1 < end && from[1] == '%' ? 2 : 1;
    }
    return to;
}

char *cli_output_name(const char *pattern, int index, int number) {
    size_t length = strlen(pattern);
    char digits[32] = "", *name = malloc(length + sizeof digits);
    const char *end = pattern + length, *after, *place;
    int width;
    bool zeros;
    if (!name) return NULL;
    place = find_number(pattern, &after, &width, &zeros);
    if (place) {
        snprintf(digits, sizeof digits, zeros ? "%0*d" : "%*d", width, number);
    } else {
        place = after = is_stdout(pattern) ? end : strrchr(pattern, '.');
        if (index > 0 && !is_stdout(pattern)) snprintf(digits, sizeof digits, "_%d", number);
    }
    char *to = put_part(name, pattern, place);
    memcpy(to, digits, strlen(digits));
    *put_part(to + strlen(digits), after, end) = 0;
    return name;
}

// ---- before the work ----

static int by_identity(const void *a, const void *b) {
    const struct fum_file_identity *x = &((const struct cli_output *)a)->identity;
    const struct fum_file_identity *y = &((const struct cli_output *)b)->identity;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    return (x->name > y->name) - (x->name < y->name);
}

int cli_outputs_add_replaced(struct cli_outputs *outputs, const char *path, const char *by) {
    struct cli_output output = {.replaced = by};
    enum fum_file_kind kind = FUM_FILE_NONE;
    struct fum_error err = {0};
    if (!path) return 0;
    if (outputs->no_clobber && !is_stdout(path) && fum_file_look(path, &kind, &err) != FUM_OK)
        return cli_fail("%s", err.text);
    if (kind == FUM_FILE_REGULAR)
        return cli_fail("%s is there already, and --no-clobber keeps it", path);
    if (outputs->count == outputs->capacity) {
        size_t capacity = outputs->capacity ? outputs->capacity * 2 : 16;
        struct cli_output *grown = realloc(outputs->list, capacity * sizeof *grown);
        if (!grown) return cli_fail("out of memory");
        outputs->list = grown;
        outputs->capacity = capacity;
    }
    output.path = cli_copy(path);
    if (!output.path) return cli_fail("out of memory");
    if (!fum_file_identify(path, &output.identity)) // a device: any number of outputs may share it
        output.identity.device = output.identity.file = output.identity.name = UINT64_MAX;
    struct cli_output standard = {0};
    if (fum_file_identify("-", &standard.identity) && by_identity(&output, &standard) == 0)
        data_on_stdout = true;
    outputs->list[outputs->count++] = output;
    return 0;
}

int cli_outputs_add(struct cli_outputs *outputs, const char *path) {
    return cli_outputs_add_replaced(outputs, path, NULL);
}

static int check_apart(const struct cli_outputs *outputs) {
    for (size_t i = 1; i < outputs->count; i++) {
        const struct cli_output *a = &outputs->list[i - 1], *b = &outputs->list[i];
        if (b->identity.device == UINT64_MAX && b->identity.name == UINT64_MAX) continue;
        if (a->replaced && b->replaced && strcmp(a->replaced, b->replaced) == 0) continue;
        if (by_identity(a, b) == 0 && (is_stdout(a->path) || is_stdout(b->path)))
            return cli_misuse(outputs->command,
                              "only one output, and only one picture, can be standard output");
        if (by_identity(a, b) == 0)
            return cli_misuse(outputs->command,
                              "%s and %s are one file; give every output its own name",
                              cli_show(a->path).text, cli_show(b->path).text);
    }
    return 0;
}

int cli_outputs_check(struct cli_outputs *outputs, int status) {
    struct fum_error err = {0};
    const char *first = outputs->count ? outputs->list[0].path : NULL;
    if (first) qsort(outputs->list, outputs->count, sizeof *outputs->list, by_identity);
    if (status == 0) status = check_apart(outputs);
    for (size_t i = 0; i < outputs->count && status == 0; i++)
        if (fum_file_check(outputs->list[i].path, &err) != FUM_OK)
            status = cli_fail("%s", err.text);
    if (status == 0 && first) fum_file_clean(first);
    for (size_t i = 0; i < outputs->count; i++) free(outputs->list[i].path);
    free(outputs->list);
    outputs->list = NULL;
    outputs->count = outputs->capacity = 0;
    return status;
}

FILE *cli_report_stream(void) {
    return data_on_stdout ? stderr : stdout;
}

// ---- after the work ----

// Returns "folder/stem.png" for base "stem.png", then stem_kept.png, stem_kept2.png and so on.
static char *kept_name(const char *folder, const char *base, int number) {
    const char *dot = strrchr(base, '.');
    int stem = dot && dot != base ? (int)(dot - base) : (int)strlen(base);
    size_t size = strlen(folder) + strlen(base) + 40;
    char *name = malloc(size), digits[24] = "";
    if (number > 1) snprintf(digits, sizeof digits, number > 2 ? "_kept%d" : "_kept", number - 1);
    if (name) snprintf(name, size, "%s/%.*s%s%s", folder, stem, base, digits, base + stem);
    return name;
}

// Writes the result to a new file in `folder`. Returns its name, to free, or NULL.
static char *keep_in(const char *folder, const char *path, const struct cli_result *result) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    for (int i = 1; i <= MAX_KEPT; i++) {
        char *name = kept_name(folder, base, i);
        enum fum_file_kind kind = FUM_FILE_NONE;
        bool known = name && fum_file_look(name, &kind, NULL) == FUM_OK;
        if (known && kind == FUM_FILE_NONE && result->save(result->what, name, NULL) == FUM_OK)
            return name;
        free(name);
        if (!known || kind == FUM_FILE_NONE) break;
    }
    return NULL;
}

int cli_output_save(const char *path, const struct cli_result *result) {
    struct fum_error err = {0};
    // a pipe may wait for its reader for ever
    cli_hold_signals(!is_stdout(path) && !cli_is_special(path));
    enum fum_result written = result->save(result->what, path, &err);
    cli_hold_signals(false);
    if (written == FUM_OK) return 0;
    bool refused = written == FUM_ERR_IO || written == FUM_ERR_NO_SPACE;
    if (!refused || is_stdout(path)) return cli_fail_result(written, &err);
    // Windows has the latter
    const char *temporary = getenv("TMPDIR") ? getenv("TMPDIR") : getenv("TEMP");
    char *kept = keep_in(".", path, result);
    if (!kept) kept = keep_in(temporary && *temporary ? temporary : "/tmp", path, result);
    int status =
        kept ? cli_fail("%s; it is kept as %s", err.text, kept) : cli_fail_result(written, &err);
    free(kept);
    return status;
}

static enum fum_result save_text(const void *what, const char *path, struct fum_error *err) {
    return fum_file_save(path, what, strlen(what), err);
}

int cli_output_save_text(const char *path, const char *text) {
    return cli_output_save(path, &(struct cli_result){save_text, text});
}
