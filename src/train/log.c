// SPDX-License-Identifier: MIT
// Keeps log.jsonl: one JSON object per logged step, in order, each step once.
#include "train/training.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/number.h"

// The rate is one of f32, whose ninth digit is noise.
enum { MAX_LOG = 1 << 30, DIGITS = 9, RATE_DIGITS = 7 };

// One line while it is made.
struct line {
    char text[4096];
    size_t bytes;
};

static void put(struct line *line, const char *fmt, ...) FUM_PRINTF(2, 3);
static void put(struct line *line, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int bytes = vsnprintf(line->text + line->bytes, sizeof line->text - line->bytes, fmt, args);
    va_end(args);
    if (bytes > 0 && line->bytes + (size_t)bytes < sizeof line->text) line->bytes += (size_t)bytes;
}

// Puts a number, or null for a non-finite one, which JSON lacks.
static void put_number(struct line *line, const char *key, int digits, double value) {
    char text[FUM_NUMBER_BYTES];
    put(line, ",\"%s\":%s", key, isfinite(value) ? fum_number_format(text, digits, value) : "null");
}

enum fum_result fum_train_log(const struct fum_training *t, const struct fum_training_step *step,
                              struct fum_error *err) {
    struct line line = {.bytes = 0};
    put(&line, "{\"step\":%lld", (long long)step->step);
    put_number(&line, "loss", DIGITS, step->loss);
    for (int i = 0; i < step->num_terms; i++)
        put_number(&line, step->terms[i], DIGITS, step->values[i]);
    put_number(&line, "lr", RATE_DIGITS, step->lr);
    put_number(&line, "grad_norm", DIGITS, step->gradient_norm);
    put_number(&line, "seconds", DIGITS, step->seconds);
    put_number(&line, "samples_per_second", DIGITS, step->samples_per_second);
    put(&line, "}\n");
    return fum_file_append(t->log_path, line.text, line.bytes, err);
}

// Adds the steps of the log, whose later lines have been removed.
static void parse_history(struct fum_training *t, const char *text) {
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        double values[FUM_HISTORY_SERIES];
        cJSON *json = cJSON_ParseWithLength(line, length);
        for (int i = 0; i < t->history->series; i++)
            values[i] = fum_json_number(json, t->series[i], NAN);
        double step = fum_json_number(json, "step", -1);
        if (step >= 0 && step <= INT32_MAX) fum_history_add(t->history, (int64_t)step, values);
        cJSON_Delete(json);
        line += length + (line[length] == '\n');
    }
}

static enum fum_result read_history(struct fum_training *t, struct fum_error *err) {
    char *text = NULL;
    size_t bytes = 0;
    enum fum_file_kind kind = FUM_FILE_NONE;
    enum fum_result result = fum_file_look(t->log_path, &kind, err);
    if (result || kind == FUM_FILE_NONE) return result;
    result = fum_file_read(t->log_path, MAX_LOG, &text, &bytes, err);
    if (!result) parse_history(t, text);
    fum_free(text);
    return result;
}

enum fum_result fum_train_open_history(struct fum_training *t, struct fum_error *err) {
    static const char *const last[] = {"lr", "grad_norm", "samples_per_second"};
    struct fum_history *h = t->history = fum_calloc(1, sizeof *h);
    if (!h) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the log");
    for (int i = 0; i < t->now->num_terms; i++) t->series[h->series++] = t->now->terms[i].name;
    for (int i = 0; i < 3; i++) t->series[h->series++] = last[i];
    return t->params.resume && fum_train_is_first(t) ? read_history(t, err) : FUM_OK;
}

void fum_train_remember(struct fum_training *t, const struct fum_training_step *step) {
    double values[FUM_HISTORY_SERIES] = {step->loss};
    int count = 1;
    for (int i = 0; i < step->num_terms; i++) values[count++] = step->values[i];
    values[count++] = step->lr;
    values[count++] = step->gradient_norm;
    values[count] = step->samples_per_second;
    fum_history_add(t->history, step->step, values);
}

// Returns the length of the lines whose steps are not after `last`.
static size_t kept_bytes(const char *text, int64_t last) {
    size_t kept = 0;
    for (const char *line = text; *line;) {
        const char *end = strchr(line, '\n');
        if (!end) break;
        cJSON *json = cJSON_ParseWithLength(line, (size_t)(end - line));
        double step = fum_json_number(json, "step", -1);
        cJSON_Delete(json);
        if (step < 0 || step > (double)last) break;
        line = end + 1;
        kept = (size_t)(line - text);
    }
    return kept;
}

enum fum_result fum_train_trim_log(const struct fum_training *t, struct fum_error *err) {
    char *text = NULL;
    size_t bytes = 0;
    enum fum_file_kind kind = FUM_FILE_NONE;
    enum fum_result result = fum_file_look(t->log_path, &kind, err);
    if (result || kind == FUM_FILE_NONE) return result;
    result = fum_file_read(t->log_path, MAX_LOG, &text, &bytes, err);
    if (!result) result = fum_file_save(t->log_path, text, kept_bytes(text, t->step), err);
    fum_free(text);
    return result;
}
