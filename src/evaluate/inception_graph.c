// SPDX-License-Identifier: MIT
// Builds Inception v3 (Szegedy et al. 2016) as pytorch-fid does: average pools do not count their
// padding, and the last block has a max pool.
#include "base/error.h"
#include "evaluate/inception.h"

#include <stdio.h>

struct builder {
    fum_graph *graph;
    const fum_loader *weights;
    const char *block; // "Mixed_5b"; NULL: at the root
    char missing[160]; // the first tensor that is not there; "": none
};

// A convolution with batch norm and ReLU.
struct layer {
    const char *name;
    int height, width, stride, pad_height, pad_width;
};
#define POINT(name) \
    { name, 1, 1, 1, 0, 0 }
#define SAME(name, height, width) \
    { name, height, width, 1, (height) / 2, (width) / 2 }
#define VALID(name, side, stride) \
    { name, side, side, stride, 0, 0 }

static fum_tensor *add_weight(struct builder *b, const char *path, const char *part,
                              struct fum_shape shape, enum fum_pack pack) {
    char name[160];
    snprintf(name, sizeof name, "%s.%s", path, part);
    return fum_graph_weight(b->graph, name, shape, pack);
}

static fum_tensor *add_conv(struct builder *b, fum_tensor *x, const struct layer *layer) {
    char path[128], name[160];
    snprintf(path, sizeof path, "%s%s%s", b->block ? b->block : "", b->block ? "." : "",
             layer->name);
    snprintf(name, sizeof name, "%s.conv.weight", path);
    int out = fum_loader_dim(b->weights, name, 0, "%s", "");
    if (!out || !x) {
        if (!out && !b->missing[0]) snprintf(b->missing, sizeof b->missing, "%s", name);
        return NULL;
    }
    int64_t in = fum_tensor_shape(x).dim[3];
    fum_tensor *w =
        add_weight(b, path, "conv.weight",
                   (struct fum_shape){4, {layer->height, layer->width, in, out}}, FUM_PACK_CONV);
    fum_tensor *bias =
        add_weight(b, path, "conv.bias", (struct fum_shape){1, {out}}, FUM_PACK_NONE);
    const struct fum_attr attrs[] = {{"stride", layer->stride},
                                     {"pad", layer->pad_height},
                                     {"pad_width", layer->pad_width},
                                     {0}};
    fum_tensor *y = fum_graph_add(b->graph, "conv2d", path, FUM_INPUTS(x, w, bias), attrs);
    return fum_graph_add(b->graph, "relu", NULL, FUM_INPUTS(y), NULL);
}

// Adds layers one after the other; the list ends with a NULL name.
static fum_tensor *add_chain(struct builder *b, fum_tensor *x, const struct layer *layers) {
    for (; layers->name; layers++) x = add_conv(b, x, layers);
    return x;
}
#define CHAIN(b, x, ...) add_chain(b, x, (const struct layer[]){__VA_ARGS__, {NULL, 0, 0, 0, 0, 0}})

static fum_tensor *add_pool(struct builder *b, fum_tensor *x, const char *op, int stride, int pad) {
    const struct fum_attr attrs[] = {{"kernel", 3}, {"stride", stride}, {"pad", pad}, {0}},
                          average[] = {{"kernel", 3},
                                       {"stride", stride},
                                       {"pad", pad},
                                       {"count_include_pad", 0},
                                       {0}};
    return fum_graph_add(b->graph, op, NULL, FUM_INPUTS(x), op[0] == 'a' ? average : attrs);
}

static fum_tensor *join(struct builder *b, struct fum_inputs parts) {
    return fum_graph_add(b->graph, "concat", NULL, parts, NULL);
}

// Adds the last branch of most blocks: a pool that keeps the size, then a convolution.
static fum_tensor *add_pool_branch(struct builder *b, fum_tensor *x, const char *op) {
    return CHAIN(b, add_pool(b, x, op, 1, 1), POINT("branch_pool"));
}

// ---- blocks, by the names of torchvision's classes ----

static fum_tensor *add_a(struct builder *b, const char *block, fum_tensor *x) {
    b->block = block;
    return join(b, FUM_INPUTS(CHAIN(b, x, POINT("branch1x1")),
                              CHAIN(b, x, POINT("branch5x5_1"), SAME("branch5x5_2", 5, 5)),
                              CHAIN(b, x, POINT("branch3x3dbl_1"), SAME("branch3x3dbl_2", 3, 3),
                                    SAME("branch3x3dbl_3", 3, 3)),
                              add_pool_branch(b, x, "average_pool")));
}

static fum_tensor *add_b(struct builder *b, const char *block, fum_tensor *x) {
    b->block = block;
    return join(b, FUM_INPUTS(CHAIN(b, x, VALID("branch3x3", 3, 2)),
                              CHAIN(b, x, POINT("branch3x3dbl_1"), SAME("branch3x3dbl_2", 3, 3),
                                    VALID("branch3x3dbl_3", 3, 2)),
                              add_pool(b, x, "max_pool", 2, 0)));
}

