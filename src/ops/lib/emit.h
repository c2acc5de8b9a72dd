// SPDX-License-Identifier: MIT
// Adds dispatches to the list of a call. What the device's limits do not allow is refused, with the
// reason in list->why.
#ifndef FUM_OPS_EMIT_H
#define FUM_OPS_EMIT_H

#include "base/macros.h"
#include "graph/graph.h"

// ---- dispatches ----

// Adds a dispatch of `items` invocations, one after the other in x: shader, variant, workgroup size
// (spec 0..2) and group counts are set. Returns NULL, with list->why, if the list or the device has
// no room for it.
struct fum_dispatch *fum_emit(struct fum_dispatches *list, const char *shader, enum fum_dtype dtype,
                              uint64_t items);
// Does the same for short items, such as a quad that is read, changed and written. Where a
// workgroup costs more than these (struct fum_device_class), an invocation computes several.
struct fum_dispatch *fum_emit_quads(struct fum_dispatches *list, const char *shader,
                                    enum fum_dtype dtype, uint64_t items);
// Adds a dispatch as fum_emit does, for `groups` workgroups of `lanes` invocations.
struct fum_dispatch *fum_emit_groups(struct fum_dispatches *list, const char *shader,
                                     enum fum_dtype dtype, uint32_t lanes, uint64_t groups);

// Returns the name of the shader's kernel for weights of a quantised packing, or `shader` itself if
// that is NULL. Returns NULL, with list->why, if this build has none.
const char *fum_emit_shader(struct fum_dispatches *list, const char *shader,
                            const struct fum_packing *quantised, enum fum_dtype dtype);

// Adds specialisation constants; those of the shader itself start at 3.
void fum_emit_spec(struct fum_dispatch *d, uint32_t value);
void fum_emit_specs(struct fum_dispatch *d, const uint32_t *values, size_t count);
#define FUM_EMIT_SPECS(d, ...)                         \
    fum_emit_specs(d, (const uint32_t[]){__VA_ARGS__}, \
                   sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

// Sets the push constants: a structure of a NAME.pc.h of shaders/.
void fum_emit_push(struct fum_dispatch *d, const void *block, size_t bytes);
#define FUM_EMIT_PUSH(d, block) fum_emit_push(d, &(block), sizeof(block))

// ---- bindings ----

// Rows [first, first + count) of a tensor.
struct fum_rows {
    const struct fum_desc *desc;
    int64_t first, count;
};

// Returns the window of an operand's rows that starts on the device's binding alignment. *skip: its
// quads before row `first`, which the kernel adds to every index. Written if it is FUM_OUT.
struct fum_dispatch_bind fum_bind_rows(const struct fum_dispatches *list, int operand,
                                       struct fum_rows rows, uint32_t *skip);
// Returns `bytes` bytes of scratch from a multiple of the binding alignment on.
struct fum_dispatch_bind fum_bind_scratch(uint64_t offset, uint64_t bytes, bool write);

// Adds the next binding.
void fum_emit_bind(struct fum_dispatch *d, struct fum_dispatch_bind bind);
// Adds rows of an operand as the next binding and returns the quads before the first.
uint32_t fum_emit_rows(const struct fum_dispatches *list, struct fum_dispatch *d, int operand,
                       struct fum_rows rows);
// Adds the last binding once more, for reading. Returns the new one's number. Kernels of texels
// touch through it what they are about to write (shaders/lib/touch.glsl).
int fum_emit_again(struct fum_dispatch *d);
// Adds all of an operand, written if it is FUM_OUT, without checking its size.
void fum_emit_operand(struct fum_dispatch *d, int operand);
// Does the same, but returns false, with list->why, if it exceeds a binding.
bool fum_emit_whole(struct fum_dispatches *list, struct fum_dispatch *d, int operand,
                    const struct fum_desc *desc);

// Does the same for an input. The output stands for one without elements, which has no bytes to
// bind and of which the kernel reads nothing.
bool fum_emit_input(struct fum_dispatches *list, struct fum_dispatch *d, int input,
                    const struct fum_desc *desc);

// Adds the last two bindings of a sum in one or two passes: partial sums and output. Partial sums
// are all of the scratch, and the last pass writes the output. Returns false, with list->why, if
// the output exceeds a binding.
bool fum_emit_sums(struct fum_dispatches *list, struct fum_dispatch *d, const struct fum_desc *out,
                   bool last);

// Returns false after writing that `what` exceeds the device's largest binding.
bool fum_refuse_size(struct fum_why *why, const struct fum_device_info *info, const char *what);

// ---- tensors of one shape and type, walked from end to end ----

// The quads [first, first + count) of such tensors.
struct fum_span {
    uint64_t first, count;
};

// Returns how many quads fit a binding; a multiple of the binding alignment.
uint64_t fum_quads_per_binding(const struct fum_device_info *info, enum fum_dtype dtype);
// Steps to the next of `total` quads, at most `each` at once; start with *span all zero. Returns
// false after the last.
bool fum_span_next(struct fum_span *span, uint64_t total, uint64_t each);
// Adds a span of an operand whose elements have the type as the next binding.
void fum_emit_span(struct fum_dispatch *d, int operand, enum fum_dtype dtype,
                   const struct fum_span *span);

// ---- descriptions and settings ----

uint64_t fum_desc_quads(const struct fum_desc *desc);
bool fum_is_storage(enum fum_dtype dtype); // f32, f16 or bf16
// Returns true if the device's buffers can hold the storage type.
bool fum_device_stores(const struct fum_device_info *info, enum fum_dtype dtype);
// Returns the variant that moves elements of this type as bits: f32 for every four-byte type.
enum fum_dtype fum_raw_variant(enum fum_dtype dtype);
// Returns true if a desc is an i32 [1], as counters and flags are.
bool fum_is_counter(const struct fum_desc *desc);

// The whole numbers that a setting may have.
struct fum_attr_range {
    const char *name;
    int64_t least, most;
};
// Reads setting `a`; returns false, with `why`, if it is none of the range.
bool fum_attr_int(double a, struct fum_attr_range range, int64_t *value, struct fum_why *why);
// Reads setting "dtype": -1 keeps *dtype, which the graph presets to its storage type; else a
// storage type.
bool fum_attr_storage(double a, enum fum_dtype *dtype, struct fum_why *why);

#endif
