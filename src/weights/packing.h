// SPDX-License-Identifier: MIT
// How a weight's order in its file becomes the order that kernels read. Each packing is one record
// in a file of its own.
#ifndef FUM_WEIGHTS_PACKING_H
#define FUM_WEIGHTS_PACKING_H

#include <fumarole/tensor.h>

#include "base/view.h"
#include "base/why.h"
#include "weights/weight.h"

// Columns of a panel: two cache lines of f32, and what the lanes of a CPU driver's kernel read of a
// row.
enum { FUM_PACK_PANEL = 32 };
// Longest side of a convolution's kernel in panels.
enum { FUM_PACK_MOST_SIDE = 16 };

struct fum_block_type;
struct fum_coded;

// Where packed rows [first, first + count) go: each row `row_elements` apart, with its padding
// zeroed, elements of type `type`.
struct fum_pack_target {
    void *data;
    enum fum_dtype type;
    int64_t row_elements;
    int64_t first, count;
};

// Packs the first `columns` columns of the target's rows. The view's bytes are in memory. A
// quantised packing may get blocks of its own type (fum_packing_keeps).
struct fum_pack_job {
    const struct fum_packing *packing;
    const struct fum_view *view;
    const struct fum_shape *shape; // of the whole packed weight
    int64_t columns;
    struct fum_pack_target to;
};

// How a quantised packing stores the terms of a product's sums: so many of them, of one output, as
// words of 32 bits. The weight's rows are terms, so a block is a few rows of words.
struct fum_block {
    int terms, rows;
    int max_taps; // of a convolution's kernel; 0: convolutions have no such weights
    const struct fum_block_type *type; // in files
    const struct fum_coded *coded;     // of packings that coded.c writes; else NULL
    // Stands in where a weight's rows are no whole blocks. NULL: such weights stay dense.
    const struct fum_packing *fallback;
    // Returns a term. The words of the block's rows lie `stride` apart.
    double (*term)(const struct fum_block *block, const uint32_t *words, int64_t stride, int term);
};

struct fum_packing {
    const char *name;
    // Returns a view of the shape that the weight has in a file; rank 0: no weight of this packing
    // has such a shape.
    struct fum_view (*file_view)(const struct fum_shape *shape);
    // True if the file's tensor may have other dimensions, as long as the elements are as many.
    bool any_dimensions;
    // True if the weight's columns are the file's rows; else rows are rows.
    bool transposed;
    // True if the host packs the file's tensor in one piece, whatever its size.
    bool whole;
    void (*rows)(const struct fum_pack_job *job);
    const char *device_shader; // does the same on the device; NULL: only the host can
    // How a quantised packing stores terms; NULL: as elements of the weight's type.
    const struct fum_block *block;
};

extern const struct fum_packing fum_packing_plain, fum_packing_linear, fum_packing_conv,
    fum_packing_panels, fum_packing_conv_panels, fum_packing_winograd, fum_packing_winograd_panels,
    fum_packing_winograd_gradient;
#define FUM_QUANTISED(name) extern const struct fum_packing fum_packing_##name;
#include "weights/quantised.def"
#undef FUM_QUANTISED
// Returns the packing of a public code.
const struct fum_packing *fum_packing_of(enum fum_pack pack);

// ---- quantised packings ----

// In the order of quantised.def; ends with NULL.
extern const struct fum_packing *const fum_quantised_packings[];
// Returns the quantised packing of a name, "q8_0"; NULL: none.
const struct fum_packing *fum_quantised_find(const char *name);
// Returns the quantised packing of blocks as files store them; NULL: none.
const struct fum_packing *fum_quantised_of(const struct fum_block_type *type);
// True if the packing takes over the view's blocks as they are stored, in whole rows.
bool fum_packing_keeps(const struct fum_packing *packing, const struct fum_view *view);
// Reads or computes all of a view that is not in memory, as the packing takes it: *copy, freed with
// fum_free, may hold it.
enum fum_result fum_packing_load(const struct fum_packing *packing, struct fum_view *view,
                                 void **copy, struct fum_error *err);
// True if a dense weight of this shape can be packed so: whole blocks, and few enough taps.
bool fum_quantised_fits(const struct fum_packing *packing, const struct fum_shape *shape);
// Returns what device memory holds of a dense weight packed so. NULL: the weight itself.
struct fum_desc fum_packing_desc(const struct fum_packing *packing, const struct fum_desc *dense);
// Writes the dense values that packed words stand for, row by row without padding.
void fum_quantised_read(const struct fum_packing *packing, const struct fum_shape *dense,
                        const uint32_t *words, double *values);

// Returns the taps of a convolution's kernel, height times width; 1 for weights of other ranks.
int64_t fum_packing_taps(const struct fum_shape *shape);

// True if the file's tensor is this weight: its type is known and it has the shape that the packing
// needs. Trailing dimensions of 1 may be absent from either.
bool fum_packing_check(const struct fum_weight *weight, const struct fum_view *view,
                       struct fum_why *why);
// Writes the target's rows. The view has passed the check, and its bytes are in memory.
void fum_pack_rows(const struct fum_weight *weight, const struct fum_view *view,
                   const struct fum_pack_target *to);
// Writes all rows of the weight, whatever to->first and to->count say. A view that is still in its
// file is read in chunks.
enum fum_result fum_pack_tensor(const struct fum_weight *weight, const struct fum_view *view,
                                const struct fum_pack_target *to, struct fum_error *err);

#endif
