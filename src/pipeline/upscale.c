// SPDX-License-Identifier: MIT
// Enlarges pictures with a network, tile by tile.
#include <fumarole/upscale.h>

#include "base/error.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/require.h"
#include "exec/executable.h"
#include "io/image.h"
#include "model/upscaler.h"
#include "pipeline/finite.h"
#include "pipeline/pipeline.h"
#include "pipeline/upscale_tiles.h"

#include <string.h>

enum {
    MIN_TILE = 16, // pixels; smaller tiles are not tried
    // Pixels read around a tile, of the picture and of what the network reads. What lies beyond
    // changes a pixel by less than rounding to bytes does.
    MAX_AROUND = 24,
    MAX_AROUND_SQUARES = 12,
};

struct fum_upscaler {
    fum_device *device;
    char *path; // params.path
    struct fum_upscaler_params params;
    struct fum_upscaler_info info;
    struct fum_upscaler_net net;
    enum fum_dtype storage;
    // of what is compiled; NULL: nothing is
    fum_weights *weights;
    fum_graph *graph;
    fum_executable *exe;
    fum_tensor *x, *y;
    int height, width; // pixels of a tile
};

// ---- the network ----

static void clear_compiled(fum_upscaler *u) {
    fum_executable_destroy(&u->exe);
    fum_weights_destroy(&u->weights);
    fum_graph_destroy(&u->graph);
}

static enum fum_result build(fum_upscaler *u, int height, int width, struct fum_error *err) {
    int s = u->net.shuffle;
    const struct fum_shape x = {4, {1, height / s, width / s, u->net.channels * s * s}};
    enum fum_result result = fum_graph_create(&u->graph, u->storage, err);
    if (result) return result;
    u->x = fum_graph_input(u->graph, "x", x, u->storage, FUM_STAGE_STEP);
    u->y = u->net.family->build(u->graph, &u->net, u->x);
    if (u->y) fum_graph_output(u->graph, u->y, "y");
    return fum_graph_check(u->graph, err);
}

static uint64_t room_left(const fum_upscaler *u) {
    uint64_t budget = u->params.memory_budget;
    bool stated;
    if (!budget && u->params.tile == FUM_UPSCALE_TILE_AUTO) budget = FUM_MEMORY_AUTO;
    if (!budget) return UINT64_MAX;
    if (budget == FUM_MEMORY_AUTO) budget = fum_device_memory_budget(u->device, &stated);
    uint64_t used = fum_device_memory_used(u->device) + fum_device_staging_bytes(u->device);
    return budget > used ? budget - used : 0;
}

static enum fum_result check_room(const fum_upscaler *u, struct fum_error *err) {
    struct fum_executable_size size;
    enum fum_result result = fum_executable_measure(u->graph, u->device, &size, err);
    uint64_t room = room_left(u);
    if (result || size.activations + size.weights <= room) return result;
    return fum_error_set(err, FUM_ERR_NOMEM,
                         "enlarging %d x %d pixels at once needs %.1f MiB; the memory budget "
                         "leaves %.1f MiB",
                         u->width, u->height, (double)(size.activations + size.weights) / (1 << 20),
                         (double)room / (1 << 20));
}

// Compiles the network for tiles of a size, unless that is what is compiled.
static enum fum_result compile(fum_upscaler *u, int height, int width, struct fum_error *err) {
    if (u->exe && u->height == height && u->width == width) return FUM_OK;
    const struct fum_weights_params weights = {.device = u->device,
                                               .source = fum_upscaler_net_source(&u->net),
                                               .label = "upscaler",
                                               .threads = u->params.threads};
    const struct fum_executable_params named = {.label = "upscaler"};
    clear_compiled(u);
    u->height = height;
    u->width = width;
    enum fum_result result = build(u, height, width, err);
    if (!result) result = check_room(u, err);
    if (!result) result = fum_weights_create(&u->weights, &weights, err);
    const struct fum_executable_job job = {
        .graph = u->graph, .device = u->device, .weights = u->weights, .params = &named};
    if (!result) result = fum_executable_compile(&u->exe, &job, err);
    if (!result) result = fum_executable_run(u->exe, FUM_STAGE_LOAD, err);
    if (result) clear_compiled(u);
    return result;
}

