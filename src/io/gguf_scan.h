// SPDX-License-Identifier: MIT
// Reads the header of a GGUF file from its beginning on: numbers, texts and values of keys. Only
// for gguf.c.
#ifndef FUM_IO_GGUF_SCAN_H
#define FUM_IO_GGUF_SCAN_H

#include "io/format.h"

// The kinds of a key's value, by their numbers in files.
enum fum_gguf_kind {
    FUM_GGUF_U8 = 0,
    FUM_GGUF_I8,
    FUM_GGUF_U16,
    FUM_GGUF_I16,
    FUM_GGUF_U32,
    FUM_GGUF_I32,
    FUM_GGUF_F32,
    FUM_GGUF_BOOL,
    FUM_GGUF_TEXT,
    FUM_GGUF_ARRAY,
    FUM_GGUF_U64,
    FUM_GGUF_I64,
    FUM_GGUF_F64,
    FUM_GGUF_KINDS
};

// The position in the header, with the bytes around it. The first failure sets `result`; what is
// read after it is 0.
struct fum_gguf_scan {
    const struct fum_format_file *file;
    fum_arena *arena; // of texts
    struct fum_error *err;
    enum fum_result result;
    uint64_t size, at;
    uint64_t begin; // of the buffer
    size_t filled;
    uint8_t buffer[4096];
};

// Records a failure: what is wrong at the position.
void fum_gguf_refuse(struct fum_gguf_scan *scan, const char *what);
uint32_t fum_gguf_u32(struct fum_gguf_scan *scan);
uint64_t fum_gguf_u64(struct fum_gguf_scan *scan);
// Reads a number of items, each of at least `least` bytes. Refuses more than the file can hold.
uint64_t fum_gguf_count(struct fum_gguf_scan *scan, uint64_t least);
// Reads a text of at most `limit` bytes into the arena. NULL after a failure.
char *fum_gguf_text(struct fum_gguf_scan *scan, uint64_t limit);
// Reads an integer of a kind. *integer: false if it is none, and nothing was read.
int64_t fum_gguf_integer(struct fum_gguf_scan *scan, uint32_t kind, bool *integer);
// Skips a value.
void fum_gguf_skip(struct fum_gguf_scan *scan, uint32_t kind);

#endif
