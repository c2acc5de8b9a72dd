// SPDX-License-Identifier: MIT
// Folds the batch norm behind each convolution of Inception into its weight and a bias.
#include "base/dtype.h"
#include "base/error.h"
#include "base/text.h"
#include "evaluate/inception.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// y = (x - mean) / √(variance + eps) · weight + bias is x · scale + shift.
struct folded {
    const char *path; // "Mixed_5b.branch1x1"
    float *scale, *shift;
    int64_t channels;
};

struct folded_weights {
    const fum_loader *loader;
    fum_arena *arena;
    struct folded *items;
    size_t count;
};

static const char conv_weight[] = ".conv.weight", conv_bias[] = ".conv.bias";
#define BATCH_NORM_EPS 1e-3

static enum fum_result read_vector(const struct folded_weights *w, const struct folded *f,
                                   const char *part, float *values, struct fum_error *err) {
    char name[200];
    void *copy = NULL;
    snprintf(name, sizeof name, "%s.bn.%s", f->path, part);
    const struct fum_loader_tensor *tensor = fum_loader_find(w->loader, name);
    if (!tensor)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: not the weights of pytorch-fid's Inception: tensor %s is missing",
                             fum_loader_path(w->loader), fum_text_show(name).text);
    struct fum_view view = tensor->view;
    if (view.rank != 1 || view.dim[0] != f->channels || view.dtype == FUM_DTYPE_UNKNOWN)
        return fum_error_set(err, FUM_ERR_FORMAT, "%s: tensor %s should be %lld numbers",
                             fum_loader_path(w->loader), fum_text_show(name).text,
                             (long long)f->channels);
    enum fum_result result = fum_view_load(&view, tensor->bytes, &copy, err);
    if (!result) fum_convert_to_f32(values, view.data, view.dtype, (size_t)f->channels);
    fum_free(copy);
    return result;
}

static enum fum_result fold_norm(struct folded_weights *w, struct folded *f,
                                 struct fum_error *err) {
    enum { WEIGHT, BIAS, MEAN, VARIANCE, PARTS };
    static const char *const parts[PARTS] = {"weight", "bias", "running_mean", "running_var"};
    size_t n = (size_t)f->channels;
    float *values[PARTS];
    for (int i = 0; i < PARTS; i++) {
        values[i] = fum_arena_alloc(w->arena, n, sizeof **values);
        if (!values[i])
            return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory for its norms",
                                 fum_loader_path(w->loader));
        enum fum_result result = read_vector(w, f, parts[i], values[i], err);
        if (result) return result;
    }
    for (size_t i = 0; i < n; i++) {
        double scale =
            (double)values[WEIGHT][i] / sqrt((double)values[VARIANCE][i] + BATCH_NORM_EPS);
        values[BIAS][i] = (float)((double)values[BIAS][i] - (double)values[MEAN][i] * scale);
        values[WEIGHT][i] = (float)scale;
    }
    f->scale = values[WEIGHT];
    f->shift = values[BIAS];
    return FUM_OK;
}

// Returns the length of a name without this end; 0: it has another.
static size_t length_before(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);
    return n > m && !strcmp(name + n - m, end) ? n - m : 0;
}

static enum fum_result fold_all(struct folded_weights *w, struct fum_error *err) {
    size_t n = fum_loader_count(w->loader);
    w->items = fum_arena_alloc(w->arena, n, sizeof *w->items);
    enum fum_result result = FUM_OK;
    if (!w->items && n) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the norms");
    for (size_t i = 0; i < n && !result; i++) {
        const struct fum_loader_tensor *tensor = fum_loader_at(w->loader, i);
        size_t length = length_before(tensor->name, conv_weight);
        // Other networks of the file, such as AuxLogits, are skipped by what the graph reads.
        if (!length || tensor->view.rank != 4) continue;
        struct folded *f = &w->items[w->count];
        f->path = fum_arena_printf(w->arena, "%.*s", (int)length, tensor->name);
        f->channels = tensor->view.dim[0];
        if (!f->path) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the norms");
        result = fold_norm(w, f, err);
        w->count++;
    }
    return result;
}

static const struct folded *find_folded(const struct folded_weights *w, const char *name,
                                        size_t length) {
    for (size_t i = 0; length && i < w->count; i++)
        if (strlen(w->items[i].path) == length && !strncmp(w->items[i].path, name, length))
            return &w->items[i];
    return NULL;
}

static bool find_weight(void *user, const char *name, struct fum_view *view) {
    const struct folded_weights *w = user;
    const struct folded *bias = find_folded(w, name, length_before(name, conv_bias)),
                        *conv = find_folded(w, name, length_before(name, conv_weight));
    const struct fum_loader_tensor *tensor = fum_loader_find(w->loader, name);
    if (bias) {
        *view = (struct fum_view){
            .dtype = FUM_F32, .rank = 1, .dim = {bias->channels}, .data = bias->shift};
        return true;
    }
    if (!tensor) return false;
    *view = tensor->view;
    if (conv) {
        view->scales = conv->scale;
        view->scale_each = fum_view_count(view) / (uint64_t)conv->channels;
    }
    return true;
}

enum fum_result fum_inception_fold(struct fum_weight_source *source, const fum_loader *loader,
                                   fum_arena *arena, struct fum_error *err) {
    struct folded_weights *w = fum_arena_alloc(arena, 1, sizeof *w);
    if (!w) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the network of the features");
    *w = (struct folded_weights){.loader = loader, .arena = arena};
    *source = (struct fum_weight_source){.find = find_weight, .user = w};
    return fold_all(w, err);
}
