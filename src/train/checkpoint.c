// SPDX-License-Identifier: MIT
// Saves a run so that it goes on with equal bits, and opens it again.
#include "train/training.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/number.h"
#include "graph/graph.h"
#include "io/safetensors.h"

// The tensors of a file that is being written.
struct tensor_list {
    fum_arena *arena;
    struct fum_safetensors_tensor *items;
    size_t count, capacity;
    float **values;
    size_t value_capacity;
    struct fum_training *training;
};

// Returns what follows the prefix of a companion of a network's parameter, or NULL.
static const char *after_companion(const char *name) {
    static const char *const prefixes[] = {"optimiser.first.", "optimiser.second.", "optimiser.",
                                           "ema."};
    for (size_t i = 0; i < FUM_COUNT(prefixes); i++)
        if (!strncmp(name, prefixes[i], strlen(prefixes[i]))) return name + strlen(prefixes[i]);
    return NULL;
}

static void free_list(struct tensor_list *list) {
    for (size_t i = 0; i < list->count; i++) fum_free(list->values[i]);
    fum_free(list->items);
    fum_free(list->values);
    fum_arena_destroy(&list->arena);
}

// Copies one tensor: views of the store are valid during the call only.
static enum fum_result add_tensor(struct tensor_list *list, const char *name,
                                  const struct fum_view *view, struct fum_error *err) {
    uint64_t bytes = fum_view_count(view) * sizeof(float);
    float *values = fum_alloc(bytes ? bytes : 1, 1);
    char *copy = fum_arena_printf(list->arena, "%s", name);
    if (!values || !copy ||
        !fum_grow((void **)&list->items, &list->capacity, list->count, sizeof *list->items) ||
        !fum_grow((void **)&list->values, &list->value_capacity, list->count, sizeof values)) {
        fum_free(values);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to save %s", name);
    }
    memcpy(values, view->data, bytes);
    list->values[list->count] = values;
    list->items[list->count] = (struct fum_safetensors_tensor){.name = copy, .view = *view};
    list->items[list->count++].view.data = values;
    return FUM_OK;
}

// Gives a weight the dimensions that it has in the model's own file, or that a 1×1 convolution's
// has.
static void shape_as_file(struct fum_training *t, const char *name, struct fum_view *view) {
    const struct fum_weight_source source = fum_train_model_source(t);
    const fum_tensor *param = fum_graph_find(t->now->graph, name);
    struct fum_view own;
    if (t->model && source.find(source.user, name, &own) &&
        fum_view_count(&own) == fum_view_count(view)) {
        view->rank = own.rank;
        memcpy(view->dim, own.dim, sizeof own.dim);
    } else if (param && param->pointwise && view->rank == 2) {
        view->rank = 4;
        view->dim[2] = view->dim[3] = 1;
    }
}

// Adds a parameter as PyTorch shapes it: a 1×1 convolution has four dimensions.
static enum fum_result add_state(void *user, const char *name, const struct fum_view *view,
                                 struct fum_error *err) {
    struct tensor_list *list = user;
    const char *network = after_companion(name);
    char *full = network ? fum_arena_printf(list->arena, "%s", name)
                         : fum_arena_printf(list->arena, "model.%s", name);
    struct fum_view shaped = *view;
    shape_as_file(list->training, network ? network : name, &shaped);
    if (!full) return fum_error_set(err, FUM_ERR_NOMEM, "no memory to save %s", name);
    return add_tensor(list, full, &shaped, err);
}

// Writes a file of tensors. Removes the unfinished ones beside it that a killed run left.
static enum fum_result write_list(const struct tensor_list *list, const char *path,
                                  const struct fum_safetensors_text *texts, size_t num_texts,
                                  struct fum_error *err) {
    fum_file_clean_own(path);
    return fum_safetensors_write(path,
                                 &(struct fum_safetensors){.tensors = list->items,
                                                           .count = list->count,
                                                           .metadata = texts,
                                                           .metadata_count = num_texts},
                                 err);
}

// Lists what the run was given beside its settings, for a run that goes on without it.
static size_t list_given(const struct fum_training *t, struct fum_safetensors_text *texts) {
    const struct fum_safetensors_text given[] = {{"model", t->params.model},
                                                 {"stage", t->params.stage},
                                                 {"prior", t->params.prior},
                                                 {"replay", t->params.replay}};
    size_t count = 0;
    for (size_t i = 0; i < FUM_COUNT(given); i++)
        if (given[i].value) texts[count++] = given[i];
    return count;
}

