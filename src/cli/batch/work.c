// SPDX-License-Identifier: MIT
#include "work.h"

#include "../job/json.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_JOINT = 16 }; // pictures that samplers with common steps draw together

// How fast a device draws.
struct worker_pace {
    bool active;
    int pictures;
    double seconds; // of them, but for the first, before which the model is loaded
};

struct work {
    struct work_params params;
    pthread_mutex_t lock;
    struct work_line *lines;
    size_t count, capacity;
    size_t at; // first line with pictures that were not handed out
    struct work_unit *returned;
    size_t num_returned, return_capacity;
    struct worker_pace *paces;
    int num_paces;
    int done, all; // pictures
    bool stopped;
    int status;
};

// ---- reading lines ----

static void report_line(const struct work *work, int number, const char *why) {
    cli_put_line(stderr, "%s: line %d: %s", work->params.name, number, why);
}

// Parses the fields of a job. Returns NULL with the reason.
static cJSON *parse_fields(const char *text, size_t bytes, struct job_error *error) {
    struct job_json_error bad = {0};
    cJSON *json = NULL;
    enum cli_json read = job_json_read(&json, text, bytes, &bad);
    if (read == CLI_JSON_NO_MEMORY)
        *error = (struct job_error){.refusal = JOB_NO_MEMORY, .message = "out of memory"};
    else if (read == CLI_JSON_BAD)
        snprintf(error->message, sizeof error->message, "%s", bad.text);
    return json;
}

bool work_read_job(struct job_spec *job, const char *fields,
                   const struct generate_options *defaults, struct job_error *error) {
    const struct job_context context = {.defaults = defaults};
    *job = (struct job_spec){0};
    *error = (struct job_error){0};
    cJSON *json = parse_fields(fields, strlen(fields), error);
    bool good = json && job_spec_read(job, json, &context, error);
    cJSON_Delete(json);
    return good;
}

// True if the line leaves its seed to chance.
static bool is_random(const cJSON *fields, const struct generate_options *defaults) {
    const cJSON *seed = cJSON_GetObjectItemCaseSensitive(fields, "seed");
    return seed ? cJSON_IsNumber(seed) && seed->valuedouble < 0 : defaults->seed.random;
}

// Gives a job that left its seed to chance the seed of its pictures that are there.
static bool keep_seed(const struct work *work, int number, struct job_spec *job) {
    const struct manifest_entry *entry = manifest_find(work->params.manifest, number);
    if (!entry) return true;
    bool shared = job->request.options.picture.subseed_strength > 0; // by all pictures
    cJSON *seed = cJSON_CreateNumber((double)entry->seed - (shared ? 0 : entry->index));
    return cli_json_put(job->fields, "seed", seed);
}

// Returns the number of pictures that are drawn together.
static int find_group(const struct job_spec *job) {
    const struct fum_generate_params *picture = &job->request.options.picture;
    const char *sampler =
        cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(job->parameters, "sampling_method"));
    if (picture->batch > 0) return picture->batch;
    if (!sampler) sampler = picture->sampler ? picture->sampler : "";
    return strcmp(sampler, "pc") == 0 || strcmp(sampler, "ode") == 0 ? MAX_JOINT : 1;
}

static struct work_line *append_line(struct work *work) {
    if (work->count == work->capacity) {
        size_t capacity = work->capacity ? 2 * work->capacity : 64;
        struct work_line *grown = realloc(work->lines, capacity * sizeof *grown);
        if (!grown) return NULL;
        work->lines = grown;
        work->capacity = capacity;
    }
    return &work->lines[work->count];
}

// Adds a line of this job, and marks the pictures that are there.
static int add_line(struct work *work, int number, const struct job_spec *job) {
    struct work_line *line = append_line(work);
    if (!line) return cli_fail("out of memory");
    int count = job->request.options.picture.count > 0 ? job->request.options.picture.count : 1;
    *line = (struct work_line){.number = number, .count = count, .group = find_group(job)};
    line->fields = cli_json_print(job->fields);
    line->done = calloc((size_t)count, sizeof *line->done);
    work->count++;
    if (!line->fields || !line->done) return cli_fail("out of memory");
    const struct manifest *manifest = work->params.manifest;
    const struct manifest_entry *entry = manifest_find(manifest, number);
    for (; entry && entry < manifest->entries + manifest->count && entry->line == number; entry++)
        if (entry->index < count) {
            line->done[entry->index] = true;
            work->done++;
        }
    work->all += count;
    return 0;
}

