// SPDX-License-Identifier: MIT
// Kernels of 3x3 convolutions as Winograd's method reads them (Lavin and Gray 2016): U = G g G^T.
// F(4x4, 3x3) has 36 points, F(2x2, 3x3) has 16. [out, in, 3, 3] in files, [points, in, out]
// packed: row point * channels + channel holds that point of all outputs. In panels of outputs they
// are [points, panels, in, FUM_PACK_PANEL]. The gradient by the image is a convolution of dy with
// the flipped kernel, whose channels are the file's outputs.
#include "base/dtype.h"
#include "base/macros.h"
#include "weights/transpose.h"

#include <string.h>

// Works on a cache line of outputs and a run of input channels at a time.
enum { OUTPUTS = FUM_PACK_LINE / sizeof(float), CHANNELS = FUM_PACK_RUN / 9 };

static struct fum_view file_view(const struct fum_shape *shape) {
    const int64_t *d = shape->dim;
    if (shape->rank != 3 || (d[0] != 36 && d[0] != 16)) return (struct fum_view){0};
    return (struct fum_view){.rank = 4, .dim = {d[2], d[1], 3, 3}};
}

static struct fum_view panels_file_view(const struct fum_shape *shape) {
    const int64_t *d = shape->dim;
    if (shape->rank != 4 || (d[0] != 36 && d[0] != 16) || d[3] != FUM_PACK_PANEL)
        return (struct fum_view){0};
    return (struct fum_view){.rank = 4, .dim = {d[1] * d[3], d[2], 3, 3}};
}

static struct fum_view gradient_file_view(const struct fum_shape *shape) {
    struct fum_view view = file_view(shape);
    if (view.rank) view = (struct fum_view){.rank = 4, .dim = {view.dim[1], view.dim[0], 3, 3}};
    return view;
}

// Computes point p of all outputs of a cache line.
static void transform_point(int64_t points, int64_t p, float (*g)[OUTPUTS], float *u) {
    static const float G4[6][3] = {{1 / 4.f, 0, 0},
                                   {-1 / 6.f, -1 / 6.f, -1 / 6.f},
                                   {-1 / 6.f, 1 / 6.f, -1 / 6.f},
                                   {1 / 24.f, 1 / 12.f, 1 / 6.f},
                                   {1 / 24.f, -1 / 12.f, 1 / 6.f},
                                   {0, 0, 1}};
    static const float G2[4][3] = {{1, 0, 0}, {.5f, .5f, .5f}, {.5f, -.5f, .5f}, {0, 0, 1}};
    int64_t side = points == 36 ? 6 : 4;
    const float *row = side == 6 ? G4[p / 6] : G2[p / 4],
                *column = side == 6 ? G4[p % 6] : G2[p % 4];
    memset(u, 0, OUTPUTS * sizeof *u);
    for (int64_t t = 0; t < 9; t++) {
        float factor = row[t / 3] * column[t % 3];
        for (int64_t k = 0; k < OUTPUTS; k++) u[k] += factor * g[t][k];
    }
}

// Writes every requested point of one input channel, of a cache line of outputs from output `o` on.
// g: taps of these outputs.
static void pack_channel(const struct fum_pack_job *job, float (*g)[OUTPUTS], int64_t channel,
                         int64_t o) {
    const struct fum_pack_target *to = &job->to;
    const struct fum_shape *shape = job->shape;
    int64_t points = shape->dim[0], channels = shape->dim[shape->rank - 2];
    int64_t wide = FUM_MIN(job->columns - o, OUTPUTS),
            panel = shape->rank == 4 ? o / FUM_PACK_PANEL : 0;
    int64_t rows = fum_shape_rows(shape) / points; // of a point
    size_t size = fum_dtype_size(to->type);
    float u[OUTPUTS];
    for (int64_t p = to->first / rows; p <= (to->first + to->count - 1) / rows; p++) {
        int64_t row = p * rows + panel * channels + channel - to->first;
        if (row < 0 || row >= to->count) continue;
        transform_point(points, p, g, u);
        int64_t column = shape->rank == 4 ? o % FUM_PACK_PANEL : o;
        uint8_t *packed = (uint8_t *)to->data + (size_t)(row * to->row_elements + column) * size;
        if (to->type == FUM_F32)
            memcpy(packed, u, (size_t)wide * size);
        else
            fum_convert_from_f32(packed, to->type, u, (size_t)wide);
    }
}

static void pack_rows(const struct fum_pack_job *job) {
    float values[OUTPUTS * FUM_PACK_STRIDE], g[9][OUTPUTS] = {{0}};
    int64_t channels = job->shape->dim[job->shape->rank - 2];
    if (!channels || !job->to.count) return;
    for (int64_t o = 0; o < job->columns; o += OUTPUTS) {
        int64_t wide = FUM_MIN(job->columns - o, OUTPUTS);
        for (int64_t from = 0; from < channels; from += CHANNELS) {
            int64_t n = FUM_MIN(channels - from, CHANNELS);
            for (int64_t k = 0; k < wide; k++)
                fum_pack_convert(values + k * FUM_PACK_STRIDE, FUM_F32, job->view,
                                 ((o + k) * channels + from) * 9, n * 9);
            for (int64_t c = 0; c < n; c++) {
                for (int64_t k = 0; k < wide; k++)
                    for (int64_t t = 0; t < 9; t++)
                        g[t][k] = values[k * FUM_PACK_STRIDE + c * 9 + t];
                pack_channel(job, g, from + c, o);
            }
        }
    }
}

static void pack_panels(const struct fum_pack_job *job) {
    struct fum_pack_job all = *job;
    all.columns = job->shape->dim[1] * FUM_PACK_PANEL;
    pack_rows(&all);
}

// Packs flipped kernels. A channel is a row of the file, whose runs of nine are the taps of its
// inputs.
static void pack_gradient_rows(const struct fum_pack_job *job) {
    float values[OUTPUTS * 9], g[9][OUTPUTS] = {{0}};
    for (int64_t c = 0; c < job->shape->dim[1] && job->to.count; c++)
        for (int64_t o = 0; o < job->columns; o += OUTPUTS) {
            int64_t wide = FUM_MIN(job->columns - o, OUTPUTS);
            fum_pack_convert(values, FUM_F32, job->view, (c * job->columns + o) * 9, wide * 9);
            for (int64_t k = 0; k < wide; k++)
                for (int64_t t = 0; t < 9; t++) g[8 - t][k] = values[k * 9 + t];
            pack_channel(job, g, c, o);
        }
}

const struct fum_packing fum_packing_winograd = {
    .name = "winograd",
    .file_view = file_view,
    .transposed = true,
    .rows = pack_rows,
};

const struct fum_packing fum_packing_winograd_panels = {
    .name = "winograd_panels",
    .file_view = panels_file_view,
    .whole = true,
    .rows = pack_panels,
};

const struct fum_packing fum_packing_winograd_gradient = {
    .name = "winograd_gradient",
    .file_view = gradient_file_view,
    .whole = true,
    .rows = pack_gradient_rows,
};
