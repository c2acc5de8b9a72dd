// SPDX-License-Identifier: MIT
// A tensor's bytes as a file holds them: what io yields and what weights are uploaded from.
#ifndef FUM_BASE_VIEW_H
#define FUM_BASE_VIEW_H

#include <fumarole/core.h>

enum { FUM_VIEW_MAX_DIMS = 8 };

struct fum_block_type;
struct fum_file;

// Values that are computed each time they are read.
struct fum_computed {
    // Writes every value of the view.
    enum fum_result (*write)(const void *user, float *values, struct fum_error *err);
    const void *user;
};

// Row-major, dense, little-endian. The bytes are in memory, or still in the file: read them with
// fum_view_read. Computed values are f32 and need fum_view_load. Values that are stored in blocks
// of integers are read as f32, too.
struct fum_view {
    enum fum_dtype dtype;
    int rank;
    int64_t dim[FUM_VIEW_MAX_DIMS];
    const void *data; // may be unaligned, belongs to its owner; NULL: in `file`
    const struct fum_file *file;
    uint64_t offset;                     // of the first byte in `file`
    const struct fum_computed *computed; // NULL: the values are stored
    // Type of the blocks that the values are stored in; NULL: as elements. They lie at block_data
    // or, if that is NULL, from byte block_offset of `file` on. dtype is then f32, `data` NULL, and
    // `offset` counts bytes of f32 values.
    const struct fum_block_type *blocks;
    const void *block_data;
    uint64_t block_offset;
    // Factors of the values ("scaled fp8"); NULL: none. Element e is multiplied by
    // scales[(scale_from + e) / scale_each], or by the only one where scale_each is 0.
    const float *scales;
    uint64_t scale_each, scale_from;
};

// Reads `bytes` bytes from byte `from` of the view on.
enum fum_result fum_view_read(const struct fum_view *view, uint64_t from, uint64_t bytes, void *to,
                              struct fum_error *err);
// Reads or computes all `bytes` bytes of a view that is not in memory, and points the view there.
// *copy holds them and is freed with fum_free. It is NULL for a view of memory, which stays as it
// is.
enum fum_result fum_view_load(struct fum_view *view, uint64_t bytes, void **copy,
                              struct fum_error *err);
// Reads or computes all values as f32.
enum fum_result fum_view_read_f32(const struct fum_view *view, float *values,
                                  struct fum_error *err);
// Reads the blocks of a view that begins with a whole one, and points the view there. *copy holds
// them and is freed with fum_free; NULL: they were in memory.
enum fum_result fum_view_load_blocks(struct fum_view *view, void **copy, struct fum_error *err);
// Moves the view's begin.
void fum_view_skip(struct fum_view *view, uint64_t bytes);
// Multiplies values[0..count), the view's from element `from` on, by their factors, if it has any.
void fum_view_scale(const struct fum_view *view, uint64_t from, float *values, size_t count);
uint64_t fum_view_count(const struct fum_view *view); // elements
uint64_t fum_view_bytes(const struct fum_view *view); // that fum_view_read reads of all elements

// Where weights come from: finds a tensor by the name the model's builder uses (diffusers' and
// transformers' names). False when there is none. Views stay valid as long as the source does.
struct fum_weight_source {
    bool (*find)(void *user, const char *name, struct fum_view *view);
    void *user;
};

#endif