// Reads a line, or reports why it is broken.
static int read_line(struct work *work, const struct cli_line *text) {
    const struct job_context context = {.defaults = work->params.defaults};
    struct job_error error = {0};
    struct job_spec job = {0};
    int status = 0;
    cJSON *json = parse_fields(text->text, text->bytes, &error);
    if (json && job_spec_read(&job, json, &context, &error)) {
        bool kept = !is_random(json, context.defaults) || keep_seed(work, text->number, &job);
        status = kept ? add_line(work, text->number, &job) : cli_fail("out of memory");
    } else if (error.refusal == JOB_NO_MEMORY) {
        status = cli_fail("out of memory");
    } else {
        report_line(work, text->number, error.message);
        work->status = CLI_FAILED;
    }
    job_spec_free(&job);
    cJSON_Delete(json);
    return status;
}

static bool is_blank(const struct cli_line *line) {
    size_t i = 0;
    while (i < line->bytes && strchr(" \t\r", line->text[i])) i++;
    return i == line->bytes;
}

static int read_lines(struct work *work) {
    struct cli_line line = {0};
    int status = 0;
    while (status == 0 && !cli_interrupted() && cli_read_line(work->params.file, &line))
        if (!is_blank(&line)) status = read_line(work, &line);
    if (status == 0 && line.failure)
        status = cli_fail("%s: line %d: %s", work->params.name, line.number, line.failure);
    free(line.text);
    return status;
}

int work_create(struct work **created, const struct work_params *params) {
    struct work *work = calloc(1, sizeof *work);
    *created = work;
    if (!work) return cli_fail("out of memory");
    work->params = *params;
    pthread_mutex_init(&work->lock, NULL);
    return read_lines(work);
}

void work_destroy(struct work **destroyed) {
    struct work *work = *destroyed;
    if (!work) return;
    for (size_t i = 0; i < work->count; i++) {
        free(work->lines[i].fields);
        free(work->lines[i].done);
    }
    free(work->lines);
    free(work->returned);
    free(work->paces);
    pthread_mutex_destroy(&work->lock);
    free(work);
    *destroyed = NULL;
}

// ---- handing out ----

// Cuts off the ends of a unit that are done. Returns false if nothing is left.
static bool trim_unit(struct work_unit *unit) {
    const struct work_line *line = unit->line;
    while (unit->first < unit->end && line->done[unit->first]) unit->first++;
    while (unit->end > unit->first && line->done[unit->end - 1]) unit->end--;
    return !line->failed && unit->first < unit->end;
}

// Takes the next pictures of a line.
static bool take_of_line(const struct work *work, struct work_line *line, struct work_unit *unit) {
    while (!line->failed && line->next < line->count) {
        int end = (line->next / line->group + 1) * line->group;
        if (work->params.whole_lines || end > line->count) end = line->count;
        *unit = (struct work_unit){line, line->next, end};
        line->next = end;
        if (trim_unit(unit)) return true;
    }
    return false;
}

int work_join(struct work *work) {
    pthread_mutex_lock(&work->lock);
    int number = work->num_paces;
    struct worker_pace *grown = realloc(work->paces, ((size_t)number + 1) * sizeof *work->paces);
    if (grown) {
        grown[number] = (struct worker_pace){.active = true};
        work->paces = grown;
        work->num_paces++;
    }
    pthread_mutex_unlock(&work->lock);
    return grown ? number : -1;
}

void work_leave(struct work *work, int worker) {
    pthread_mutex_lock(&work->lock);
    work->paces[worker].active = false;
    pthread_mutex_unlock(&work->lock);
}

// Returns the pictures that a device draws in a second; 0: not known yet.
static double find_rate(const struct worker_pace *pace) {
    return pace->active && pace->pictures > 1 ? (pace->pictures - 1) / pace->seconds : 0;
}

// True if the other devices will have drawn all that is left before this one could draw a picture.
// Never true of the fastest, so that one always goes on.
static bool is_too_slow(const struct work *work, int worker) {
    double own = find_rate(&work->paces[worker]), others = 0, fastest = 0;
    for (int i = 0; i < work->num_paces; i++) {
        double rate = i == worker ? 0 : find_rate(&work->paces[i]);
        others += rate;
        fastest = rate > fastest ? rate : fastest;
    }
    return own > 0 && fastest > own && (work->all - work->done) / others < 1 / own;
}

