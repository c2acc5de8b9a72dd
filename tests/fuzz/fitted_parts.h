// SPDX-License-Identifier: MIT
// Declares what the writers of folders and single files share.
#ifndef TESTS_FUZZ_FITTED_PARTS_H
#define TESTS_FUZZ_FITTED_PARTS_H

#include "fitted.h"

#include "base/view.h"

extern char fitted_root[200];
// Returns fitted_root with its folders and two small tokenizers in it.
const char *fitted_folder(void);

// A safetensors file in the making: its header, without the last brace, and the bytes of its
// tensors.
struct fitted_file {
    char *header;
    size_t used, capacity;
    uint64_t bytes;
    bool too_large;
    bool narrow; // numbers have 16 bits
};

void fitted_add(struct fitted_file *file, const char *name, const struct fum_view *view);
// Writes "<part>/model.safetensors", or "single.safetensors" if `part` is NULL, and frees the
// header. False: too large.
bool fitted_save(struct fitted_file *file, const char *part, const struct fitted_params *params);

const char *fitted_write_file(struct choices *c, const struct fitted_params *params);

// Ends the process, with errno's text: the fuzzer itself cannot go on.
void fitted_fail(const char *what);

#endif
