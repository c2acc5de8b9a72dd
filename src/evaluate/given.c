// SPDX-License-Identifier: MIT
// Opens features that other programs computed: .npz with statistics, .safetensors with features.
#include "base/alloc.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/text.h"
#include "evaluate/set.h"
#include "io/loader.h"
#include "io/npy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// ---- .npz with mu and sigma, as pytorch-fid saves them ----

// Recognises the name, since PyTorch's files are zip archives, too.
static bool is_npz(const char *path) {
    return fum_text_ends_with(path, ".npz");
}

static enum fum_result check_shapes(const struct fum_set *set, const struct fum_npy *mu,
                                    const struct fum_npy *sigma, struct fum_error *err) {
    if (mu->rank != 1 || !mu->count)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: mu has %d dimensions; it needs one, [d]",
                             set->path, mu->rank);
    if (sigma->rank != 2 || sigma->dim[0] != mu->dim[0] || sigma->dim[1] != mu->dim[0])
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: mu has %zu numbers, so sigma needs the shape [%zu, %zu]",
                             set->path, mu->count, mu->count, mu->count);
    double largest = 0, difference = 0;
    size_t n = mu->count;
    for (size_t i = 0; i < n * n; i++) {
        largest = fmax(largest, fabs(sigma->values[i]));
        difference = fmax(difference, fabs(sigma->values[i] - sigma->values[i % n * n + i / n]));
    }
    if (difference > 1e-3 * largest)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: sigma is not symmetric, so it is no covariance", set->path);
    return FUM_OK;
}

static enum fum_result read_statistics(struct fum_set *set, const struct fum_zip *zip,
                                       struct fum_error *err) {
    struct fum_npy mu = {0}, sigma = {0};
    enum fum_result result = fum_npz_read(&mu, zip, "mu", err);
    if (!result) result = fum_npz_read(&sigma, zip, "sigma", err);
    if (!result) result = check_shapes(set, &mu, &sigma, err);
    if (!result) {
        set->statistics = (struct fum_statistics){mu.count, mu.values, sigma.values};
        mu.values = sigma.values = NULL;
    }
    fum_npy_free(&mu);
    fum_npy_free(&sigma);
    return result;
}

static enum fum_result open_npz(struct fum_set *set, struct fum_set_context *context,
                                struct fum_error *err) {
    (void)context;
    struct fum_file *file = NULL;
    struct fum_zip zip;
    fum_arena *arena = fum_arena_create();
    enum fum_result result = fum_file_open(&file, set->path, err);
    if (!result && !arena)
        result = fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory to read it", set->path);
    if (!result) {
        struct fum_view bytes = {
            .dtype = FUM_U8, .rank = 1, .dim = {(int64_t)fum_file_size(file)}, .file = file};
        result = fum_zip_open(&zip, arena, set->path, &bytes, err);
    }
    if (!result) result = read_statistics(set, &zip, err);
    snprintf(set->origin, sizeof set->origin, "given");
    fum_arena_destroy(&arena);
    fum_file_close(&file);
    return result;
}

const struct fum_set_kind fum_set_npz = {"statistics (.npz)", is_npz, open_npz};

// ---- .safetensors with features and logits ----

static bool is_tensors(const char *path) {
    return fum_text_ends_with(path, ".safetensors") || fum_text_ends_with(path, ".pth") ||
           fum_text_ends_with(path, ".pt");
}

// Where a tensor of a file goes.
struct matrix {
    const char *name;
    struct fum_rows *rows;
    float **values;
};

// Reads a matrix of numbers.
static enum fum_result read_matrix(const struct fum_set *set, const fum_loader *loader,
                                   const struct matrix *matrix, struct fum_error *err) {
    const char *name = matrix->name;
    const struct fum_loader_tensor *tensor = fum_loader_find(loader, name);
    void *copy = NULL;
    if (!tensor)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: holds no tensor \"%s\" [n, d]", set->path,
                             name);
    struct fum_view view = tensor->view;
    if (view.rank == 2 && (!view.dim[0] || !view.dim[1]))
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: %s has no samples", set->path, name);
    if (view.rank != 2)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: %s has %d dimensions; it needs two, a row for each sample",
                             set->path, name, view.rank);
    if (view.dtype == FUM_DTYPE_UNKNOWN)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED, "%s: %s is stored as %s; it needs F32",
                             set->path, name, fum_text_show(tensor->type).text);
    size_t count = (size_t)fum_view_count(&view);
    float *values = fum_alloc(count, sizeof *values);
    *matrix->values = values;
    if (!values)
        return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its %s", set->path, name);
    enum fum_result result = fum_view_load(&view, tensor->bytes, &copy, err);
    if (!result) fum_convert_to_f32(values, view.data, view.dtype, count);
    fum_free(copy);
    *matrix->rows = (struct fum_rows){
        .f32 = values, .count = (size_t)view.dim[0], .width = (size_t)view.dim[1]};
    return result;
}

static enum fum_result open_safetensors(struct fum_set *set, struct fum_set_context *context,
                                        struct fum_error *err) {
    (void)context;
    const struct matrix features = {"features", &set->rows, &set->features},
                        logits = {"logits", &set->scores, &set->logits};
    fum_loader *loader = NULL;
    enum fum_result result = fum_loader_open(&loader, set->path, err);
    if (!result) result = read_matrix(set, loader, &features, err);
    if (!result && fum_loader_find(loader, "logits"))
        result = read_matrix(set, loader, &logits, err);
    if (!result && set->logits && set->scores.count != set->rows.count)
        result = fum_error_set(err, FUM_ERR_FORMAT, "%s: %zu features but %zu logits", set->path,
                               set->rows.count, set->scores.count);
    snprintf(set->origin, sizeof set->origin, "given");
    fum_loader_close(&loader);
    return result;
}

const struct fum_set_kind fum_set_safetensors = {"features (.safetensors)", is_tensors,
                                                 open_safetensors};
