// SPDX-License-Identifier: MIT
// Golden runs of one script of tests/golden: its cases (tests/data/NAME.json) and its tensors
// (NAME.safetensors).
#ifndef TESTS_PIPELINE_GOLDEN_H
#define TESTS_PIPELINE_GOLDEN_H

#include "test.h"

#include "base/file.h"
#include "base/json.h"
#include "io/loader.h"

struct golden {
    cJSON *cases;
    fum_loader *tensors;
    char *bytes; // of the tensors' file, so that they are in memory
};

static inline void golden_open(struct golden *g, const char *name) {
    struct fum_error err = {0};
    size_t bytes = 0;
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.json", getenv("FUM_TEST_DATA"), name);
    ok(fum_json_read(&g->cases, path, &err), &err);
    snprintf(path, sizeof path, "%s/%s.safetensors", getenv("FUM_TEST_DATA"), name);
    ok(fum_file_read(path, 64 << 20, &g->bytes, &bytes, &err), &err);
    ok(fum_loader_open_memory(&g->tensors, g->bytes, bytes, path, &err), &err);
}

static inline void golden_close(struct golden *g) {
    fum_loader_close(&g->tensors);
    fum_free(g->bytes);
    cJSON_Delete(g->cases);
}

// Returns a tensor of the index-th case: its "noise", "latents" or "pixels".
static inline const struct fum_loader_tensor *golden_tensor(const struct golden *g, int index,
                                                            const char *what) {
    char name[64];
    snprintf(name, sizeof name, "%d.%s", index, what);
    const struct fum_loader_tensor *tensor = fum_loader_find(g->tensors, name);
    assert_non_null(tensor);
    return tensor;
}

// Returns its values, which are f32.
static inline const float *golden_values(const struct golden *g, int index, const char *what) {
    return golden_tensor(g, index, what)->view.data;
}

#endif
