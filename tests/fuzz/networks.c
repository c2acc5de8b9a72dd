// SPDX-License-Identifier: MIT
// Fuzzes what is read off the names and shapes of upscalers and T2I-adapters, and the graphs that
// are built from that. The input chooses a network, and tensors to leave out or to reshape.
#include "base/alloc.h"
#include "base/error.h"
#include "model/t2i_adapter.h"
#include "model/upscaler.h"

#include "choices.h"
#include "fitted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_HEADER = 1 << 14, MAX_DATA = 1 << 16, SIDE = 4 };

// A safetensors file in the making: its header and how many bytes of numbers follow.
struct file {
    struct choices *choices;
    char header[MAX_HEADER];
    size_t length;
    int64_t bytes;
};

// Adds an F16 tensor, unless the input leaves it out. A dimension of 0 ends the shape.
static void add_tensor(struct file *f, const char *module, const char *part, const int dims[4]) {
    int rank = 0, shape[4];
    int64_t count = 1;
    char text[64];
    if (one_in(f->choices, 16)) return;
    while (rank < 4 && dims[rank]) {
        shape[rank] = one_in(f->choices, 16) ? (int)choose(f->choices, 9) : dims[rank];
        count *= shape[rank++];
    }
    if (one_in(f->choices, 32) && rank) count = shape[0], rank = 1;
    size_t at = 0;
    for (int i = 0; i < rank; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%d", i ? "," : "", shape[i]);
    text[at] = 0;
    if (f->length + 200 > MAX_HEADER || f->bytes + 2 * count > MAX_DATA) return;
    f->length += (size_t)snprintf(
        f->header + f->length, MAX_HEADER - f->length,
        "%s\"%s.%s\":{\"dtype\":\"F16\",\"shape\":[%s],\"data_offsets\":[%lld,%lld]}",
        f->length > 1 ? "," : "", module, part, text, (long long)f->bytes,
        (long long)(f->bytes + 2 * count));
    f->bytes += 2 * count;
}

static void add_conv(struct file *f, const char *module, int out, int in, int kernel) {
    add_tensor(f, module, "weight", (const int[]){out, in, kernel, kernel});
    add_tensor(f, module, "bias", (const int[]){out, 0, 0, 0});
}

static void add_rrdb(struct file *f) {
    static const struct {
        const char *first, *dense, *others[5];
    } styles[] = {{"conv_first",
                   "body.0.rdb%d.conv%d",
                   {"conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"}},
                  {"conv_first",
                   "RRDB_trunk.0.RDB%d.conv%d",
                   {"trunk_conv", "upconv1", "upconv2", "HRconv", "conv_last"}},
                  {"model.0",
                   "model.1.sub.0.RDB%d.conv%d.0",
                   {"model.1.sub.1", "model.3", "model.6", "model.8", "model.10"}}};
    uint32_t style = choose(f->choices, 3);
    char name[64];
    add_conv(f, styles[style].first, 4, 3 << 2 * choose(f->choices, 3), 3);
    for (int d = 1; d <= 3; d++)
        for (int c = 0; c < 5; c++) {
            snprintf(name, sizeof name, styles[style].dense, d, c + 1);
            add_conv(f, name, c < 4 ? 2 : 4, 4 + 2 * c, 3);
        }
    for (int i = 0; i < 5; i++) add_conv(f, styles[style].others[i], i < 4 ? 4 : 3, 4, 3);
}

static void add_srvgg(struct file *f) {
    int layers = 2 + 2 * (int)choose(f->choices, 3);
    char name[32];
    for (int i = 0; i <= layers; i++) {
        snprintf(name, sizeof name, "body.%d", i);
        if (i % 2)
            add_tensor(f, name, "weight", (const int[]){4, 0, 0, 0});
        else
            add_conv(f, name, i < layers ? 4 : 12, i ? 4 : 3, 3);
    }
}

static void add_adapter(struct file *f) {
    static const char *const blocks[] = {"adapter.body.%d.resnets.%d.block%d",
                                         "body.%d.body.%d.block%d", "body.%d.block%d"};
    uint32_t style = choose(f->choices, 3);
    bool light = one_in(f->choices, 2);
    const char *prefix = style ? "" : "adapter.";
    char name[64];
    snprintf(name, sizeof name, "%sconv_in", prefix);
    if (!light) add_conv(f, name, 4, 12, 3);
    for (int level = 0; level < 3; level++) {
        snprintf(name, sizeof name, "%sbody.%d.in_conv", prefix, style == 2 ? 2 * level : level);
        add_conv(f, name, light ? 1 : 4, level ? 4 : 12, 1);
        for (int b = 0; b < 4; b++) {
            int block = b / 2;
            if (style == 2)
                snprintf(name, sizeof name, blocks[2], 2 * level + block, b % 2 + 1);
            else
                snprintf(name, sizeof name, blocks[style], level, block, b % 2 + 1);
            add_conv(f, name, light ? 1 : 4, light ? 1 : 4, light || b % 2 == 0 ? 3 : 1);
        }
        snprintf(name, sizeof name, "%sbody.%d.out_conv", prefix, level);
        if (light) add_conv(f, name, 4, 1, 1);
    }
}

// Checks a graph that was built: it is whole, or says in one line what does not fit.
static void check_graph(fum_graph *graph, bool built) {
    struct fum_error err = {0};
    enum fum_result result = fum_graph_check(graph, &err);
    if (built && result) abort();
    fitted_expect(result, &err);
    fum_graph_destroy(&graph);
}

static void try_upscaler(fum_loader *loader) {
    struct fum_upscaler_net net = {.loader = loader};
    struct fum_error err = {0};
    fum_graph *graph = NULL;
    enum fum_result result = fum_upscaler_net_read(&net, &err);
    fitted_expect(result, &err);
    if (result || fum_graph_create(&graph, FUM_F32, &err)) return;
    const struct fum_shape shape = {4, {1, SIDE, SIDE, net.channels * net.shuffle * net.shuffle}};
    fum_tensor *x = fum_graph_input(graph, "x", shape, FUM_F32, FUM_STAGE_STEP),
               *y = net.family->build(graph, &net, x);
    if (y && fum_tensor_shape(y).dim[1] != SIDE * net.shuffle * net.scale) abort();
    check_graph(graph, y != NULL);
}

static void try_adapter(fum_loader *loader, double square) {
    struct fum_t2i_adapter a = {.loader = loader};
    struct fum_error err = {0};
    fum_graph *graph = NULL;
    fum_tensor *features[FUM_T2I_MAX_LEVELS];
    enum fum_result result = fum_t2i_adapter_read(&a, square, &err);
    fitted_expect(result, &err);
    if (result || fum_graph_create(&graph, FUM_F32, &err)) return;
    const struct fum_shape shape = {4, {1, 8, 8, a.channels * a.square * a.square}};
    fum_tensor *x = fum_graph_input(graph, "x", shape, FUM_F32, FUM_STAGE_PROMPT);
    int count = fum_t2i_adapter_build(graph, &a, "control.0.", x, features);
    check_graph(graph, count > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const networks[])(struct file * f) = {add_rrdb, add_srvgg, add_adapter};
    static struct file f;
    struct choices c = {data, size, 0};
    fum_loader *loader = NULL;
    struct fum_error err = {0};
    f = (struct file){.choices = &c, .header = "{", .length = 1};
    networks[choose(&c, 3)](&f);
    f.length += (size_t)snprintf(f.header + f.length, MAX_HEADER - f.length, "}");
    size_t bytes = 8 + f.length + (size_t)f.bytes;
    uint8_t *whole = calloc(bytes, 1);
    for (int i = 0; i < 8; i++) whole[i] = (uint8_t)((uint64_t)f.length >> 8 * i);
    memcpy(whole + 8, f.header, f.length);
    if (!fum_loader_open_memory(&loader, whole, bytes, "fuzz.safetensors", &err)) {
        try_upscaler(loader);
        try_adapter(loader, one_in(&c, 4) ? (double)choose(&c, 70) : 2);
    }
    fum_loader_close(&loader);
    free(whole);
    return 0;
}
