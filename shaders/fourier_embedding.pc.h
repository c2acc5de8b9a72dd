// SPDX-License-Identifier: MIT
// Push constants of fourier_embedding.comp.
#include "lib/push.h"

PUSH_CONSTANTS(fum_fourier_embedding_push) {
    uint quads, frequencies;
};
