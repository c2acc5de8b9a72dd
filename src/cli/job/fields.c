// SPDX-License-Identifier: MIT
#include "fields.h"

#include "../base64.h"

#include <fumarole/bitmap.h>
#include <fumarole/sampler.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name)   offsetof(struct generate_options, name)
#define PICTURE(name) offsetof(struct generate_options, picture.name)
#define MAX_SEED      9007199254740991.0 // what a JSON number holds exactly

static bool is_among(const struct cli_option *option, const size_t *offsets, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (option->offset == offsets[i]) return true;
    return false;
}
#define IS_AMONG(option, offsets) is_among(option, offsets, sizeof offsets / sizeof *(offsets))

// True for an option whose value is content or a name in jobs from elsewhere, or no file at all.
// Others may name files, so new options with paths are no fields until they are added here.
static bool is_harmless(const struct cli_option *option) {
    static const size_t named[] = {
        FIELD(model),          FIELD(lora),           FIELD(upscale_model),
        FIELD(control.nets),   FIELD(control.images), FIELD(control.preprocess),
        FIELD(control.starts), FIELD(control.ends),   FIELD(control.strengths),
        FIELD(hires.upscaler), PICTURE(mask.path),    PICTURE(init_image.path)};
    bool file = option->kind == CLI_PATH || option->kind == CLI_LIST;
    return file ? IS_AMONG(option, named) : option->offset != PICTURE(max_pixels);
}

// True if jobs have the field. `by_name`: they may not name files.
static bool is_field(const struct cli_option *option, bool by_name) {
    static const size_t never[] = {FIELD(output),       FIELD(save_latents), FIELD(invert),
                                   FIELD(grid_text),    FIELD(control.save), PICTURE(interpolate),
                                   PICTURE(reconstruct)};
    static const size_t more[] = {FIELD(model),
                                  FIELD(upscale_model),
                                  FIELD(upscale_tile),
                                  FIELD(upscale_repeats),
                                  FIELD(control.nets),
                                  FIELD(control.images),
                                  FIELD(control.starts),
                                  FIELD(control.preprocess),
                                  FIELD(control.strengths),
                                  FIELD(control.ends),
                                  FIELD(subseed),
                                  FIELD(outpaint)};
    if (option->kind == CLI_HEADING || IS_AMONG(option, never)) return false;
    if (by_name && !is_harmless(option)) return false;
    return IS_AMONG(option, more) || generate_option_is_of_request(option);
}

// Writes the name of an option as fields have it.
static void write_name(char name[JOB_FIELD_NAME], const char *option) {
    snprintf(name, JOB_FIELD_NAME, "%s", option);
    for (char *c = name; *c; c++) *c = *c == '-' ? '_' : *c;
}

// Refuses a name that no field has.
static bool refuse_name(struct job_error *error, const char *name, bool by_name) {
    char best[JOB_FIELD_NAME] = "", word[JOB_FIELD_NAME];
    int least = INT_MAX;
    write_name(word, name);
    for (const struct cli_option *o = generate_option_table; o->name; o++) {
        char candidate[JOB_FIELD_NAME];
        if (!is_field(o, by_name)) continue;
        write_name(candidate, o->name);
        int distance = fum_text_misspelling(word, candidate);
        if (distance >= least) continue;
        least = distance;
        memcpy(best, candidate, sizeof best);
    }
    const struct cli_shown shown = cli_show(name);
    if (best[0])
        return job_refuse(error, name, "unknown_field",
                          "there is no field \"%s\"; did you mean %s?", shown.text, best);
    return job_refuse(error, name, "unknown_field", "there is no field \"%s\"", shown.text);
}

const struct cli_option *job_field_find(const char *name, const struct job_context *context,
                                        char canonical[JOB_FIELD_NAME], struct job_error *error) {
    bool by_name = context->catalogue != NULL;
    const struct cli_option *option = cli_options_find(generate_option_table, name);
    if (!option || !is_field(option, by_name)) {
        refuse_name(error, name, by_name);
        return NULL;
    }
    const struct cli_option *first = generate_option_table;
    while (first->kind == CLI_HEADING || first->offset != option->offset) first++;
    write_name(canonical, first->name);
    return option;
}

// ---- values ----

static void *place_of(const struct job_reader *r, const struct cli_option *option) {
    return (char *)r->options + option->offset;
}

// Returns the largest value of a field, where the job's context has a lower one.
static double find_max(const struct job_reader *r, const struct cli_option *option) {
    const struct job_context *context = r->context;
    bool steps = option->offset == PICTURE(steps) || option->offset == FIELD(hires.steps);
    if (steps && context->max_steps) return context->max_steps;
    if (option->offset == PICTURE(count) && context->max_pictures) return context->max_pictures;
    return option->max;
}

