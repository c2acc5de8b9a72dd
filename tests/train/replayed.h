// SPDX-License-Identifier: MIT
// Opens a golden run of tests/data (tests/golden/trainings.py) and trains it again from the same
// weights and draws. Shared by the tests of recipes.
#ifndef TESTS_TRAIN_REPLAYED_H
#define TESTS_TRAIN_REPLAYED_H

#include "../open.h"

#include <fumarole/train.h>

#include <math.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/dtype.h"
#include "base/file.h"
#include "io/loader.h"
#include "io/safetensors.h"

static fum_device *shared_device; // of all runs of a program

static inline int open_shared(void **state) {
    (void)state;
    shared_device = open_device(true);
    return 0;
}

static inline int close_shared(void **state) {
    (void)state;
    fum_device_destroy(&shared_device);
    return 0;
}

enum { MAX_SETTINGS = 48, MAX_TENSORS = 512 };

struct replayed {
    fum_arena *arena;
    fum_loader *golden;
    const char *settings[MAX_SETTINGS];
    size_t num_settings;
    char folder[64]; // holds init.safetensors, replay.safetensors and the results
};

static inline char *replayed_path(struct replayed *r, const char *name) {
    char *path = fum_path_join(r->arena, r->folder, name);
    assert_non_null(path);
    return path;
}

// Writes the golden file's tensors under a prefix to a file of their own, without the prefix.
static inline void write_replayed_part(struct replayed *r, const char *prefix, const char *path) {
    struct fum_error err = {0};
    struct fum_safetensors_tensor tensors[MAX_TENSORS];
    size_t first = 0, count = fum_loader_count_prefix(r->golden, prefix, &first);
    assert_in_range(count, 1, MAX_TENSORS);
    for (size_t i = 0; i < count; i++) {
        const struct fum_loader_tensor *from = fum_loader_at(r->golden, first + i);
        uint64_t bytes = fum_view_count(&from->view) * fum_dtype_size(from->view.dtype);
        void *copy = fum_arena_alloc(r->arena, bytes, 1);
        assert_non_null(copy);
        ok(fum_view_read(&from->view, 0, bytes, copy, &err), &err);
        tensors[i] = (struct fum_safetensors_tensor){from->name + strlen(prefix), from->view};
        tensors[i].view.data = copy;
        tensors[i].view.file = NULL;
    }
    ok(fum_safetensors_write(path, &(struct fum_safetensors){.tensors = tensors, .count = count},
                             &err),
       &err);
}

static inline void open_replayed(struct replayed *r, const char *path) {
    struct fum_error err = {0};
    *r = (struct replayed){.arena = fum_arena_create(), .folder = "/tmp/fumarole-train-XXXXXX"};
    assert_non_null(r->arena);
    assert_non_null(mkdtemp(r->folder));
    ok(fum_loader_open(&r->golden, path, &err), &err);
    write_replayed_part(r, "init.", replayed_path(r, "init.safetensors"));
    write_replayed_part(r, "replay.", replayed_path(r, "replay.safetensors"));
    char *text = fum_arena_strdup(r->arena, fum_loader_metadata(r->golden, "settings"));
    assert_non_null(text);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        assert_in_range(r->num_settings, 0, MAX_SETTINGS - 1);
        r->settings[r->num_settings++] = line;
    }
}

static inline void close_replayed(struct replayed *r) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", r->folder);
    assert_int_equal(system(command), 0);
    fum_loader_close(&r->golden);
    fum_arena_destroy(&r->arena);
}

// Returns the folder of the model that the golden run began with; NULL: none.
static inline const char *replayed_model(struct replayed *r) {
    const char *name = fum_loader_metadata(r->golden, "model"), *data = getenv("FUM_TEST_DATA");
    return name ? fum_path_join(r->arena, data ? data : "tests/data", name) : NULL;
}

// Returns a copy of the VQ-VAE whose latents the golden run learns, since a run writes its prior
// there; NULL: none.
static inline const char *replayed_prior(struct replayed *r) {
    const char *name = fum_loader_metadata(r->golden, "prior"), *data = getenv("FUM_TEST_DATA");
    char command[512];
    if (!name) return NULL;
    snprintf(command, sizeof command, "mkdir -p '%s/vqvae' && cp '%s/%s/'*.* '%s/vqvae'", r->folder,
             data ? data : "tests/data", name, r->folder);
    assert_int_equal(system(command), 0);
    return replayed_path(r, "vqvae");
}

// Returns parameters of the golden run, with results in the folder `name`.
static inline struct fum_training_params replayed_params(struct replayed *r, const char *name) {
    return (struct fum_training_params){.recipe = fum_loader_metadata(r->golden, "recipe"),
                                        .model = replayed_model(r),
                                        .prior = replayed_prior(r),
                                        .output = replayed_path(r, name),
                                        .settings = r->settings,
                                        .num_settings = r->num_settings,
                                        .init = replayed_path(r, "init.safetensors"),
                                        .replay = replayed_path(r, "replay.safetensors")};
}

// Returns all of a tensor's elements in the arena.
static inline const float *read_replayed(struct replayed *r, const struct fum_view *view) {
    struct fum_error err = {0};
    size_t count = (size_t)fum_view_count(view);
    uint64_t bytes = count * fum_dtype_size(view->dtype);
    void *raw = fum_arena_alloc(r->arena, bytes, 1);
    float *values = fum_arena_alloc(r->arena, count, sizeof *values);
    assert_true(raw && values);
    ok(fum_view_read(view, 0, bytes, raw, &err), &err);
    fum_convert_to_f32(values, raw, view->dtype, count);
    return values;
}

static inline const float *golden_values(struct replayed *r, const char *prefix, const char *name) {
    char full[128];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    const struct fum_loader_tensor *tensor = fum_loader_find(r->golden, full);
    if (!tensor) fail_msg("the golden run has no %s", full);
    return read_replayed(r, &tensor->view);
}

#endif
