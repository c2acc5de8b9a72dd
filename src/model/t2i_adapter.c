// SPDX-License-Identifier: MIT
#include "model/t2i_adapter.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/json.h"
#include "base/macros.h"
#include "io/folder.h"
#include "model/find.h"
#include "nn/nn.h"

#include <stdio.h>
#include <string.h>

enum { NAME = 64, MAX_BLOCKS = 16 };

static const char class_name[] = "T2IAdapter", *const prefixes[] = {"adapter.", ""};

// Names of the residual blocks: diffusers', then those of the original adapters, full and light.
static const struct fum_t2i_layout {
    const char *block;
    bool flat; // blocks are numbered through all levels
} layouts[] = {{"body.%d.resnets.%d", false}, {"body.%d.body.%d", false}, {"body.%d", true}};

// ---- names ----

static const char *name_block(const struct fum_t2i_adapter *a, int level, int block,
                              char text[NAME]) {
    int first = a->layout->flat ? level * a->blocks + block : level;
    snprintf(text, NAME, a->layout->block, first, block);
    return text;
}

static const char *name_conv(const struct fum_t2i_adapter *a, int level, const char *which,
                             char text[NAME]) {
    snprintf(text, NAME, "body.%d.%s", a->layout->flat ? level * a->blocks : level, which);
    return text;
}

static int dim_of(const struct fum_t2i_adapter *a, int axis, const char *module, const char *part) {
    return fum_loader_dim(a->loader, a->prefix, axis, "%s%s.weight", module, part);
}

bool fum_t2i_adapter_find(const struct fum_t2i_adapter *a, const char *name,
                          struct fum_view *view) {
    char full[2 * NAME];
    snprintf(full, sizeof full, "%s%s", a->prefix, name);
    const struct fum_loader_tensor *tensor = fum_loader_find(a->loader, full);
    if (tensor) *view = tensor->view;
    return tensor != NULL;
}

// ---- sizes ----

// Finds the prefix and the layout by the first residual block.
static bool find_layout(struct fum_t2i_adapter *a) {
    char text[NAME];
    for (size_t p = 0; p < FUM_COUNT(prefixes); p++)
        for (size_t i = 0; i < FUM_COUNT(layouts); i++) {
            a->prefix = prefixes[p];
            a->layout = &layouts[i];
            if (dim_of(a, 0, name_block(a, 0, 0, text), ".block1") && dim_of(a, 0, text, ".block2"))
                return true;
        }
    return false;
}

// Counts the residual blocks of a level. Those of a flat list begin a level with another width.
static int count_blocks(const struct fum_t2i_adapter *a) {
    enum { FLAT_BLOCKS = 2 };
    char text[NAME];
    int count = 0;
    if (a->layout->flat) return FLAT_BLOCKS;
    while (count < MAX_BLOCKS && dim_of(a, 0, name_block(a, 0, count, text), ".block1")) count++;
    return count;
}

// Reads the channels of the levels.
static void read_levels(struct fum_t2i_adapter *a) {
    char text[NAME];
    a->light = !dim_of(a, 0, "conv_in", "");
    a->blocks = count_blocks(a);
    for (a->num_levels = 0; a->num_levels < FUM_T2I_MAX_LEVELS; a->num_levels++) {
        int level = a->num_levels,
            channels = a->light ? dim_of(a, 0, name_conv(a, level, "out_conv", text), "")
                                : dim_of(a, 0, name_block(a, level, 0, text), ".block1");
        if (!channels) break;
        a->levels[level] = channels;
    }
}

// Finds channels of the picture and side of a square, whose product is known. `square` is the
// configuration's; 0: 8 or 16, as those of the known adapters.
static bool read_square(struct fum_t2i_adapter *a, int square) {
    const int sides[] = {square, 8, 16};
    char text[NAME];
    int inputs = dim_of(a, 1, a->light ? name_conv(a, 0, "in_conv", text) : "conv_in", "");
    for (size_t i = 0; i < (square ? 1 : FUM_COUNT(sides)); i++) {
        a->square = sides[i];
        if (!a->square || inputs % (a->square * a->square)) continue;
        a->channels = inputs / (a->square * a->square);
        if (a->channels == 1 || a->channels == 3) return true;
    }
    return false;
}

// ---- opening ----

// Where an adapter lies, and its configuration.
struct place {
    const char *weights;
    cJSON *config; // owned; NULL: a file without one
};

static enum fum_result find_place(struct place *place, fum_arena *arena, const char *path,
                                  struct fum_error *err) {
    enum fum_file_kind kind = FUM_FILE_NONE;
    enum fum_result result = fum_file_look(path, &kind, err);
    place->weights = path;
    if (result || kind != FUM_FILE_FOLDER) return result;
    const char *snapshot = fum_model_snapshot(arena, path);
    if (snapshot) path = snapshot;
    char *config = fum_path_join(arena, path, "config.json");
    if (!config) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
    result = fum_json_read(&place->config, config, err);
    return result ? result : fum_folder_find_weights(arena, path, NULL, &place->weights, err);
}

