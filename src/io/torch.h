// SPDX-License-Identifier: MIT
// Lists the tensors of files that PyTorch's torch.save wrote: zip archives, and the form before
// version 1.6. Only dicts of tensors are read, and nothing is run.
#ifndef FUM_IO_TORCH_H
#define FUM_IO_TORCH_H

#include "io/format.h"

extern const struct fum_format fum_format_torch, fum_format_torch_old;

#endif