static bool read_number(struct job_reader *r, const struct cli_option *option, const cJSON *item,
                        double *value) {
    bool whole = option->kind == CLI_INT || option->kind == CLI_SEED;
    double least = option->kind == CLI_SEED ? -1 : option->min,
           most = option->kind == CLI_SEED ? MAX_SEED : find_max(r, option);
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) ||
        (whole && item->valuedouble != floor(item->valuedouble)))
        return job_refuse(r->error, item->string, "wrong_type", "%s must be a %snumber",
                          item->string, whole ? "whole " : "");
    *value = item->valuedouble;
    if (least >= most || (*value >= least && *value <= most)) return true;
    return job_refuse(r->error, item->string, "out_of_range", "%s must lie in %.16g..%.16g",
                      item->string, least, most);
}

static bool read_whole(struct job_reader *r, const struct cli_option *option, const cJSON *item) {
    double value = 0;
    if (!read_number(r, option, item, &value)) return false;
    *(int *)place_of(r, option) = (int)value;
    return true;
}

static bool read_real(struct job_reader *r, const struct cli_option *option, const cJSON *item) {
    double value = 0;
    if (!read_number(r, option, item, &value)) return false;
    if (option->kind == CLI_FLOAT)
        *(float *)place_of(r, option) = (float)value;
    else
        *(double *)place_of(r, option) = value;
    return true;
}

static bool read_seed(struct job_reader *r, const struct cli_option *option, const cJSON *item) {
    double value = 0;
    if (!read_number(r, option, item, &value)) return false;
    *(struct cli_seed *)place_of(r, option) =
        value < 0 ? (struct cli_seed){.random = true} : (struct cli_seed){.value = (uint64_t)value};
    return true;
}

static bool read_flag(struct job_reader *r, const struct cli_option *option, const cJSON *item) {
    if (!cJSON_IsBool(item))
        return job_refuse(r->error, item->string, "wrong_type", "%s must be true or false",
                          item->string);
    *(bool *)place_of(r, option) = cJSON_IsTrue(item);
    return true;
}

static bool check_text(struct job_reader *r, const cJSON *item) {
    return cJSON_IsString(item) ||
           job_refuse(r->error, item->string, "wrong_type", "%s must be a text", item->string);
}

// Checks the length of a text that is no picture.
static bool check_length(struct job_reader *r, const char *text, const char *name) {
    size_t most = r->context->max_prompt, count = 0;
    for (; *text; text++) count += ((unsigned char)*text & 0xc0) != 0x80;
    if (!most || count <= most) return true;
    return job_refuse(r->error, name, "out_of_range", "%s has %zu characters; at most %zu", name,
                      count, most);
}

static bool read_text(struct job_reader *r, const struct cli_option *option, const cJSON *item) {
    if (!check_text(r, item) || !check_length(r, item->valuestring, item->string)) return false;
    if (option->kind == CLI_PATH && !*item->valuestring)
        return job_refuse(r->error, item->string, NULL, "%s must not be empty", item->string);
    *(const char **)place_of(r, option) = item->valuestring;
    return true;
}

// Reads the name of a choice: the command line's, or another tool's.
static bool read_choice(struct job_reader *r, const struct cli_option *option, const cJSON *item) {
    static const char automatic[] = "automatic"; // A1111's name of the model's own
    struct cli_failure failure;
    if (!check_text(r, item)) return false;
    struct cli_parse parse = {
        .options = generate_option_table, .foreign = &cli_foreign_generate, .values = r->options};
    const char *text = item->valuestring;
    bool own = option->kind == CLI_CHOICE && option->label && cli_same_word(text, automatic);
    if (own) *(const char **)place_of(r, option) = NULL;
    if (own || cli_options_set(&parse, option, text)) return true;
    snprintf(failure.text, sizeof failure.text, "%s", parse.message);
    return job_refuse_failure(r->error, &failure);
}

// True if a sampler's name ends in a space and the label of a schedule.
static bool ends_in_label(const char *whole, const char *label) {
    size_t length = strlen(whole), end = strlen(label);
    return length > end + 1 && whole[length - end - 1] == ' ' &&
           cli_same_word(whole + length - end, label);
}