enum fum_result fum_upscaler_create(fum_upscaler **out, fum_device *device,
                                    const struct fum_upscaler_params *params,
                                    struct fum_error *err) {
    *out = NULL;
    if (fum_require(params->path, "a path", err)) return FUM_ERR_ARG;
    fum_upscaler *u = *out = fum_calloc(1, sizeof *u);
    if (!u) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for an upscaler");
    u->device = device;
    u->params = *params;
    u->params.path = u->path = fum_strdup(params->path);
    u->storage = fum_precision_storage(device, params->precision);
    enum fum_result result = u->path ? fum_upscaler_net_open(&u->net, params->path, err)
                                     : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a path");
    if (result) {
        fum_upscaler_destroy(out);
        return result;
    }
    u->info = (struct fum_upscaler_info){
        .family = u->net.family->name, .scale = u->net.scale, .channels = u->net.channels};
    fum_log(params->log, FUM_LOG_INFO, "%s: %s, x%d, %d blocks, %d features", params->path,
            u->info.family, u->info.scale, u->net.blocks, u->net.features);
    return FUM_OK;
}

void fum_upscaler_destroy(fum_upscaler **upscaler) {
    fum_upscaler *u = upscaler ? *upscaler : NULL;
    if (!u) return;
    clear_compiled(u);
    fum_upscaler_net_close(&u->net);
    fum_free(u->path);
    fum_free(u);
    *upscaler = NULL;
}

const struct fum_upscaler_info *fum_upscaler_get_info(const fum_upscaler *upscaler) {
    return &upscaler->info;
}

// ---- one picture ----

// A picture on its way.
struct picture {
    struct fum_bitmap from; // with the network's channels
    uint8_t *alpha;         // of the small picture; NULL: it has none
    char *parameters;       // of its file; may be NULL
    uint8_t *to;            // enlarged
    int channels;           // of that: 4 with alpha
    struct fum_upscale_axis rows, columns;
    float *x, *y; // of a tile
    bool finite;
};

// Returns the place of a pixel that may lie beyond the end, where the picture is reflected.
static int reflect(int place, int length) {
    if (place >= length) place = 2 * (length - 1) - place;
    return FUM_MAX(place, 0);
}

// Reads a tile as the network takes it: squares of pixels are channels, in PyTorch's order.
static void read_tile(const fum_upscaler *u, struct picture *p, int top, int left) {
    int s = u->net.shuffle, channels = u->net.channels;
    float *to = p->x;
    for (int y = 0; y < u->height; y += s)
        for (int x = 0; x < u->width; x += s)
            for (int c = 0; c < channels; c++)
                for (int i = 0; i < s * s; i++) {
                    int row = reflect(top + y + i / s, p->from.height),
                        column = reflect(left + x + i % s, p->from.width);
                    size_t pixel = (size_t)row * (size_t)p->from.width + (size_t)column;
                    *to++ = (float)p->from.pixels[pixel * (size_t)channels + (size_t)c] / 255;
                }
}

// A tile's place: the pixels of the small picture that it reads, and those that it contributes.
struct place {
    int top, left;                                    // of what is read
    int row_begin, row_end, column_begin, column_end; // contributed
};

static struct place find_place(const struct picture *p, int row, int column) {
    return (struct place){
        .top = fum_upscale_axis_start(&p->rows, row),
        .left = fum_upscale_axis_start(&p->columns, column),
        .row_begin = fum_upscale_axis_core(&p->rows, row),
        .row_end = FUM_MIN(fum_upscale_axis_core(&p->rows, row + 1), p->from.height),
        .column_begin = fum_upscale_axis_core(&p->columns, column),
        .column_end = FUM_MIN(fum_upscale_axis_core(&p->columns, column + 1), p->from.width),
    };
}

// Copies what a tile contributes into the large picture.
static void write_tile(const fum_upscaler *u, struct picture *p, const struct place *at) {
    int scale = u->net.scale;
    int channels = u->net.channels, colours = p->alpha ? 3 : channels;
    size_t width = (size_t)(p->from.width * scale), tile_width = (size_t)(u->width * scale);
    for (int y = at->row_begin * scale; y < at->row_end * scale; y++)
        for (int x = at->column_begin * scale; x < at->column_end * scale; x++) {
            size_t from =
                (size_t)(y - at->top * scale) * tile_width + (size_t)(x - at->left * scale);
            const float *values = p->y + from * (size_t)channels;
            uint8_t *to = p->to + ((size_t)y * width + (size_t)x) * (size_t)p->channels;
            for (int c = 0; c < colours; c++)
                fum_unit_pixels_to_bytes(&values[channels == 1 ? 0 : c], &to[c], 1);
            if (p->alpha)
                to[3] = p->alpha[(size_t)(y / scale) * (size_t)p->from.width + (size_t)(x / scale)];
        }
}