bool work_take(struct work *work, int worker, struct work_unit *unit) {
    bool taken = false;
    pthread_mutex_lock(&work->lock);
    bool idle = is_too_slow(work, worker);
    while (!idle && !taken && !work->stopped && work->num_returned) {
        *unit = work->returned[--work->num_returned];
        taken = trim_unit(unit);
    }
    while (!idle && !taken && !work->stopped && work->at < work->count) {
        taken = take_of_line(work, &work->lines[work->at], unit);
        if (!taken) work->at++;
    }
    pthread_mutex_unlock(&work->lock);
    return taken;
}

void work_give_back(struct work *work, const struct work_unit *unit) {
    pthread_mutex_lock(&work->lock);
    if (work->num_returned == work->return_capacity) {
        size_t capacity = work->return_capacity ? 2 * work->return_capacity : 16;
        struct work_unit *grown = realloc(work->returned, capacity * sizeof *grown);
        if (grown) {
            work->returned = grown;
            work->return_capacity = capacity;
        }
    }
    if (work->num_returned < work->return_capacity) {
        work->returned[work->num_returned++] = *unit;
    } else { // its pictures stay for the next run
        work->status = cli_fail("out of memory");
        work->stopped = true;
    }
    pthread_mutex_unlock(&work->lock);
}

static int compare_number(const void *key, const void *line) {
    int wanted = *(const int *)key, number = ((const struct work_line *)line)->number;
    return (wanted > number) - (wanted < number);
}

struct work_line *work_find(struct work *work, int number) {
    if (!work->count) return NULL;
    return bsearch(&number, work->lines, work->count, sizeof *work->lines, compare_number);
}

// ---- what was drawn ----

// Writes a picture and reports it.
static enum fum_result write_picture(struct work *work, const struct work_picture *picture) {
    const struct manifest_row *row = &picture->row;
    struct fum_error err = {0};
    char name[MANIFEST_NAME_BYTES];
    cli_hold_signals(true);
    enum fum_result result = manifest_add(work->params.manifest, row, &err);
    cli_hold_signals(false);
    if (result != FUM_OK) {
        work->status = cli_fail_result(result, &err);
        work->stopped = true;
        return result;
    }
    manifest_name(name, row->line, row->index);
    cli_put_line(stdout, "%s: %d x %d, seed %llu, on %s, %.2f s", name, picture->width,
                 picture->height, (unsigned long long)row->seed, row->device, row->seconds);
    fflush(stdout);
    return FUM_OK;
}

bool work_add(struct work *work, const struct work_picture *picture) {
    const struct manifest_row *row = &picture->row;
    struct work_line *line = work_find(work, row->line);
    enum fum_result result = FUM_OK;
    if (!line || row->index < 0 || row->index >= line->count) return true;
    pthread_mutex_lock(&work->lock);
    struct worker_pace *pace = &work->paces[picture->worker];
    if (pace->pictures++) pace->seconds += row->seconds;
    if (!line->done[row->index]) {
        result = write_picture(work, picture);
        if (result == FUM_OK) work->done++;
        line->done[row->index] = result == FUM_OK;
    }
    pthread_mutex_unlock(&work->lock);
    return result == FUM_OK;
}

void work_fail_line(struct work *work, struct work_line *line, const char *why) {
    pthread_mutex_lock(&work->lock);
    if (!line->failed) {
        report_line(work, line->number, why);
        line->failed = true;
        work->status = work->status ? work->status : CLI_FAILED;
        for (int i = 0; i < line->count; i++) work->all -= !line->done[i];
    }
    pthread_mutex_unlock(&work->lock);
}

void work_stop(struct work *work, int status) {
    pthread_mutex_lock(&work->lock);
    work->stopped = true;
    if (status) work->status = status;
    pthread_mutex_unlock(&work->lock);
}

bool work_stopped(struct work *work) {
    pthread_mutex_lock(&work->lock);
    bool stopped = work->stopped;
    pthread_mutex_unlock(&work->lock);
    return stopped || cli_interrupted();
}

bool work_count(struct work *work, int *done, int *all) {
    pthread_mutex_lock(&work->lock);
    *done = work->done;
    *all = work->all;
    pthread_mutex_unlock(&work->lock);
    return *done < *all;
}

int work_status(struct work *work) {
    pthread_mutex_lock(&work->lock);
    int status = work->status;
    pthread_mutex_unlock(&work->lock);
    return status;
}