// Finds the longest label of a schedule at the end of a sampler's name, as in "DPM++ 2M Karras" of
// older A1111. Copies the name before it. Returns the schedule's index; -1: there is none.
static int split_sampler(const char *whole, char *sampler, size_t size) {
    size_t longest = 0;
    int found = -1;
    for (int i = 0; fum_schedule_label((size_t)i); i++) {
        const char *label = fum_schedule_label((size_t)i);
        if (strlen(label) <= longest || !ends_in_label(whole, label)) continue;
        longest = strlen(label);
        found = i;
    }
    if (found >= 0) snprintf(sampler, size, "%.*s", (int)(strlen(whole) - longest - 1), whole);
    return found;
}

static bool read_sampler(struct job_reader *r, const struct cli_option *option, const cJSON *item) {
    struct fum_generate_params *picture = &r->options->picture;
    char text[64];
    if (read_choice(r, option, item)) return true;
    int schedule = cJSON_IsString(item) ? split_sampler(item->valuestring, text, sizeof text) : -1;
    if (schedule < 0) return false;
    const cJSON sampler = {.type = cJSON_String, .valuestring = text, .string = item->string};
    if (!read_choice(r, option, &sampler)) return false;
    *r->error = (struct job_error){0};
    if (!picture->schedule) picture->schedule = fum_schedule_name((size_t)schedule);
    return true;
}

// ---- lists ----

// Adds a text of a list, or a number as text where the command line has numbers.
static bool add_to_list(struct job_reader *r, const struct cli_option *option, const cJSON *item,
                        const char *name) {
    struct cli_list *list = place_of(r, option);
    char digits[32], *copy = NULL;
    if (list->count == CLI_LIST_MAX)
        return job_refuse(r->error, name, "out_of_range", "%s has more than %d values", name,
                          CLI_LIST_MAX);
    if (cJSON_IsNumber(item) && option->offset != FIELD(lora)) {
        snprintf(digits, sizeof digits, "%.9g", item->valuedouble);
        copy = cli_copy(digits);
        if (!job_spec_own(r->spec, copy)) return job_refuse_memory(r->error);
    } else if (!cJSON_IsString(item)) {
        return job_refuse(r->error, name, "wrong_type", "%s must be a list of texts", name);
    }
    // Options about ControlNets belong to the nets in order, so all follow the nets.
    bool nets = option->offset == FIELD(control.nets);
    const char *text = copy ? copy : item->valuestring;
    list->order[list->count] = (int)list->count + (nets ? 0 : CLI_LIST_MAX);
    list->at[list->count++] = text;
    return option->offset == FIELD(control.images) || check_length(r, text, name);
}

static bool read_list(struct job_reader *r, const struct cli_option *option, const cJSON *item) {
    struct cli_list *list = place_of(r, option);
    list->count = 0;
    if (!cJSON_IsArray(item) && option->offset != FIELD(lora))
        return add_to_list(r, option, item, item->string);
    if (!cJSON_IsArray(item))
        return job_refuse(r->error, item->string, "wrong_type", "%s must be a list of texts",
                          item->string);
    for (const cJSON *value = item->child; value; value = value->next)
        if (!add_to_list(r, option, value, item->string)) return false;
    return true;
}

// ---- pictures ----

// Decodes a picture that a client sent, and checks that it is one.
static bool decode_picture(struct job_reader *r, const char *text, const char *name,
                           struct job_picture *picture) {
    struct fum_error err = {0};
    *picture = (struct job_picture){.text = text};
    switch (cli_base64_decode(text, &picture->data, &picture->bytes)) {
    case CLI_BASE64_NO_MEMORY: return job_refuse_memory(r->error);
    case CLI_BASE64_BAD:
        return job_refuse(r->error, name, "wrong_type",
                          "%s must be a picture as base64 or a data URL, not a path or another URL",
                          name);
    case CLI_BASE64_GOOD: break;
    }
    if (!job_spec_own(r->spec, picture->data)) return job_refuse_memory(r->error);
    const struct fum_bitmap_file file = {
        .data = picture->data, .bytes = picture->bytes, .name = name};
    struct fum_bitmap bitmap = {0};
    enum fum_result result = fum_bitmap_decode(&bitmap, &file, &err);
    picture->width = bitmap.width;
    picture->height = bitmap.height;
    fum_bitmap_free(&bitmap);
    if (result == FUM_ERR_NOMEM) return job_refuse_memory(r->error);
    return !result || job_refuse(r->error, name, NULL, "%s", err.text);
}

static struct job_picture *add_picture(struct job_reader *r, const char *text, const char *name) {
    const int most = sizeof r->pictures / sizeof *r->pictures;
    if (r->num_pictures == most) {
        job_refuse(r->error, name, "out_of_range", "%s has too many pictures", name);
        return NULL;
    }
    struct job_picture *picture = &r->pictures[r->num_pictures];
    if (!decode_picture(r, text, name, picture)) return NULL;
    r->num_pictures++;
    return picture;
}