// Lists the texts of a checkpoint: its numbers, what the run was given, and every setting under its
// key. Returns NULL when memory is out.
static struct fum_safetensors_text *list_texts(const struct fum_training *t, fum_arena *arena,
                                               size_t *count) {
    enum { GIVEN = 4 };
    const struct fum_train_counters *c = &t->counters;
    char scale[FUM_NUMBER_BYTES];
    const struct fum_safetensors_text numbers[] = {
        {"format", "fumarole-training"},
        {"recipe", t->recipe->name},
        {"step", fum_arena_printf(arena, "%lld", (long long)t->step)},
        {"random", fum_arena_printf(arena, "%llu", (unsigned long long)t->options.seed)},
        {"updates", fum_arena_printf(arena, "%ld", (long)c->updates)},
        {"loss_scale", fum_arena_strdup(arena, fum_number_format(scale, 9, (double)c->loss_scale))},
        {"loss_scale_steps", fum_arena_printf(arena, "%ld", (long)c->scale_steps)},
    };
    size_t settings = t->settings.count, most = FUM_COUNT(numbers) + GIVEN + settings;
    struct fum_safetensors_text *texts = fum_arena_alloc(arena, most, sizeof *texts);
    if (!texts) return NULL;
    memcpy(texts, numbers, sizeof numbers);
    *count = FUM_COUNT(numbers);
    *count += list_given(t, texts + *count);
    for (size_t i = 0; i < settings; i++) {
        const struct fum_setting *item = &t->settings.items[i];
        texts[(*count)++] = (struct fum_safetensors_text){
            fum_arena_printf(arena, "%s.%s", item->section, item->key), item->value};
    }
    for (size_t i = 0; i < *count; i++)
        if (!texts[i].key || !texts[i].value) return NULL;
    return texts;
}

// Removes the oldest of the numbered checkpoints, so that `keep` of them stay. Their names sort by
// their steps.
static enum fum_result remove_older(const char *folder, int keep, fum_arena *arena,
                                    struct fum_error *err) {
    static const char prefix[] = "state-";
    struct fum_path_names names;
    enum fum_result result = fum_path_list(arena, folder, &names, err);
    size_t older = 0;
    for (size_t i = 0; i < names.count; i++)
        older += !strncmp(names.names[i], prefix, sizeof prefix - 1);
    for (size_t i = 0; i < names.count && older > (size_t)keep && !result; i++) {
        if (strncmp(names.names[i], prefix, sizeof prefix - 1)) continue;
        char *path = fum_path_join(arena, folder, names.names[i]);
        result = path ? fum_path_remove(path, err)
                      : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a checkpoint");
        older--;
    }
    return result;
}

// Writes the checkpoint, and with train.keep once more under a name with its step.
static enum fum_result write_checkpoint(const struct fum_training *t, struct tensor_list *list,
                                        struct fum_error *err) {
    size_t count = 0;
    int keep = t->options.keep;
    struct fum_safetensors_text *texts = list_texts(t, list->arena, &count);
    char *folder = fum_path_join(list->arena, t->dir, "checkpoint"),
         *path = fum_arena_printf(list->arena, "%s/state.safetensors", folder),
         *numbered = fum_arena_printf(list->arena, "%s/state-%010lld.safetensors", folder,
                                      (long long)t->step);
    if (!texts || !folder || !path || !numbered)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a checkpoint");
    enum fum_result result = write_list(list, path, texts, count, err);
    if (!result && keep) result = write_list(list, numbered, texts, count, err);
    if (!result && keep) result = remove_older(folder, keep + 1, list->arena, err);
    return result;
}

enum fum_result fum_train_save_checkpoint(struct fum_training *t, struct fum_error *err) {
    struct tensor_list list = {.arena = fum_arena_create(), .training = t};
    if (!list.arena) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a checkpoint");
    enum fum_result result = fum_train_read_counters(t, err);
    if (!result) result = fum_parameters_save(t->parameters, add_state, &list, err);
    if (!result) result = write_checkpoint(t, &list, err);
    free_list(&list);
    return result;
}

// ---- the model ----

struct selection {
    struct tensor_list list;
    const struct fum_train_file *file;
    bool averaged;
};

// Returns the name in the file of a parameter, which may lie in `text`, or NULL if it is not part
// of it.
static const char *selected_name(const struct selection *s, const char *name,
                                 char text[FUM_TRAIN_NAME]) {
    if (s->averaged && strncmp(name, "ema.", 4)) return NULL;
    if (!s->averaged && after_companion(name)) return NULL;
    if (s->averaged) name += 4;
    size_t length = strlen(s->file->prefix);
    if (strncmp(name, s->file->prefix, length)) return NULL;
    if (!s->file->whole_names) name += length;
    return s->file->rename ? s->file->rename(name, text) : name;
}

static enum fum_result add_selected(void *user, const char *name, const struct fum_view *view,
                                    struct fum_error *err) {
    struct selection *s = user;
    char text[FUM_TRAIN_NAME];
    const char *kept = selected_name(s, name, text);
    struct fum_view shaped = *view;
    if (!kept) return FUM_OK;
    shape_as_file(s->list.training, s->averaged ? name + 4 : name, &shaped);
    return add_tensor(&s->list, kept, &shaped, err);
}

