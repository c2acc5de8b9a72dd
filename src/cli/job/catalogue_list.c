// SPDX-License-Identifier: MIT
// Finds the files that a catalogue offers, and reads the defaults of models.
#define _POSIX_C_SOURCE 200809L

#include "catalogue_inner.h"

#include <fumarole/contents.h>
#include <fumarole/file.h>
#include <fumarole/sampler.h>

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Hashes of larger models are computed meanwhile.
#define FAST_BYTES (UINT64_C(64) << 20)

// ---- folders ----

struct names {
    char **at;
    size_t count;
};

static void free_names(struct names *names) {
    for (size_t i = 0; i < names->count; i++) free(names->at[i]);
    free(names->at);
    *names = (struct names){0};
}

static bool add_name(struct names *names, const char *name) {
    char **grown = realloc(names->at, (names->count + 1) * sizeof *grown);
    if (!grown) return false;
    names->at = grown;
    names->at[names->count] = cli_copy(name);
    return names->at[names->count] && ++names->count;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Lists a folder, without hidden files. Returns 0, or prints the error and returns an exit status.
static int list_names(struct names *names, const char *folder) {
    DIR *dir = opendir(folder);
    const struct dirent *entry = NULL;
    bool good = true;
    if (!dir) return cli_fail("%s: %s", folder, strerror(errno));
    while (good && (errno = 0, entry = readdir(dir)))
        if (entry->d_name[0] != '.') good = add_name(names, entry->d_name);
    int why = good ? errno : ENOMEM;
    closedir(dir);
    if (why) return cli_fail("cannot list %s: %s", folder, strerror(why));
    if (names->count) qsort(names->at, names->count, sizeof *names->at, by_name);
    return 0;
}

static enum fum_file_kind look_at(const char *path) {
    enum fum_file_kind kind = FUM_FILE_NONE;
    return fum_file_look(path, &kind, NULL) ? FUM_FILE_NONE : kind;
}

static bool ends_in(const char *path, const char *const *endings) {
    const char *dot = strrchr(path, '.');
    for (; dot && *endings; endings++)
        if (strcmp(dot, *endings) == 0) return true;
    return false;
}

static const char *const weight_endings[] = {".safetensors", ".ckpt", ".gguf", ".pth",
                                             ".pt",          ".bin",  NULL};

// ---- models ----

// Stores the default schedule of every sampler.
static bool set_schedules(struct catalogue *catalogue, struct catalogue_entry *entry,
                          const fum_model *model) {
    size_t count = 0;
    while (fum_sampler_name(count)) count++;
    const char **schedules = catalogue_own(catalogue, malloc((count + 1) * sizeof *schedules));
    for (size_t i = 0; schedules && i < count; i++)
        schedules[i] = fum_model_schedule(model, fum_sampler_name(i));
    entry->schedules = schedules;
    entry->schedule = fum_model_schedule(model, NULL);
    return schedules != NULL;
}

static uint64_t count_bytes(const fum_model *model) {
    struct fum_component_info component;
    uint64_t bytes = 0;
    for (int i = 0; fum_model_get_component(model, i, &component); i++) bytes += component.bytes;
    return bytes;
}

// Returns the path whose last part names a model. It is the folder that was given, if the model was
// found within, as in that of a training.
static const char *choose_path(const char *given, const char *path) {
    size_t length = given ? strlen(given) : 0;
    while (length > 1 && given[length - 1] == '/') length--;
    bool within = length > 0 && strncmp(path, given, length) == 0 && path[length] == '/';
    return within ? given : path;
}

// Adds an open model that was found at a path. Returns 0, or prints the error and returns an exit
// status.
static int add_model(struct catalogue *catalogue, const fum_model *model, const char *given) {
    const struct fum_model_info *info = fum_model_get_info(model);
    bool taken;
    char hash[65];
    struct catalogue_row *row = catalogue_add_within(catalogue, CATALOGUE_MODEL, info->path,
                                                     choose_path(given, info->path), &taken);
    if (taken) catalogue_log(catalogue, "%s: another model has its name", info->path);
    if (taken) return 0;
    char *sampler = row ? catalogue_own(catalogue, cli_copy(info->sampler)) : NULL;
    if (!sampler || !set_schedules(catalogue, &row->entry, model)) return cli_fail("out of memory");
    row->entry.width = info->width;
    row->entry.height = info->height;
    row->entry.steps = info->steps;
    row->entry.size_multiple = info->size_multiple;
    row->entry.guidance = info->guidance;
    row->entry.sampler = sampler;
    row->entry.takes_prompt = info->takes_prompt;
    row->slow = count_bytes(model) > FAST_BYTES;
    size_t models = catalogue->shelves[CATALOGUE_MODEL].count;
    char **made = realloc(catalogue->made, 2 * models * sizeof *made);
    if (!made) return cli_fail("out of memory");
    catalogue->made = made;
    if (!row->slow && !fum_model_hash(model, hash, NULL, NULL, NULL))
        catalogue_set_hash(catalogue, row, hash);
    return 0;
}

// Adds a model that was named. NULL: the shipped one.
static int add_named(struct catalogue *catalogue, const char *path) {
    char program_dir[CLI_PATH_BYTES];
    struct fum_error err = {0};
    fum_model *model = NULL;
    const struct fum_model_params params = {
        .path = path, .program_dir = cli_program_dir(program_dir), .log = catalogue->log};
    enum fum_result result = fum_model_open(&model, &params, &err);
    if (result) return cli_fail_result(result, &err);
    const struct fum_model_info *info = fum_model_get_info(model);
    int status =
        info->unusable ? cli_fail("%s", info->unusable) : add_model(catalogue, model, path);
    fum_model_destroy(&model);
    return status;
}

// Adds a ControlNet, or says why a path of the models' folder is skipped.
static int add_other(struct catalogue *catalogue, const char *path, const char *why) {
    fum_contents *contents = NULL;
    bool taken = false, control = false;
    struct fum_error err = {0};
    if (!fum_contents_open(&contents, path, &err) && contents) {
        const char *kind = fum_contents_get_info(contents)->kind;
        control = strcmp(kind, "controlnet") == 0 || strcmp(kind, "t2i_adapter") == 0;
    }
    fum_contents_close(&contents);
    if (!control) catalogue_log(catalogue, "skipped, since it is no model that can draw: %s", why);
    if (!control || catalogue_add(catalogue, CATALOGUE_CONTROL, path, &taken) || taken) return 0;
    return cli_fail("out of memory");
}

// Adds what lies at a path of the models' folder.
static int add_found(struct catalogue *catalogue, const char *path) {
    enum fum_file_kind kind = look_at(path);
    struct fum_error err = {0};
    fum_model *model = NULL;
    const struct fum_model_params params = {.path = path};
    if (kind != FUM_FILE_FOLDER && (kind != FUM_FILE_REGULAR || !ends_in(path, weight_endings)))
        return 0;
    if (fum_model_open(&model, &params, &err)) return add_other(catalogue, path, err.text);
    const struct fum_model_info *info = fum_model_get_info(model);
    int status = info->unusable ? add_other(catalogue, path, info->unusable)
                                : add_model(catalogue, model, path);
    fum_model_destroy(&model);
    return status;
}

// ---- other files ----

// True if PEFT saved an adapter in the folder.
static bool is_saved_adapter(const char *folder) {
    static const char *const saved[] = {"adapter_model.safetensors", "adapter_model.bin"};
    bool found = false;
    for (int i = 0; i < 2 && !found; i++) {
        char *inside = cli_join(folder, saved[i]);
        found = inside && look_at(inside) == FUM_FILE_REGULAR;
        free(inside);
    }
    return found;
}

// True if files may lie in the folder, each by itself.
static bool may_hold_others(const char *path) {
    return look_at(path) == FUM_FILE_FOLDER && !is_saved_adapter(path) &&
           access(path, R_OK | X_OK) == 0;
}

// Adds a LoRA: a file of weights, or a folder that PEFT saved.
static int add_adapter(struct catalogue *catalogue, const char *path) {
    enum fum_file_kind kind = look_at(path);
    bool taken = false, found = kind == FUM_FILE_REGULAR && ends_in(path, weight_endings);
    if (kind == FUM_FILE_FOLDER) found = is_saved_adapter(path);
    if (!found || catalogue_add(catalogue, CATALOGUE_LORA, path, &taken) || taken) return 0;
    return cli_fail("out of memory");
}

static int add_embedding(struct catalogue *catalogue, const char *path) {
    bool taken = false;
    if (look_at(path) != FUM_FILE_REGULAR || !ends_in(path, weight_endings) ||
        catalogue_add(catalogue, CATALOGUE_EMBEDDING, path, &taken) || taken)
        return 0;
    return cli_fail("out of memory");
}

// Returns the number of a fact; 0: there is no such fact.
static int find_number(const struct fum_contents_info *info, const char *name) {
    for (int i = 0; i < info->num_facts; i++)
        if (strcmp(info->facts[i].name, name) == 0) return atoi(info->facts[i].text);
    return 0;
}

// Adds a network that enlarges pictures.
static int add_upscaler(struct catalogue *catalogue, const char *path) {
    struct fum_error err = {0};
    fum_contents *contents = NULL;
    bool taken = false;
    int scale = -1;
    if (look_at(path) != FUM_FILE_REGULAR || !ends_in(path, weight_endings)) return 0;
    if (!fum_contents_open(&contents, path, &err) && contents) {
        const struct fum_contents_info *info = fum_contents_get_info(contents);
        if (strcmp(info->kind, "upscaler") == 0) scale = find_number(info, "scale");
    }
    fum_contents_close(&contents);
    if (scale < 0)
        catalogue_log(catalogue, "%s: skipped, since it is no network that enlarges pictures",
                      path);
    if (scale < 0) return 0;
    struct catalogue_row *row = catalogue_add(catalogue, CATALOGUE_UPSCALER, path, &taken);
    if (row) row->entry.scale = scale;
    return row || taken ? 0 : cli_fail("out of memory");
}

// Adds what a folder holds. LoRAs and embeddings in the folders below follow, as the library finds
// them.
static int add_level(struct catalogue *catalogue, enum catalogue_kind kind, const char *folder,
                     int depth) {
    enum { MAX_DEPTH = 8 };
    static int (*const adds[])(struct catalogue * catalogue,
                               const char *path) = {[CATALOGUE_MODEL] = add_found,
                                                    [CATALOGUE_LORA] = add_adapter,
                                                    [CATALOGUE_EMBEDDING] = add_embedding,
                                                    [CATALOGUE_UPSCALER] = add_upscaler};
    bool nested = kind == CATALOGUE_LORA || kind == CATALOGUE_EMBEDDING;
    struct names names = {0};
    int status = list_names(&names, folder);
    for (int below = 0; below < 2; below++) {
        for (size_t i = 0; i < names.count && status == 0; i++) {
            char *path = cli_join(folder, names.at[i]);
            if (!path)
                status = cli_fail("out of memory");
            else if (!below)
                status = adds[kind](catalogue, path);
            else if (nested && depth < MAX_DEPTH && may_hold_others(path))
                status = add_level(catalogue, kind, path, depth + 1);
            free(path);
        }
    }
    free_names(&names);
    return status;
}

// Adds all that a folder holds. NULL: there is no such folder.
static int add_folder(struct catalogue *catalogue, enum catalogue_kind kind, const char *folder) {
    if (!folder) return 0;
    catalogue->shelves[kind].folder = cli_copy(folder);
    if (!catalogue->shelves[kind].folder) return cli_fail("out of memory");
    return add_level(catalogue, kind, folder, 0);
}

// ---- all ----

static int lower(char c) {
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

// Orders rows by name, in any case.
static int by_row_name(const void *a, const void *b) {
    const char *x = (*(struct catalogue_row *const *)a)->entry.name,
               *y = (*(struct catalogue_row *const *)b)->entry.name;
    for (const char *p = x, *q = y; *p || *q; p++, q++) {
        if (lower(*p) != lower(*q)) return lower(*p) < lower(*q) ? -1 : 1;
    }
    return strcmp(x, y);
}

// Sorts the models after the first one, if that was named; else all.
static void sort_rows(struct catalogue *catalogue, bool named) {
    for (int kind = 0; kind < CATALOGUE_KINDS; kind++) {
        struct catalogue_shelf *shelf = &catalogue->shelves[kind];
        size_t first = kind == CATALOGUE_MODEL && named ? 1 : 0;
        if (shelf->count > first + 1)
            qsort(shelf->rows + first, shelf->count - first, sizeof *shelf->rows, by_row_name);
    }
}

int catalogue_list(struct catalogue *catalogue, const struct catalogue_params *params) {
    const struct cli_list *named = params->models;
    int status = 0;
    for (size_t i = 0; named && i < named->count && status == 0; i++)
        status = add_named(catalogue, named->at[i]);
    bool first = catalogue->shelves[CATALOGUE_MODEL].count > 0;
    if (status == 0) status = add_folder(catalogue, CATALOGUE_MODEL, params->models_dir);
    if (status == 0 && !catalogue->shelves[CATALOGUE_MODEL].count)
        status = add_named(catalogue, NULL);
    if (status == 0) status = add_folder(catalogue, CATALOGUE_LORA, params->lora_dir);
    if (status == 0) status = add_folder(catalogue, CATALOGUE_EMBEDDING, params->embeddings_dir);
    if (status == 0) status = add_folder(catalogue, CATALOGUE_UPSCALER, params->upscalers_dir);
    if (status == 0) sort_rows(catalogue, first);
    return status;
}