static bool read_source(struct job_reader *r, const struct cli_option *option, const cJSON *item) {
    if (!check_text(r, item)) return false;
    const struct job_picture *picture = add_picture(r, item->valuestring, item->string);
    if (!picture) return false;
    struct fum_image_source *source = option->offset == PICTURE(mask.path)
                                          ? &r->options->picture.mask
                                          : &r->options->picture.init_image;
    *source = (struct fum_image_source){.data = picture->data, .bytes = picture->bytes};
    if (source == &r->options->picture.init_image) r->init_image = picture;
    return true;
}

static bool read_control_images(struct job_reader *r, const struct cli_option *option,
                                const cJSON *item) {
    if (!read_list(r, option, item)) return false;
    const struct cli_list *list = place_of(r, option);
    for (size_t i = 0; i < list->count; i++)
        if (!add_picture(r, list->at[i], item->string)) return false;
    return true;
}

// ---- names of files ----

const struct catalogue_entry *job_find_file(struct job_reader *r, enum catalogue_kind kind,
                                            const char *name, const char *param) {
    static const char *const kinds[CATALOGUE_KINDS] = {[CATALOGUE_LORA] = "LoRA",
                                                       [CATALOGUE_UPSCALER] = "upscaler",
                                                       [CATALOGUE_CONTROL] = "ControlNet"};
    const struct catalogue_entry *entry = catalogue_find(r->context->catalogue, kind, name);
    if (!entry)
        job_refuse(r->error, param, "not_found", "%s: there is no %s \"%s\" here", param,
                   kinds[kind], cli_show(name).text);
    return entry;
}

static bool read_upscaler(struct job_reader *r, const struct cli_option *option,
                          const cJSON *item) {
    static const char *const built_in[] = {"latent", "latent-bicubic", "nearest", "lanczos"};
    const char **path = place_of(r, option);
    if (!check_text(r, item)) return false;
    bool hires = option->offset == FIELD(hires.upscaler);
    for (size_t i = 0; hires && i < sizeof built_in / sizeof *built_in; i++) {
        if (strcmp(built_in[i], item->valuestring) != 0) continue;
        *path = built_in[i];
        return true;
    }
    const struct catalogue_entry *entry =
        job_find_file(r, CATALOGUE_UPSCALER, item->valuestring, item->string);
    if (!entry) return false;
    char *copy = cli_copy(entry->path);
    if (!job_spec_own(r->spec, copy)) return job_refuse_memory(r->error);
    *path = copy;
    if (!hires) r->upscale = entry->scale;
    return true;
}

static bool read_controls(struct job_reader *r, const struct cli_option *option,
                          const cJSON *item) {
    const struct cli_list *list = place_of(r, option);
    if (!read_list(r, option, item)) return false;
    for (size_t i = 0; i < list->count; i++)
        if (!job_find_file(r, CATALOGUE_CONTROL, list->at[i], item->string)) return false;
    return true;
}

// ---- all fields ----

typedef bool read_fn(struct job_reader *r, const struct cli_option *option, const cJSON *item);

// Fields that clients from elsewhere give otherwise: content or a name, not a path.
static const struct {
    size_t offset;
    read_fn *read;
} from_elsewhere[] = {
    {PICTURE(init_image.path), read_source},
    {PICTURE(mask.path), read_source},
    {FIELD(control.images), read_control_images},
    {FIELD(control.nets), read_controls},
    {FIELD(hires.upscaler), read_upscaler},
    {FIELD(upscale_model), read_upscaler},
    {PICTURE(sampler), read_sampler},
};

bool job_field_read(struct job_reader *r, const struct cli_option *option, const cJSON *item) {
    static read_fn *const by_kind[] = {
        [CLI_FLAG] = read_flag,  [CLI_STRING] = read_text,   [CLI_PATH] = read_text,
        [CLI_INT] = read_whole,  [CLI_SEED] = read_seed,     [CLI_REAL] = read_real,
        [CLI_FLOAT] = read_real, [CLI_CHOICE] = read_choice, [CLI_ENUM] = read_choice,
        [CLI_LIST] = read_list,
    };
    const size_t count = sizeof from_elsewhere / sizeof *from_elsewhere;
    for (size_t i = 0; r->context->catalogue && i < count; i++)
        if (option->offset == from_elsewhere[i].offset)
            return from_elsewhere[i].read(r, option, item);
    return by_kind[option->kind](r, option, item);
}
