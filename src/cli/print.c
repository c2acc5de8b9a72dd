// SPDX-License-Identifier: MIT
// Prints everything on the terminal. Names and texts of models, drivers, files and arguments are
// escaped here, so that one line stays one line and no text steers the terminal.
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void print_escaped(FILE *file, const char *text, size_t bytes) {
    char local[1024];
    size_t needed = fum_text_escape(local, sizeof local, text, bytes);
    char *longer = needed < sizeof local ? NULL : malloc(needed + 1);
    if (longer) fum_text_escape(longer, needed + 1, text, bytes);
    fputs(longer ? longer : local, file);
    free(longer);
}

// Prints a formatted text. Without memory for a long one its end is lost.
static void put(FILE *file, const char *fmt, va_list args) {
    char local[1024];
    va_list again;
    va_copy(again, args);
    int formatted = vsnprintf(local, sizeof local, fmt, args);
    size_t bytes = formatted > 0 ? (size_t)formatted : 0;
    char *longer = bytes < sizeof local ? NULL : malloc(bytes + 1);
    if (longer)
        vsnprintf(longer, bytes + 1, fmt, again);
    else if (bytes >= sizeof local)
        bytes = sizeof local - 1;
    print_escaped(file, longer ? longer : local, bytes);
    free(longer);
    va_end(again);
}

void cli_put(FILE *file, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    put(file, fmt, args);
    va_end(args);
}

void cli_put_line(FILE *file, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    put(file, fmt, args);
    va_end(args);
    fputc('\n', file);
}

// Returns the character at `p` if it may steer a terminal and JSON leaves it as it is. That is a
// control character, or one that turns the direction of a line. 0: another character.
static unsigned hidden_character(const unsigned char *p) {
    if (*p == 0x7f) return *p;
    if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) return p[1];
    if (p[0] != 0xe2 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80) return 0;
    unsigned code = 0x2000u + (unsigned)(p[1] & 63) * 64 + (p[2] & 63);
    bool turns = (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    return turns ? code : 0;
}

void cli_put_json(FILE *file, const char *json) {
    const unsigned char *p = (const unsigned char *)json;
    while (*p) {
        unsigned code = hidden_character(p);
        if (code)
            fprintf(file, "\\u%04x", code);
        else
            fputc(*p, file);
        p++;
        if (code) // and with it the bytes that go on
            while ((*p & 0xc0) == 0x80) p++;
    }
    fputc('\n', file);
}

struct cli_shown cli_show(const char *text) {
    struct cli_shown shown;
    const size_t room = sizeof shown.text - sizeof "…";
    if (fum_text_escape(shown.text, room + 1, text, strlen(text)) > room) strcat(shown.text, "…");
    return shown;
}

// ---- failures ----

static _Thread_local const char *place_of_failures;
static _Thread_local struct cli_failure *collected; // NULL: failures are printed

void cli_set_place(const char *place) {
    place_of_failures = place;
}

void cli_collect_failures(struct cli_failure *failure) {
    if (failure) failure->text[0] = 0;
    collected = failure;
}

// Stores a failure in place of printing it, unless an earlier one is there.
static void collect_failure(const char *fmt, va_list args) {
    char text[sizeof collected->text];
    if (collected->text[0]) return;
    vsnprintf(text, sizeof text, fmt, args);
    fum_text_escape(collected->text, sizeof collected->text, text, strlen(text));
}

static void put_failure(const char *fmt, va_list args) {
    if (place_of_failures) cli_put(stderr, "%s: ", place_of_failures);
    put(stderr, fmt, args);
}

int cli_fail(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    if (collected) {
        collect_failure(fmt, args);
    } else {
        fputs("fumarole: ", stderr);
        put_failure(fmt, args);
        fputc('\n', stderr);
    }
    va_end(args);
    return CLI_FAILED;
}

int cli_misuse(const struct cli_command *command, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    if (collected) {
        collect_failure(fmt, args);
    } else {
        fprintf(stderr, "fumarole: %s: ", command->name);
        put_failure(fmt, args);
        fprintf(stderr, " (see fumarole %s --help)\n", command->name);
    }
    va_end(args);
    return CLI_USAGE;
}

int cli_fail_result(enum fum_result result, const struct fum_error *err) {
    if (result == FUM_ERR_CANCELLED) {
        if (!collected) fputs("fumarole: stopped\n", stderr);
        return cli_interrupted_status();
    }
    cli_fail("%s", err->text[0] ? err->text : fum_result_name(result));
    return result == FUM_ERR_ARG ? CLI_USAGE : CLI_FAILED;
}

int cli_finish_output(int status) {
    bool lost = fflush(stdout) != 0;
    lost = ferror(stdout) || lost;
    return lost && status == 0 ? cli_fail("could not write to standard output") : status;
}

// ---- the library's messages ----

static void write_log(void *user, enum fum_log_level level, const char *message) {
    (void)user;
    cli_put_line(stderr, "%s%s", level <= FUM_LOG_WARN ? "fumarole: " : "", message);
}

struct fum_log cli_log(bool verbose) {
    return (struct fum_log){.fn = write_log, .level = verbose ? FUM_LOG_INFO : FUM_LOG_WARN};
}