static fum_tensor *add_c(struct builder *b, const char *block, fum_tensor *x) {
    b->block = block;
    return join(b, FUM_INPUTS(CHAIN(b, x, POINT("branch1x1")),
                              CHAIN(b, x, POINT("branch7x7_1"), SAME("branch7x7_2", 1, 7),
                                    SAME("branch7x7_3", 7, 1)),
                              CHAIN(b, x, POINT("branch7x7dbl_1"), SAME("branch7x7dbl_2", 7, 1),
                                    SAME("branch7x7dbl_3", 1, 7), SAME("branch7x7dbl_4", 7, 1),
                                    SAME("branch7x7dbl_5", 1, 7)),
                              add_pool_branch(b, x, "average_pool")));
}

static fum_tensor *add_d(struct builder *b, const char *block, fum_tensor *x) {
    b->block = block;
    return join(b, FUM_INPUTS(CHAIN(b, x, POINT("branch3x3_1"), VALID("branch3x3_2", 3, 2)),
                              CHAIN(b, x, POINT("branch7x7x3_1"), SAME("branch7x7x3_2", 1, 7),
                                    SAME("branch7x7x3_3", 7, 1), VALID("branch7x7x3_4", 3, 2)),
                              add_pool(b, x, "max_pool", 2, 0)));
}

static fum_tensor *add_e(struct builder *b, const char *block, fum_tensor *x, const char *pool) {
    b->block = block;
    fum_tensor *one = CHAIN(b, x, POINT("branch1x1")), *three = CHAIN(b, x, POINT("branch3x3_1")),
               *twice = CHAIN(b, x, POINT("branch3x3dbl_1"), SAME("branch3x3dbl_2", 3, 3));
    return join(b, FUM_INPUTS(one, CHAIN(b, three, SAME("branch3x3_2a", 1, 3)),
                              CHAIN(b, three, SAME("branch3x3_2b", 3, 1)),
                              CHAIN(b, twice, SAME("branch3x3dbl_3a", 1, 3)),
                              CHAIN(b, twice, SAME("branch3x3dbl_3b", 3, 1)),
                              add_pool_branch(b, x, pool)));
}

static fum_tensor *add_stem(struct builder *b, fum_tensor *x) {
    x = CHAIN(b, x, VALID("Conv2d_1a_3x3", 3, 2), VALID("Conv2d_2a_3x3", 3, 1),
              SAME("Conv2d_2b_3x3", 3, 3));
    x = add_pool(b, x, "max_pool", 2, 0);
    x = CHAIN(b, x, POINT("Conv2d_3b_1x1"), VALID("Conv2d_4a_3x3", 3, 1));
    return add_pool(b, x, "max_pool", 2, 0);
}

// ---- the network ----

static fum_tensor *add_blocks(struct builder *b, fum_tensor *x) {
    static const char *const a[] = {"Mixed_5b", "Mixed_5c", "Mixed_5d"}, *const c[] = {"Mixed_6b",
                                                                                       "Mixed_6c",
                                                                                       "Mixed_6d",
                                                                                       "Mixed_6e"};
    for (size_t i = 0; i < sizeof a / sizeof *a; i++) x = add_a(b, a[i], x);
    x = add_b(b, "Mixed_6a", x);
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) x = add_c(b, c[i], x);
    x = add_d(b, "Mixed_7a", x);
    x = add_e(b, "Mixed_7b", x, "average_pool");
    return add_e(b, "Mixed_7c", x, "max_pool");
}

// Adds the mean over the last map, and the last layer.
static void add_head(struct builder *b, fum_tensor *x, struct fum_inception *net) {
    if (!x) return;
    struct fum_shape map = fum_tensor_shape(x);
    int64_t width = map.dim[3], classes = fum_loader_dim(b->weights, "fc.weight", 0, "%s", "");
    const struct fum_attr pool[] = {{"kernel", (double)map.dim[1]}, {0}};
    x = fum_graph_add(b->graph, "average_pool", NULL, FUM_INPUTS(x), pool);
    net->features =
        fum_graph_add(b->graph, "reshape", "features", FUM_INPUTS(x),
                      (const struct fum_attr[]){
                          {"rank", 2}, {"d0", (double)map.dim[0]}, {"d1", (double)width}, {0}});
    if (!classes) {
        snprintf(b->missing, sizeof b->missing, "fc.weight");
        return;
    }
    fum_tensor *w = fum_graph_weight(b->graph, "fc.weight", (struct fum_shape){2, {width, classes}},
                                     FUM_PACK_LINEAR);
    net->logits = fum_graph_add(b->graph, "matmul", "logits", FUM_INPUTS(net->features, w), NULL);
}

bool fum_inception_build(fum_graph *graph, struct fum_inception *net, struct fum_error *err) {
    struct builder b = {.graph = graph, .weights = net->weights};
    const struct fum_attr to_signed[] = {{"mul", 2}, {"add", -1}, {0}};
    fum_tensor *x = fum_graph_add(graph, "scale", NULL, FUM_INPUTS(net->pixels), to_signed);
    add_head(&b, add_blocks(&b, add_stem(&b, x)), net);
    if (!b.missing[0]) return true;
    fum_error_set(err, FUM_ERR_FORMAT,
                  "%s: not the weights of pytorch-fid's Inception: tensor %s is missing",
                  fum_loader_path(net->weights), b.missing);
    return false;
}
