// SPDX-License-Identifier: MIT
// Prints the chunks of a prompt as lines of JSON.
#include "tokenize_prompt.h"

#include "cli.h"

#include <stdlib.h>

// Returns a number with as few digits as give the same value again.
static cJSON *create_number(double value) {
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    return cJSON_CreateRaw(text);
}

// Adds {"ids": […], "weights": […]} for a chunk. Returns false when memory is out.
static bool add_chunk(cJSON *chunks, const struct fum_prompt_row *row, int index) {
    cJSON *chunk = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(chunks, chunk)) {
        cJSON_Delete(chunk);
        return false;
    }
    cJSON *ids = cJSON_AddArrayToObject(chunk, "ids"),
          *weights = cJSON_AddArrayToObject(chunk, "weights");
    bool good = ids && weights;
    for (int i = index * row->length; good && i < (index + 1) * row->length; i++)
        good = cJSON_AddItemToArray(ids, cJSON_CreateNumber(row->ids[i])) &&
               cJSON_AddItemToArray(weights, create_number(row->weights[i]));
    return good;
}

// Returns a row as text to free with cJSON_free, or NULL when memory is out. `steps`: of all.
static char *format_row(const struct fum_prompt_row *row, int steps) {
    cJSON *object = cJSON_CreateObject();
    bool good = object != NULL;
    if (good && row->weight != 1)
        good = cJSON_AddItemToObject(object, "weight", create_number(row->weight));
    if (good && row->until < steps) good = cJSON_AddNumberToObject(object, "until", row->until);
    cJSON *chunks = good ? cJSON_AddArrayToObject(object, "chunks") : NULL;
    good = good && chunks;
    for (int i = 0; good && i < row->chunks; i++) good = add_chunk(chunks, row, i);
    char *text = good ? cJSON_PrintUnformatted(object) : NULL;
    cJSON_Delete(object);
    return text;
}

int cli_print_prompt(const fum_tokenizer *tokenizer, const struct fum_prompt *prompt) {
    struct fum_prompt_rows rows = {0};
    struct fum_error err = {0};
    enum fum_result result = fum_tokenizer_read_prompt(tokenizer, prompt, &rows, &err);
    int status = result ? cli_fail_result(result, &err) : 0;
    for (size_t i = 0; i < rows.count && !status; i++) {
        char *text = format_row(&rows.rows[i], prompt->steps);
        if (text)
            cli_put_json(stdout, text);
        else
            status = cli_fail("no memory for the chunks of a prompt");
        cJSON_free(text);
    }
    fum_prompt_rows_free(&rows);
    return status;
}
