// SPDX-License-Identifier: MIT
// Adding dispatches to a list, and checks that several ops share.
#ifndef FUM_OPS_EMIT_H
#define FUM_OPS_EMIT_H

#include "graph/graph.h"

// A new dispatch of `items` invocations, one after the other in x: shader, variant, workgroup size
// (spec 0..2) and group counts set; the caller adds the rest. NULL (with `why`) when the list or
// the device is full.
struct fum_dispatch *fum_emit(struct fum_dispatches *list, const char *shader, enum fum_dtype dtype,
                              uint64_t items);

// Whether every window that may be bound can be read as texels of the type.
bool fum_texels_fit(const struct fum_device_info *info, enum fum_dtype dtype);
// And whether kernels should read so: on CPU devices, whose drivers fetch texels faster, unless the
// user insists on a variant without them; elsewhere where the user insists on the one with them.
// tuning may be NULL.
bool fum_texels_pay(const struct fum_device_info *info, const struct fum_tuning *tuning,
                    enum fum_dtype dtype);

// Adds a specialisation constant, a push constant, a binding.
void fum_emit_spec(struct fum_dispatch *d, uint32_t value);
void fum_emit_push(struct fum_dispatch *d, uint32_t value);
void fum_emit_push_float(struct fum_dispatch *d, float value);
void fum_emit_bind(struct fum_dispatch *d, int operand, bool write, uint64_t offset,
                   uint64_t bytes);
// Binds all of an operand; false (with `why`) when it does not fit one binding.
bool fum_emit_bind_whole(struct fum_dispatches *list, struct fum_dispatch *d, int operand,
                         bool write, const struct fum_desc *desc);
// Binds rows [first, first + count) and returns the quads before row `first`.
uint32_t fum_emit_bind_rows(struct fum_dispatches *list, struct fum_dispatch *d, int operand,
                            bool write, const struct fum_desc *desc, int64_t first, int64_t count);

uint64_t fum_desc_quads(const struct fum_desc *desc);
bool fum_is_storage(enum fum_dtype dtype); // f32, f16 or bf16
// Returns true if the device's buffers can hold the storage type.
bool fum_device_stores(const struct fum_device_info *info, enum fum_dtype dtype);
// The variant that moves elements of this type as bits: f32 for every four-byte type.
enum fum_dtype fum_raw_variant(enum fum_dtype dtype);
// Setting `a` as a whole number in [least, most]; false with `why`.
bool fum_attr_int(double a, const char *name, int64_t least, int64_t most, int64_t *value,
                  struct fum_why *why);
// Setting "dtype": -1 keeps *dtype, which the graph presets to its storage type; else a storage
// type.
bool fum_attr_storage(double a, enum fum_dtype *dtype, struct fum_why *why);
// Whether a desc is an i32 [1], as counters and flags are.
bool fum_is_counter(const struct fum_desc *desc);

#endif
