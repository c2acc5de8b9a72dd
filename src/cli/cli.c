// What the subcommands share.
#include "cli.h"

#include "help.h"

#include <fumarole/tuning.h>

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void print_line(const char *fmt, va_list args) {
    fputs("fumarole: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
}

int cli_fail(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    print_line(fmt, args);
    va_end(args);
    return CLI_FAILED;
}

int cli_misuse(const struct cli_command *command, const char *fmt, ...) {
    char text[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fprintf(stderr, "fumarole: %s: %s (see fumarole %s --help)\n", command->name, text,
            command->name);
    return CLI_USAGE;
}

int cli_fail_result(enum fum_result result, const struct fum_error *err) {
    if (result == FUM_ERR_CANCELLED) {
        fputs("fumarole: stopped\n", stderr);
        return CLI_INTERRUPTED;
    }
    cli_fail("%s", err->text[0] ? err->text : fum_result_name(result));
    return result == FUM_ERR_ARG ? CLI_USAGE : CLI_FAILED;
}

static void print_help(const struct cli_command *command) {
    char usage[300];
    snprintf(usage, sizeof usage, "usage: fumarole %s%s%s", command->name, command->arguments[0] ? " " : "",
             command->arguments);
    cli_help_text(usage, 4);
    putchar('\n');
    cli_help_text(command->summary, 0);
    putchar('\n');
    cli_help_options(command->options);
    if (command->details) {
        putchar('\n');
        cli_help_text(command->details, 0);
    }
}

void cli_print_version(void) {
    printf("fumarole %s\n", fum_version());
}

int cli_parse(const struct cli_command *command, int *argc, char **argv, void *values) {
    static const struct cli_option help = {.name = "help", .letter = 'h'}, version = {.name = "version", .letter = 'V'};
    struct cli_parse parse = {.options = command->options, .foreign = command->foreign, .values = values};
    if (cli_options_present(&parse, *argc, argv, &help)) {
        print_help(command);
        return 0;
    }
    if (cli_options_present(&parse, *argc, argv, &version)) {
        cli_print_version();
        return 0;
    }
    if (!cli_options_parse(&parse, argc, argv))
        return cli_misuse(command, "%s", parse.message);
    if (parse.notes[0])
        fprintf(stderr, "fumarole: no effect here: %s\n", parse.notes);
    return -1;
}

static void write_log(void *user, enum fum_log_level level, const char *message) {
    (void)user;
    fprintf(stderr, "%s%s\n", level <= FUM_LOG_WARN ? "fumarole: " : "", message);
}

struct fum_log cli_log(bool verbose) {
    return (struct fum_log){.fn = write_log, .level = verbose ? FUM_LOG_INFO : FUM_LOG_WARN};
}

static fum_device *open_device(const char *select, bool compile_only, const struct fum_log *log, int *status) {
    fum_device *device = NULL;
    struct fum_error err = {0};
    struct fum_device_params params = {.select = select, .log = log, .compile_only = compile_only,
                                       .validate = getenv("FUMAROLE_VALIDATE") != NULL};
    enum fum_result result = fum_device_create(&device, &params, &err);
    if (result != FUM_OK)
        *status = cli_fail_result(result, &err);
    return device;
}

fum_device *cli_open_device(const char *select, const struct fum_log *log, int *status) {
    return open_device(select, false, log, status);
}

fum_device *cli_open_compiler(const char *select, const struct fum_log *log, int *status) {
    return open_device(select, true, log, status);
}

int cli_force_variant(fum_device *device, const char *name) {
    struct fum_error err = {0};
    enum fum_result result = name ? fum_device_force_variant(device, name, &err) : FUM_OK;
    return result == FUM_OK ? 0 : cli_fail_result(result, &err);
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    interrupted = 1;
    signal(number, SIG_DFL);
}

void cli_catch_interrupt(void) {
    signal(SIGINT, on_interrupt);
}

bool cli_interrupted(void) {
    return interrupted != 0;
}

bool cli_cancel(void *user) {
    (void)user;
    return cli_interrupted();
}

const char *const cli_storage_types[] = {"f32", "f16", "bf16", "all", NULL};

unsigned cli_storage_mask(const char *precision) {
    static const unsigned masks[] = {1u << FUM_F32, 1u << FUM_F16, 1u << FUM_BF16,
                                     1u << FUM_F32 | 1u << FUM_F16 | 1u << FUM_BF16};
    for (int i = 0; precision && cli_storage_types[i]; i++)
        if (strcmp(precision, cli_storage_types[i]) == 0)
            return masks[i];
    return 0;
}

char *cli_join(const char *dir, const char *name) {
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", dir, name);
    return path;
}

char *cli_read_text(const char *path, size_t limit, size_t *bytes) {
    const char *where = path ? path : "standard input";
    FILE *file = path ? fopen(path, "rb") : stdin;
    size_t capacity = 4096, used = 0;
    char *text = NULL;
    if (!file) {
        cli_fail("%s: %s", where, strerror(errno));
        return NULL;
    }
    for (;;) {
        char *grown = capacity <= limit + 4096 ? realloc(text, capacity) : NULL;
        if (!grown) {
            cli_fail("%s: more than %zu bytes of text", where, limit);
            goto error;
        }
        text = grown;
        used += fread(text + used, 1, capacity - 1 - used, file);
        if (used < capacity - 1)
            break;
        capacity *= 2;
    }
    if (ferror(file)) {
        cli_fail("%s: %s", where, strerror(errno));
        goto error;
    }
    text[used] = 0;
    *bytes = used;
    if (path)
        fclose(file);
    return text;
error:
    if (path)
        fclose(file);
    free(text);
    return NULL;
}

size_t cli_trim_newline(char *text, size_t bytes) {
    if (bytes > 0 && text[bytes - 1] == '\n')
        bytes--;
    if (bytes > 0 && text[bytes - 1] == '\r')
        bytes--;
    text[bytes] = 0;
    return bytes;
}

bool cli_read_line(FILE *file, struct cli_line *line) {
    const size_t limit = (size_t)64 << 20;
    line->bytes = 0;
    for (;;) {
        if (line->capacity - line->bytes < 2) {
            size_t capacity = line->capacity ? line->capacity * 2 : 4096;
            char *grown = capacity <= limit ? realloc(line->text, capacity) : NULL;
            line->failed = !grown;
            if (!grown)
                return false;
            line->text = grown;
            line->capacity = capacity;
        }
        if (!fgets(line->text + line->bytes, (int)(line->capacity - line->bytes), file))
            break;
        line->bytes += strlen(line->text + line->bytes);
        if (line->bytes > 0 && line->text[line->bytes - 1] == '\n') {
            line->bytes = cli_trim_newline(line->text, line->bytes);
            return true;
        }
    }
    line->failed = ferror(file) != 0;
    return line->bytes > 0 && !line->failed;
}
