// SPDX-License-Identifier: MIT
// Writes the bytes of a tensor to a file.
#ifndef FUM_IO_TENSOR_WRITE_H
#define FUM_IO_TENSOR_WRITE_H

#include "base/file.h"
#include "base/view.h"

// Writes all elements of a view in its type. Computed values, which are f32, are converted to that.
enum fum_result fum_tensor_write(fum_file_writer *writer, const struct fum_view *view,
                                 struct fum_error *err);
// Writes a view as blocks, in whole rows. Those of the same type are copied.
enum fum_result fum_tensor_write_blocks(fum_file_writer *writer, const struct fum_view *view,
                                        const struct fum_block_type *type, struct fum_error *err);

#endif
