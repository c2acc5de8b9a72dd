// SPDX-License-Identifier: MIT
#include "options.h"

#include "api_names.h"

#include <math.h>
#include <string.h>

// What an option does.
enum option_use {
    OPTION_FREE,  // nothing here
    OPTION_FIXED, // nothing, so it may only have certain values
    OPTION_MODEL,
    OPTION_HASH, // of the model; what is given is not kept
    OPTION_CLIP_SKIP,
    OPTION_EMPHASIS,
    OPTION_NOISE,
    OPTION_PREVIEWS,
    OPTION_PREVIEW_TYPE,
};

static const struct option_row {
    const char *name, *usual; // JSON
    enum option_use use;
    const char *choices; // JSON array
} rows[] = {
#define OPTION(name, usual, use, choices) {name, usual, OPTION_##use, choices},
#include "options.def"
#undef OPTION
};
enum { NUM_ROWS = sizeof rows / sizeof *rows, MAX_CLIP_SKIP = 12 };

// ---- checking ----

static const struct option_row *find_row(const char *name) {
    for (size_t i = 0; i < NUM_ROWS; i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}

static bool refuse(struct job_error *error, const char *name, const char *what) {
    *error = (struct job_error){.refusal = JOB_BAD_VALUE, .code = "invalid_value"};
    fum_text_escape(error->param, sizeof error->param, name, strlen(name));
    snprintf(error->message, sizeof error->message, "option %s %s", cli_show(name).text, what);
    return false;
}

// True if the value is one of a JSON array.
static bool is_choice(const char *choices, const cJSON *value) {
    cJSON *array = cJSON_Parse(choices);
    const cJSON *one;
    bool found = false;
    cJSON_ArrayForEach(one, array) found = found || cJSON_Compare(one, value, true);
    cJSON_Delete(array);
    return found;
}

static bool is_usual(const struct option_row *row, const cJSON *value) {
    cJSON *usual = cJSON_Parse(row->usual);
    bool same = cJSON_Compare(usual, value, true);
    cJSON_Delete(usual);
    return same;
}

static bool has_usual_type(const struct option_row *row, const cJSON *value) {
    cJSON *usual = cJSON_Parse(row->usual);
    bool same = cJSON_IsNull(value) || cJSON_IsNull(usual) ||
                (cJSON_IsBool(usual) && cJSON_IsBool(value)) ||
                (cJSON_IsNumber(usual) && cJSON_IsNumber(value)) ||
                (cJSON_IsString(usual) && cJSON_IsString(value)) ||
                (cJSON_IsArray(usual) && cJSON_IsArray(value));
    cJSON_Delete(usual);
    return same;
}

static bool check_model(struct server *server, const cJSON *value, struct job_error *error) {
    if (cJSON_IsNull(value)) return true;
    if (!cJSON_IsString(value)) return refuse(error, "sd_model_checkpoint", "must be a text");
    const char *name = value->valuestring;
    const struct catalogue *catalogue = server_catalogue(server);
    bool found = !*name || catalogue_find(catalogue, CATALOGUE_MODEL, name);
    server_catalogue_done(server);
    if (found) return true;
    refuse(error, "sd_model_checkpoint", "");
    error->refusal = JOB_UNKNOWN_MODEL;
    snprintf(error->message, sizeof error->message, "sd_model_checkpoint: there is no model \"%s\"",
             cli_show(name).text);
    return false;
}

static bool check_skip(const cJSON *value, struct job_error *error) {
    double n = value->valuedouble;
    if (cJSON_IsNumber(value) && n == floor(n) && n >= 1 && n <= MAX_CLIP_SKIP) return true;
    return refuse(error, "CLIP_stop_at_last_layers", "must be a whole number in 1..12");
}

static bool check_option(struct server *server, const cJSON *value, struct job_error *error) {
    const struct option_row *row = find_row(value->string);
    char what[200];
    if (!row) {
        refuse(error, value->string, "is not known");
        error->code = "unknown_field";
        return false;
    }
    if (row->use == OPTION_MODEL) return check_model(server, value, error);
    if (row->use == OPTION_CLIP_SKIP) return check_skip(value, error);
    if (is_usual(row, value)) return true;
    if (!has_usual_type(row, value)) return refuse(error, row->name, "has a value of another type");
    if (row->choices ? is_choice(row->choices, value) : row->use != OPTION_FIXED) return true;
    snprintf(what, sizeof what, "is not supported with this value; it can be %.120s",
             row->choices ? row->choices : row->usual);
    return refuse(error, row->name, what);
}

bool options_check(struct server *server, const cJSON *changes, struct job_error *error) {
    const cJSON *value;
    cJSON_ArrayForEach(value, changes) {
        if (!check_option(server, value, error)) return false;
    }
    return true;
}

// ---- changing ----

// Returns the value to keep. A model is kept by its name, since a title has a hash that changes.
static cJSON *make_kept(struct server *server, const cJSON *value) {
    const struct option_row *row = find_row(value->string);
    if (row->use != OPTION_MODEL || !cJSON_IsString(value) || !*value->valuestring)
        return cJSON_Duplicate(value, true);
    const struct catalogue *catalogue = server_catalogue(server);
    const struct catalogue_entry *entry =
        catalogue_find(catalogue, CATALOGUE_MODEL, value->valuestring);
    cJSON *name = cJSON_CreateString(entry ? entry->name : value->valuestring);
    server_catalogue_done(server);
    return name;
}

// Returns the changes as they are kept, or NULL: memory is out.
static cJSON *make_changes(struct server *server, const cJSON *changes) {
    cJSON *made = cJSON_CreateObject();
    const cJSON *change;
    bool good = made != NULL;
    cJSON_ArrayForEach(change, changes) {
        if (!good || find_row(change->string)->use == OPTION_HASH) continue;
        cJSON *kept = make_kept(server, change);
        good = kept && cJSON_AddItemToObject(made, change->string, kept);
        if (!good) cJSON_Delete(kept);
    }
    if (good) return made;
    cJSON_Delete(made);
    return NULL;
}

enum fum_result options_change(struct server *server, const cJSON *changes, struct fum_error *err) {
    cJSON *made = make_changes(server, changes);
    enum fum_result result = made ? options_keep(server->a1111_options, made, err) : FUM_ERR_NOMEM;
    cJSON_Delete(made);
    return result;
}

// ---- reading ----

// Puts the model's present title and hash into a list. A model that is gone is the default again.
static bool put_model(struct server *server, cJSON *list) {
    const char *name = api_member_text(list, "sd_model_checkpoint");
    const struct catalogue *catalogue = server_catalogue(server);
    const struct catalogue_entry *entry =
        *name ? catalogue_find(catalogue, CATALOGUE_MODEL, name) : NULL;
    if (!entry) entry = catalogue_at(catalogue, CATALOGUE_MODEL, 0);
    cJSON *title = entry ? cJSON_CreateString(entry->title) : cJSON_CreateNull();
    cJSON *hash = cJSON_CreateString(entry && entry->hash ? entry->hash : "");
    server_catalogue_done(server);
    bool good = title && cJSON_ReplaceItemInObjectCaseSensitive(list, "sd_model_checkpoint", title);
    if (!good) cJSON_Delete(title);
    bool both = hash && cJSON_ReplaceItemInObjectCaseSensitive(list, "sd_checkpoint_hash", hash);
    if (!both) cJSON_Delete(hash);
    return good && both;
}

static bool put_option(cJSON *list, const struct option_row *row, const cJSON *values,
                       const cJSON *changes) {
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(changes, row->name);
    if (!value) value = cJSON_GetObjectItemCaseSensitive(values, row->name);
    cJSON *copy = value ? cJSON_Duplicate(value, true) : cJSON_Parse(row->usual);
    if (copy && cJSON_AddItemToObject(list, row->name, copy)) return true;
    cJSON_Delete(copy);
    return false;
}

cJSON *options_list(struct server *server, const cJSON *changes) {
    cJSON *list = cJSON_CreateObject(), *values = options_copy(server->a1111_options);
    bool good = list && values;
    for (size_t i = 0; i < NUM_ROWS && good; i++)
        good = put_option(list, &rows[i], values, changes);
    cJSON_Delete(values);
    if (good && put_model(server, list)) return list;
    cJSON_Delete(list);
    return NULL;
}

// ---- jobs ----

// Returns how previews are made; NULL: in colours, if the model's are known. So are those of TAESD,
// which a model may come without.
static const char *find_preview(const cJSON *options) {
    const char *type = api_member_text(options, "show_progress_type");
    if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(options, "live_previews_enable")))
        return "none";
    return strcmp(type, "Full") == 0 ? "vae" : NULL;
}

bool options_set_fields(struct api_call *call, const cJSON *options) {
    double skip = api_member_number(options, "CLIP_stop_at_last_layers");
    const char *model = api_member_text(options, "sd_model_checkpoint");
    const char *emphasis = api_member_text(options, "emphasis"), *preview = find_preview(options);
    bool cpu = strcmp(api_member_text(options, "randn_source"), "CPU") == 0;
    return (!*model || api_set_text(call, "model", model)) &&
           // the first layer from the end is A1111's default, for which a model may have another
           (skip <= 1 || api_set_number(call, "clip_skip", skip)) &&
           (strcmp(emphasis, "Original") == 0 ||
            api_set_text(call, "emphasis", strcmp(emphasis, "None") == 0 ? "none" : "no-norm")) &&
           (!cpu || api_set_text(call, "rng", "cpu")) &&
           (!preview || api_set_text(call, "preview", preview));
}
