// SPDX-License-Identifier: MIT
// Computes SHA-256 (FIPS 180-4).
#ifndef FUM_BASE_SHA256_H
#define FUM_BASE_SHA256_H

#include <fumarole/file.h>

struct fum_sha256 {
    uint32_t h[8];
    uint64_t bytes;    // taken so far
    uint8_t block[64]; // holds the last bytes % 64 of them
};

void fum_sha256_begin(struct fum_sha256 *sha);
void fum_sha256_add(struct fum_sha256 *sha, const void *data, size_t bytes);
// Writes the digest as lower-case hexadecimal digits and ends the computation.
void fum_sha256_end(struct fum_sha256 *sha, char text[FUM_SHA256_TEXT]);

// Forces the portable code if false, for tests on processors with instructions for it.
void fum_sha256_use_instructions(bool use);

#endif