static enum fum_result run_tile(fum_upscaler *u, struct picture *p, int row, int column,
                                struct fum_error *err) {
    const struct place at = find_place(p, row, column);
    struct fum_shape x = fum_tensor_shape(u->x), y = fum_tensor_shape(u->y);
    size_t results = (size_t)fum_shape_count(&y);
    read_tile(u, p, at.top, at.left);
    enum fum_result result =
        fum_executable_write(u->exe, u->x, p->x, (size_t)fum_shape_count(&x), err);
    if (!result) result = fum_executable_run(u->exe, FUM_STAGE_STEP, err);
    if (!result) result = fum_executable_read(u->exe, u->y, p->y, results, err);
    if (result) return result;
    p->finite = fum_finite_values(p->y, results);
    if (p->finite) write_tile(u, p, &at);
    return FUM_OK;
}

static bool too_large(enum fum_result result) {
    return result == FUM_ERR_UNSUPPORTED || result == FUM_ERR_NOMEM;
}

// Compiles for the picture in tiles, or in smaller ones where those do not fit.
static enum fum_result prepare_tiles(fum_upscaler *u, struct picture *p, struct fum_error *err) {
    int s = u->net.shuffle, most = FUM_MAX(MAX_AROUND, MAX_AROUND_SQUARES * s),
        around = FUM_MIN(u->net.radius, most);
    int height = FUM_DIV_UP(p->from.height, s) * s, width = FUM_DIV_UP(p->from.width, s) * s;
    int tile = u->params.tile ? u->params.tile : FUM_UPSCALE_TILE;
    if (tile == FUM_UPSCALE_TILE_AUTO) tile = FUM_MAX(height, width);
    for (;; tile = FUM_DIV_UP(tile, 2)) {
        p->rows = fum_upscale_axis(height, tile, around, s);
        p->columns = fum_upscale_axis(width, tile, around, s);
        enum fum_result result = compile(u, p->rows.size, p->columns.size, err);
        if (!too_large(result) || tile <= MIN_TILE) return result;
        fum_log(u->params.log, FUM_LOG_INFO, "tiles of %d pixels do not fit: %s", tile,
                err ? err->text : "");
    }
}

static enum fum_result run_tiles(fum_upscaler *u, struct picture *p,
                                 const struct fum_upscale_params *params, struct fum_error *err) {
    int total = p->rows.count * p->columns.count;
    enum fum_result result = FUM_OK;
    p->finite = true;
    for (int i = 0; i < total && !result && p->finite; i++) {
        result = run_tile(u, p, i / p->columns.count, i % p->columns.count, err);
        if (!result && p->finite && params->on_tile && !params->on_tile(params->user, i + 1, total))
            result = fum_error_set(err, FUM_ERR_CANCELLED, "cancelled after tile %d of %d", i + 1,
                                   total);
    }
    return result;
}

static enum fum_result allocate_tile(const fum_upscaler *u, struct picture *p,
                                     struct fum_error *err) {
    struct fum_shape x = fum_tensor_shape(u->x), y = fum_tensor_shape(u->y);
    fum_free(p->x);
    fum_free(p->y);
    p->x = fum_alloc((size_t)fum_shape_count(&x), sizeof *p->x);
    p->y = fum_alloc((size_t)fum_shape_count(&y), sizeof *p->y);
    return p->x && p->y ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a tile");
}

// Enlarges all tiles. Values that overflow 16 bits make the network f32, and it starts again.
static enum fum_result enlarge(fum_upscaler *u, struct picture *p,
                               const struct fum_upscale_params *params, struct fum_error *err) {
    for (;;) {
        enum fum_result result = prepare_tiles(u, p, err);
        if (!result) result = allocate_tile(u, p, err);
        if (!result) result = run_tiles(u, p, params, err);
        if (result || p->finite) return result;
        if (u->storage == FUM_F32)
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "%s: gives non-finite values, in f32 too: it may be damaged",
                                 u->params.path);
        fum_log(u->params.log, FUM_LOG_WARN, "the upscaler overflows its type; again in f32");
        u->storage = FUM_F32;
        clear_compiled(u);
    }
}

// ---- reading ----

