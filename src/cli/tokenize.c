// SPDX-License-Identifier: MIT
// fumarole tokenize: prints the ids that a text encoder reads.
#include "cli.h"

#include "tokenize_prompt.h"

#include <fumarole/model.h>

#include <stdlib.h>
#include <string.h>

struct tokenize_options {
    const char *model, *prompt;
    int steps;
    bool jsonl, plain;
};

enum { MAX_STEPS = 100000, DEFAULT_STEPS = 20 };

// clang-format off
static const struct cli_option options[] = {
    {.name = "model", .letter = 'm', .kind = CLI_PATH,
     .offset = offsetof(struct tokenize_options, model), .value = "MODEL",
     .help = "a diffusers folder or shipped model (default: the CLIP vocabulary)"},
    {.name = "jsonl", .kind = CLI_FLAG, .offset = offsetof(struct tokenize_options, jsonl),
     .help = "read lines {\"text\": ...} and write lines {\"ids\": [...], \"pieces\": [...]}"},
    {.name = "prompt", .letter = 'p', .kind = CLI_STRING,
     .offset = offsetof(struct tokenize_options, prompt), .value = "TEXT",
     .help = "read the grammar of prompts, and print a line of JSON for each part that AND joins "
             "and each range of steps"},
    {.name = "steps", .kind = CLI_INT, .offset = offsetof(struct tokenize_options, steps),
     .value = "N", .min = 1, .max = MAX_STEPS, .help = "steps of the picture (default 20)"},
    {.name = "no-emphasis", .kind = CLI_FLAG, .offset = offsetof(struct tokenize_options, plain),
     .help = "with --prompt: (x), [x], (x:1.3) and BREAK are text"},
    {0},
};
// clang-format on

// Opens a model's own vocabulary, or CLIP's for checkpoint files and for no model at all.
static fum_tokenizer *open_tokenizer(const char *model, int *status) {
    fum_tokenizer *tokenizer = NULL;
    struct fum_error err = {0};
    char program_dir[CLI_PATH_BYTES];
    struct fum_model_params params = {.path = model, .program_dir = cli_program_dir(program_dir)};
    enum fum_result result = model ? fum_model_load_tokenizer(&tokenizer, &params, &err)
                                   : fum_tokenizer_load_clip(&tokenizer, NULL, NULL, &err);
    if (result != FUM_OK) *status = cli_fail_result(result, &err);
    return tokenizer;
}

static int print_ids(const fum_tokenizer *tokenizer, const char *text, size_t bytes) {
    struct fum_token_ids ids = {0};
    struct fum_error err = {0};
    enum fum_result result = fum_tokenizer_encode(tokenizer, text, bytes, &ids, &err);
    if (result != FUM_OK) return cli_fail_result(result, &err);
    for (size_t i = 0; i < ids.count; i++) {
        const char *piece = fum_tokenizer_piece(tokenizer, ids.ids[i]);
        cli_put_line(stdout, "%6d  %s", (int)ids.ids[i], piece ? piece : "");
    }
    int limit = fum_tokenizer_max_length(tokenizer);
    if (limit > 0 && ids.count > (size_t)limit)
        printf("%zu ids, of which a prompt holds %d\n", ids.count, limit);
    else
        printf("%zu ids\n", ids.count);
    fum_token_ids_free(&ids);
    return 0;
}

// ---- NUL within JSON ----

// cJSON cuts strings at NUL, and JSON text can hold one as "\\u0000". Before parsing, such an
// escape is replaced by a noncharacter (U+FDD0 to U+FDDF) that the line does not hold, and put back
// after.
enum { STAND_INS = 16, ESCAPE_DIGITS = 4 };
struct stand_in {
    char utf8[4], digits[ESCAPE_DIGITS + 1];
};

static bool holds_digits(const char *line, const char *digits) {
    for (; *line; line++) {
        int same = 0;
        // in either case
        while (same < ESCAPE_DIGITS && (line[same] | 0x20) == (digits[same] | 0x20)) same++;
        if (same == ESCAPE_DIGITS) return true;
    }
    return false;
}

static bool choose_stand_in(const char *line, struct stand_in *s) {
    for (int i = 0; i < STAND_INS; i++) {
        *s = (struct stand_in){.utf8 = {'\xef', '\xb7', (char)(0x90 + i)}};
        snprintf(s->digits, sizeof s->digits, "fdd%x", i);
        if (!strstr(line, s->utf8) && !holds_digits(line, s->digits)) return true;
    }
    return false;
}

// Replaces the escapes of NUL. False for an escape without four digits, which cJSON takes for NUL,
// and where no noncharacter is left.
static bool hide_nul(char *line, struct stand_in *s) {
    if (!choose_stand_in(line, s)) return false;
    for (; *line; line++) {
        if (*line != '\\' || !*++line || *line != 'u') continue;
        if (strspn(line + 1, "0123456789abcdefABCDEF") < ESCAPE_DIGITS) return false;
        if (strncmp(line + 1, "0000", ESCAPE_DIGITS) == 0)
            memcpy(line + 1, s->digits, ESCAPE_DIGITS);
    }
    return true;
}

static size_t restore_nul(char *text, const struct stand_in *s) {
    char *to = text;
    for (const char *from = text; *from;) {
        if (strncmp(from, s->utf8, 3) == 0) {
            *to++ = 0;
            from += 3;
        } else {
            *to++ = *from++;
        }
    }
    return (size_t)(to - text);
}

// ---- lines ----

static const char blanks[] = " \t\r";

