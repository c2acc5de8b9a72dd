// SPDX-License-Identifier: MIT
// Makes what torch.save writes: pickles of dicts of tensors, by any of a pickle's operations, with
// values that may fit or not.
#ifndef TESTS_FUZZ_PICKLE_MADE_H
#define TESTS_FUZZ_PICKLE_MADE_H

#include "choices.h"

enum { PICKLE_MOST = 8192 };

struct pickle {
    uint8_t bytes[PICKLE_MOST];
    size_t size;
    uint32_t kept; // values in the memo
    bool old;      // of the form before version 1.6
};

// Puts the pickle of a state dict.
void pickle_put_state(struct pickle *p, struct choices *c);
// Puts a whole file of the old form, with its storages.
void pickle_put_old(struct pickle *p, struct choices *c);

#endif