enum fum_result fum_train_save_file(struct fum_training *t, const struct fum_train_file *file,
                                    struct fum_error *err) {
    struct selection s = {.list = {.arena = fum_arena_create(), .training = t},
                          .file = file,
                          .averaged = t->options.ema > 0};
    if (!s.list.arena) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a model");
    enum fum_result result = fum_parameters_save(t->parameters, add_selected, &s, err);
    for (size_t i = 0; i < file->num_more && !result; i++)
        result = add_tensor(&s.list, file->more[i].name, &file->more[i].view, err);
    if (!result) result = write_list(&s.list, file->path, file->texts, file->num_texts, err);
    free_list(&s.list);
    return result;
}

enum fum_result fum_train_save_weights(struct fum_training *t, const char *path, const char *prefix,
                                       struct fum_error *err) {
    static const struct fum_safetensors_text format = {"format", "pt"};
    const struct fum_train_file file = {
        .path = path, .prefix = prefix, .texts = &format, .num_texts = 1};
    return fum_train_save_file(t, &file, err);
}

enum fum_result fum_train_save_json(const char *path, cJSON *json, struct fum_error *err) {
    char *text = json ? cJSON_Print(json) : NULL;
    enum fum_result result = FUM_OK;
    if (!text)
        result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for %s", path);
    else
        result = fum_file_save(path, text, strlen(text), err);
    cJSON_free(text);
    cJSON_Delete(json);
    return result;
}

// ---- going on ----

// Reads a number of the checkpoint's metadata.
static bool read_number(const fum_loader *loader, const char *key, double most, double *number) {
    const char *text = fum_loader_metadata(loader, key);
    return text && fum_number_parse(text, number) && *number >= 0 && *number <= most;
}

// Copies a text of the checkpoint, which is closed before the run begins. One that it lacks stays
// as it is.
static bool take_text(struct fum_training *t, const char *key, const char **text) {
    const char *stored = key ? fum_loader_metadata(t->resumed, key) : NULL;
    if (stored) *text = fum_arena_strdup(t->arena, stored);
    return key && (!stored || *text);
}

// Takes the settings of the checkpoint. One that it lacks keeps its default.
static bool take_settings(struct fum_training *t) {
    for (size_t i = 0; i < t->settings.count; i++) {
        struct fum_setting *item = &t->settings.items[i];
        char *key = fum_arena_printf(t->arena, "%s.%s", item->section, item->key);
        if (!take_text(t, key, &item->value)) return false;
    }
    return true;
}

// Takes what the interrupted run was given where this one leaves it out.
static bool take_given(struct fum_training *t) {
    struct fum_training_params *p = &t->params;
    return (p->model || take_text(t, "model", &p->model)) &&
           (p->stage || take_text(t, "stage", &p->stage)) &&
           (p->prior || take_text(t, "prior", &p->prior)) &&
           (p->replay || p->data || take_text(t, "replay", &p->replay));
}

enum fum_result fum_train_open_checkpoint(struct fum_training *t, struct fum_error *err) {
    char *path = fum_arena_printf(t->arena, "%s/checkpoint/state.safetensors", t->params.resume);
    if (!path) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a checkpoint");
    enum fum_result result = fum_loader_open(&t->resumed, path, err);
    if (result) return result;
    const char *recipe = fum_loader_metadata(t->resumed, "recipe");
    if (!recipe)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: is no checkpoint of a training", path);
    if (strcmp(recipe, t->recipe->name))
        return fum_error_set(err, FUM_ERR_ARG, "%s: is a checkpoint of recipe %s, not %s", path,
                             recipe, t->recipe->name);
    double numbers[4];
    static const struct {
        const char *key;
        double most;
    } kept[4] = {{"step", INT32_MAX},
                 {"updates", INT32_MAX},
                 {"loss_scale", FLT_MAX},
                 {"loss_scale_steps", INT32_MAX}};
    for (int i = 0; i < 4; i++)
        if (!read_number(t->resumed, kept[i].key, kept[i].most, &numbers[i]))
            return fum_error_set(err, FUM_ERR_FORMAT, "%s: its %s is no number from 0 to %g", path,
                                 kept[i].key, kept[i].most);
    t->step = (int64_t)numbers[0];
    bool elsewhere = t->params.output && strcmp(t->params.output, t->params.resume) != 0;
    t->saved = elsewhere ? 0 : t->step;
    t->counters =
        (struct fum_train_counters){(int32_t)numbers[1], (float)numbers[2], (int32_t)numbers[3]};
    return take_given(t) && take_settings(t)
               ? FUM_OK
               : fum_error_set(err, FUM_ERR_NOMEM, "no memory for the settings");
}