// Returns {"ids": […], "pieces": […]} to free with cJSON_free, or NULL when out of memory.
static char *format_ids(const fum_tokenizer *tokenizer, const struct fum_token_ids *ids) {
    cJSON *object = cJSON_CreateObject();
    cJSON *numbers = cJSON_AddArrayToObject(object, "ids"),
          *pieces = cJSON_AddArrayToObject(object, "pieces");
    bool good = numbers && pieces;
    for (size_t i = 0; good && i < ids->count; i++) {
        const char *piece = fum_tokenizer_piece(tokenizer, ids->ids[i]);
        cJSON *number = cJSON_CreateNumber(ids->ids[i]),
              *string = cJSON_CreateString(piece ? piece : "");
        good = cJSON_AddItemToArray(numbers, number) && cJSON_AddItemToArray(pieces, string);
    }
    char *text = good ? cJSON_PrintUnformatted(object) : NULL;
    cJSON_Delete(object);
    return text;
}

// Reads the line's one object with its text, or prints why it cannot and returns an exit status.
static int read_object(cJSON **object, struct cli_line *line, struct stand_in *nul) {
    size_t end = 0;
    if (memchr(line->text, 0, line->bytes))
        return cli_fail("standard input, line %d: holds a NUL byte; JSON writes it as \\u0000",
                        line->number);
    enum cli_json parsed = CLI_JSON_BAD;
    if (hide_nul(line->text, nul)) parsed = cli_json_parse(object, line->text, line->bytes, &end);
    if (parsed == CLI_JSON_NO_MEMORY)
        return cli_fail("standard input, line %d: out of memory", line->number);
    if (!cJSON_IsString(cJSON_GetObjectItemCaseSensitive(*object, "text")))
        return cli_fail("standard input, line %d: not a JSON object with a string \"text\"",
                        line->number);
    if (line->text[end + strspn(line->text + end, blanks)])
        return cli_fail("standard input, line %d: more than one JSON object, from byte %zu on",
                        line->number, end + 1);
    return 0;
}

static int print_json_line(const fum_tokenizer *tokenizer, struct cli_line *line) {
    struct fum_token_ids ids = {0};
    struct fum_error err = {0};
    char *answer = NULL;
    cJSON *object = NULL;
    struct stand_in nul;
    int status = read_object(&object, line, &nul);
    if (status) goto done;
    cJSON *text = cJSON_GetObjectItemCaseSensitive(object, "text");
    size_t bytes = restore_nul(text->valuestring, &nul);
    enum fum_result result = fum_tokenizer_encode(tokenizer, text->valuestring, bytes, &ids, &err);
    if (result != FUM_OK) {
        status = cli_fail("standard input, line %d: %s", line->number, err.text);
        goto done;
    }
    answer = format_ids(tokenizer, &ids);
    if (!answer)
        status = cli_fail("standard input, line %d: no memory for its ids", line->number);
    else
        cli_put_json(stdout, answer);
    if (answer && (ferror(stdout) || fflush(stdout) != 0))
        status = cli_fail("could not write line %d to standard output", line->number);
done:
    cJSON_free(answer);
    cJSON_Delete(object);
    fum_token_ids_free(&ids);
    return status;
}

static int run_jsonl(const fum_tokenizer *tokenizer) {
    struct cli_line line = {0};
    int status = 0;
    while (status == 0 && cli_read_line(stdin, &line))
        if (strspn(line.text, blanks) < line.bytes) status = print_json_line(tokenizer, &line);
    if (status == 0 && line.failure)
        status = cli_fail("standard input, line %d: %s", line.number, line.failure);
    free(line.text);
    return status;
}

// Prints the ids of standard input.
static int print_input(const fum_tokenizer *tokenizer) {
    size_t bytes = 0;
    char *text = cli_read_text(NULL, FUM_TOKENIZER_MAX_BYTES, &bytes);
    int status = text ? print_ids(tokenizer, text, cli_trim_newline(text, bytes)) : CLI_FAILED;
    free(text);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv) {
    struct tokenize_options values = {.steps = DEFAULT_STEPS};
    int status = cli_read_options(command, &argc, argv, &values);
    if (status >= 0) return status;
    if (argc > 1)
        return cli_misuse(command, "more than one text: \"%s\" and \"%s\"; put quotes around it",
                          cli_show(argv[0]).text, cli_show(argv[1]).text);
    if (argc == 1 && values.jsonl)
        return cli_misuse(command, "--jsonl reads standard input and takes no text");
    if (values.prompt && (argc == 1 || values.jsonl))
        return cli_misuse(command, "--prompt takes the text itself; leave the other one out");

    status = 0;
    fum_tokenizer *tokenizer = open_tokenizer(values.model, &status);
    if (!tokenizer) return status;
    if (values.jsonl)
        status = run_jsonl(tokenizer);
    else if (values.prompt)
        status = cli_print_prompt(tokenizer,
                                  &(struct fum_prompt){values.prompt, values.steps, values.plain});
    else if (argc == 1)
        status = print_ids(tokenizer, argv[0], strlen(argv[0]));
    else
        status = print_input(tokenizer);
    fum_tokenizer_destroy(&tokenizer);
    return status;
}

const struct cli_command cli_tokenize = {
    .name = "tokenize",
    .arguments = "[-m MODEL] [TEXT | --jsonl | --prompt TEXT]",
    .summary = "text to the ids that a text encoder reads",
    .details = "Ids are whole, with start and end, not cut. Without TEXT, standard input is read.\n"
               "fumarole-clip-vocab fetches the CLIP vocabulary, which is not part of fumarole.\n",
    .options = options,
    .run = run,
};