// Splits a picture into the channels that the network reads and transparency.
static enum fum_result split_picture(const fum_upscaler *u, const struct fum_bitmap *whole,
                                     struct picture *p, struct fum_error *err) {
    size_t pixels = (size_t)whole->width * (size_t)whole->height,
           channels = (size_t)whole->channels;
    enum fum_result result = fum_bitmap_convert(whole, u->net.channels, &p->from, err);
    if (result || channels % 2) return result;
    p->alpha = fum_alloc(pixels, 1);
    if (!p->alpha) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    for (size_t i = 0; i < pixels; i++) p->alpha[i] = whole->pixels[i * channels + channels - 1];
    return FUM_OK;
}

static enum fum_result read_picture(const fum_upscaler *u, struct picture *p,
                                    const struct fum_upscale_params *params,
                                    struct fum_error *err) {
    struct fum_bitmap file = {0};
    if (!params->file) {
        // Only read, though a bitmap's own pixels may be changed.
        uint8_t *given;
        memcpy(&given, &params->pixels, sizeof given);
        const struct fum_bitmap pixels = {given, params->width, params->height, params->channels};
        if (!params->pixels || params->width < 1 || params->height < 1 || params->channels < 1 ||
            params->channels > 4)
            return fum_error_set(err, FUM_ERR_ARG, "no picture to enlarge");
        return split_picture(u, &pixels, p, err);
    }
    enum fum_result result = fum_image_read(params->file, 0, &file, &p->parameters, err);
    if (!result) result = split_picture(u, &file, p, err);
    fum_bitmap_free(&file);
    return result;
}

static enum fum_result allocate_result(const fum_upscaler *u, struct picture *p,
                                       struct fum_error *err) {
    int64_t width = (int64_t)p->from.width * u->net.scale,
            height = (int64_t)p->from.height * u->net.scale;
    if (width > FUM_MAX_SIDE || height > FUM_MAX_SIDE || width * height > FUM_MAX_PIXELS)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%d x %d pixels enlarged %d times are %lld x %lld; a side has at "
                             "most %d pixels, a picture %d",
                             p->from.width, p->from.height, u->net.scale, (long long)width,
                             (long long)height, FUM_MAX_SIDE, FUM_MAX_PIXELS);
    p->channels = p->alpha ? 4 : u->net.channels;
    p->to = fum_alloc((size_t)(width * height), (size_t)p->channels);
    return p->to ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
}

static enum fum_result hand_over(const fum_upscaler *u, const struct picture *p,
                                 const struct fum_upscale_params *params, struct fum_error *err) {
    const struct fum_image image = {.width = p->from.width * u->net.scale,
                                    .height = p->from.height * u->net.scale,
                                    .pixels = p->to,
                                    .channels = p->channels,
                                    .parameters = p->parameters,
                                    .parameters_bytes = p->parameters ? strlen(p->parameters) : 0};
    if (params->on_image(params->user, &image)) return FUM_OK;
    return fum_error_set(err, FUM_ERR_CANCELLED, "cancelled");
}

// Makes the large picture the one to enlarge next.
static enum fum_result take_result(const fum_upscaler *u, struct picture *p,
                                   struct fum_error *err) {
    struct fum_bitmap large = {p->to, p->from.width * u->net.scale, p->from.height * u->net.scale,
                               p->channels};
    p->to = NULL;
    fum_bitmap_free(&p->from);
    fum_free(p->alpha);
    p->alpha = NULL;
    enum fum_result result = split_picture(u, &large, p, err);
    fum_bitmap_free(&large);
    return result;
}

enum fum_result fum_upscaler_run(fum_upscaler *u, const struct fum_upscale_params *params,
                                 struct fum_error *err) {
    struct picture p = {0};
    if (!params->on_image) return fum_error_set(err, FUM_ERR_ARG, "on_image is required");
    enum fum_result result = read_picture(u, &p, params, err);
    for (int i = 0; i < FUM_MAX(params->repeats, 1) && !result; i++) {
        if (i) result = take_result(u, &p, err);
        if (!result) result = allocate_result(u, &p, err);
        if (!result) result = enlarge(u, &p, params, err);
    }
    if (!result) result = hand_over(u, &p, params, err);
    fum_bitmap_free(&p.from);
    fum_free(p.alpha);
    fum_free(p.parameters);
    fum_free(p.to);
    fum_free(p.x);
    fum_free(p.y);
    return result;
}