// Checks that each level of the UNet has a feature, and its middle at most one.
static enum fum_result check_fit(struct fum_t2i_adapter *a, const fum_model *model,
                                 const char *path, struct fum_error *err) {
    const struct fum_model_view *view = fum_model_get_view(model);
    const struct fum_unet_config *unet = &view->unet;
    int factor = fum_vae_factor(&view->vae), extra = a->num_levels - unet->num_blocks;
    a->xl = !a->light && a->square == 2 * factor;
    bool fits = a->xl ? extra == 1 : extra == 0 && a->square == factor;
    for (int i = 0; i < a->num_levels && fits; i++)
        fits = a->levels[i] == unet->down[FUM_MIN(i, unet->num_blocks - 1)].channels;
    if (fits) return FUM_OK;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "%s: this T2I-adapter is for another family than the model %s (%s): its "
                         "features do not fit the UNet's levels",
                         path, fum_model_get_info(model)->name, fum_model_get_info(model)->family);
}

enum fum_result fum_t2i_adapter_read(struct fum_t2i_adapter *a, double square,
                                     struct fum_error *err) {
    bool known = find_layout(a);
    if (known) read_levels(a);
    if (known && square >= 0 && square <= 64 && read_square(a, (int)square)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "%s: not a T2I-adapter of a picture of 1 or 3 channels",
                         fum_loader_path(a->loader));
}

enum fum_result fum_t2i_adapter_open(struct fum_t2i_adapter *a, const fum_model *model,
                                     const char *path, struct fum_error *err) {
    struct place place = {0};
    *a = (struct fum_t2i_adapter){0};
    fum_arena *arena = fum_arena_create();
    if (!arena) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a T2I-adapter");
    enum fum_result result = find_place(&place, arena, path, err);
    double square = place.config ? fum_json_number(place.config, "downscale_factor", 0) : 0;
    if (!result) result = fum_loader_open(&a->loader, place.weights, err);
    if (!result) result = fum_t2i_adapter_read(a, square, err);
    if (!result) result = check_fit(a, model, path, err);
    if (result) fum_t2i_adapter_close(a);
    cJSON_Delete(place.config);
    fum_arena_destroy(&arena);
    return result;
}

void fum_t2i_adapter_close(struct fum_t2i_adapter *a) {
    fum_loader_close(&a->loader);
}

bool fum_t2i_adapter_matches(const char *path) {
    struct place place = {0};
    struct fum_t2i_adapter a = {0};
    fum_arena *arena = fum_arena_create();
    bool found = arena && !find_place(&place, arena, path, NULL);
    const char *name = place.config ? fum_json_string(place.config, "_class_name", "") : NULL;
    if (found && name)
        found = !strcmp(name, class_name);
    else if (found)
        found = !fum_loader_open(&a.loader, place.weights, NULL) && find_layout(&a);
    fum_loader_close(&a.loader);
    cJSON_Delete(place.config);
    fum_arena_destroy(&arena);
    return found;
}

// ---- the graph ----

static fum_tensor *add_block(struct fum_nn *nn, const struct fum_t2i_adapter *a, const char *name,
                             fum_tensor *x) {
    const struct fum_nn_conv last = {.kernel = a->light ? 3 : 1};
    size_t mark = fum_nn_enter(nn, "%s", name);
    fum_tensor *y = fum_nn_conv(nn, "block1", x, fum_nn_channels(x), NULL);
    y = fum_nn_conv(nn, "block2", fum_nn_unary(nn, "relu", NULL, y), fum_nn_channels(x), &last);
    fum_nn_leave(nn, mark);
    return fum_nn_add(nn, NULL, y, x);
}

// Halves a picture as the UNet does: an odd row or column at the end is a mean of its own.
static fum_tensor *halve(struct fum_nn *nn, fum_tensor *x) {
    for (int axis = 1; axis <= 2 && x; axis++) {
        const struct fum_attr along[] = {{"axis", axis}, {0}};
        int64_t size = fum_tensor_shape(x).dim[axis];
        if (size % 2 == 0) continue;
        fum_tensor *last = fum_nn_slice(nn, NULL, x, (struct fum_nn_range){axis, size - 1, 1});
        x = last ? fum_graph_add(nn->graph, "concat", NULL, FUM_INPUTS(x, last), along) : NULL;
    }
    return fum_nn_halve(nn, x);
}

static fum_tensor *add_level(struct fum_nn *nn, const struct fum_t2i_adapter *a, int level,
                             fum_tensor *x) {
    const struct fum_nn_conv pointwise = {.kernel = 1};
    int channels = a->light ? a->levels[level] / 4 : a->levels[level];
    char text[NAME];
    if (a->xl ? level == 2 : level > 0) x = halve(nn, x);
    if (a->light || fum_nn_channels(x) != channels)
        x = fum_nn_conv(nn, name_conv(a, level, "in_conv", text), x, channels, &pointwise);
    for (int i = 0; i < a->blocks; i++) x = add_block(nn, a, name_block(a, level, i, text), x);
    if (!a->light) return x;
    return fum_nn_conv(nn, name_conv(a, level, "out_conv", text), x, a->levels[level], &pointwise);
}

int fum_t2i_adapter_build(fum_graph *graph, const struct fum_t2i_adapter *a, const char *prefix,
                          fum_tensor *picture, fum_tensor *features[FUM_T2I_MAX_LEVELS]) {
    struct fum_nn nn;
    fum_nn_init(&nn, graph, prefix);
    fum_tensor *x = fum_nn_stored(&nn, picture);
    if (!a->light) x = fum_nn_conv(&nn, "conv_in", x, a->levels[0], NULL);
    for (int i = 0; i < a->num_levels && x; i++) features[i] = x = add_level(&nn, a, i, x);
    return x ? a->num_levels : 0;
}
