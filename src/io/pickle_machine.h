// SPDX-License-Identifier: MIT
// The machine that reads a pickle: its bytes, its stack, its values.
#ifndef FUM_IO_PICKLE_MACHINE_H
#define FUM_IO_PICKLE_MACHINE_H

#include "io/pickle.h"

enum { FUM_PICKLE_BUFFER = 1 << 14 };

// Functions that fail return false or NULL, and set `result` and the error once.
struct fum_pickle_machine {
    struct fum_pickle *pickle;
    struct fum_error *err;
    enum fum_result result;
    uint64_t begin, at;   // of the pickle, and of the next byte
    uint64_t filled_from; // file offset of the buffer
    size_t filled;
    uint8_t buffer[FUM_PICKLE_BUFFER];
    struct fum_pickle_value **stack, **memo; // a mark is a NULL in the stack
    size_t depth, stack_capacity, memo_count, memo_capacity;
    size_t values, texts; // so far
    bool stopped;
};

// Sets the error "FILE: the pickle at byte N WHAT" and returns false.
bool fum_pickle_fail(struct fum_pickle_machine *m, enum fum_result result, const char *what);
bool fum_pickle_fail_damaged(struct fum_pickle_machine *m, const char *what);
bool fum_pickle_fail_memory(struct fum_pickle_machine *m);

bool fum_pickle_read_bytes(struct fum_pickle_machine *m, void *to, size_t bytes);
// Reads a little-endian number of at most 8 bytes.
bool fum_pickle_read_number(struct fum_pickle_machine *m, int size, uint64_t *number);

struct fum_pickle_value *fum_pickle_make(struct fum_pickle_machine *m, enum fum_pickle_kind kind);
bool fum_pickle_push(struct fum_pickle_machine *m, struct fum_pickle_value *v);
struct fum_pickle_value *fum_pickle_pop(struct fum_pickle_machine *m);
// Returns the index behind the topmost mark, or 0 without one.
size_t fum_pickle_find_mark(struct fum_pickle_machine *m);
// Appends values to a container, whose memory doubles.
bool fum_pickle_append(struct fum_pickle_machine *m, struct fum_pickle_value *to,
                       struct fum_pickle_value *const *items, size_t count);
// Pushes a container of the values from `first` on, which it replaces with `extra` below them.
bool fum_pickle_collect(struct fum_pickle_machine *m, enum fum_pickle_kind kind, size_t first,
                        size_t extra);

#endif
