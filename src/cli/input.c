// SPDX-License-Identifier: MIT
// Reads text that a user provides: a file, standard input, or the lines of either.
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";
enum { MARK_BYTES = sizeof byte_order_mark - 1 };

// Drops the mark that Windows editors put before UTF-8 text; returns the new length.
static size_t drop_mark(char *text, size_t bytes) {
    if (bytes < MARK_BYTES || memcmp(text, byte_order_mark, MARK_BYTES) != 0) return bytes;
    memmove(text, text + MARK_BYTES, bytes - MARK_BYTES);
    return bytes - MARK_BYTES;
}

// Returns why the last call failed.
static const char *reason(void) {
    return errno == EINTR && cli_interrupted() ? "interrupted" : strerror(errno);
}

// Reads to the end; NULL after an error, which it prints.
static char *read_all(FILE *file, const char *where, size_t limit, size_t *bytes) {
    size_t capacity = 0, used = 0;
    char *text = NULL;
    do {
        if (capacity - used < 2) {
            capacity = capacity ? capacity * 2 : 4096;
            if (capacity > limit + 2) // one byte more than is allowed, and the NUL
                capacity = limit + 2;
            char *grown = realloc(text, capacity);
            if (!grown) {
                cli_fail("%s: no memory for its text", where);
                goto error;
            }
            text = grown;
        }
        used += fread(text + used, 1, capacity - 1 - used, file);
        if (used > limit) {
            cli_fail("%s: more than %zu bytes of text", where, limit);
            goto error;
        }
    } while (!feof(file) && !ferror(file));
    if (ferror(file)) {
        cli_fail("%s: %s", where, reason());
        goto error;
    }
    *bytes = drop_mark(text, used);
    text[*bytes] = 0;
    return text;
error:
    free(text);
    return NULL;
}

FILE *cli_open_text(const char *path) {
    cli_interrupt_reads(true);
    FILE *file = fopen(path, "rb");
    if (!file) cli_fail("%s: %s", path, reason());
    cli_interrupt_reads(false);
    return file;
}

char *cli_read_text(const char *path, size_t limit, size_t *bytes) {
    FILE *file = path ? cli_open_text(path) : stdin;
    if (!file) return NULL;
    cli_interrupt_reads(true);
    char *text = read_all(file, path ? path : "standard input", limit, bytes);
    cli_interrupt_reads(false);
    if (path) fclose(file);
    return text;
}

size_t cli_trim_newline(char *text, size_t bytes) {
    if (bytes > 0 && text[bytes - 1] == '\n') bytes--;
    if (bytes > 0 && text[bytes - 1] == '\r') bytes--;
    text[bytes] = 0;
    return bytes;
}

static bool reserve(struct cli_line *line) {
    const size_t limit = (size_t)64 << 20;
    if (line->capacity - line->bytes >= 2) return true;
    size_t capacity = line->capacity ? line->capacity * 2 : 4096;
    char *grown = capacity <= limit ? realloc(line->text, capacity) : NULL;
    if (!grown) {
        line->failure = capacity <= limit ? "no memory for the line" : "the line is too long";
        return false;
    }
    line->text = grown;
    line->capacity = capacity;
    return true;
}

// Reads the bytes of a line with its newline; returns the last one, EOF at the end and after a
// failure.
static int read_to_newline(FILE *file, struct cli_line *line) {
    int c = 0;
    line->bytes = 0;
    while (c != '\n') {
        if (!reserve(line)) return EOF;
        c = getc(file);
        if (c == EOF) break;
        line->text[line->bytes++] = (char)c;
    }
    if (ferror(file)) line->failure = reason();
    return c;
}

bool cli_read_line(FILE *file, struct cli_line *line) {
    line->number++;
    cli_interrupt_reads(true);
    int c = read_to_newline(file, line);
    cli_interrupt_reads(false);
    if (line->failure || (c == EOF && line->bytes == 0)) return false;
    if (line->number == 1) line->bytes = drop_mark(line->text, line->bytes);
    line->bytes = cli_trim_newline(line->text, line->bytes);
    return true;
}
