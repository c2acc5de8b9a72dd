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
    uint64_t copied;      // items that calls copied so far
    bool stopped;
};

// Sets the error "FILE: the pickle at byte N WHAT" and returns false.
bool fum_pickle_fail(struct fum_pickle_machine *m, enum fum_result result, const char *what);
bool fum_pickle_fail_damaged(struct fum_pickle_machine *m, const char *what);
bool fum_pickle_fail_memory(struct fum_pickle_machine *m);

bool fum_pickle_read_bytes(struct fum_pickle_machine *m, void *to, size_t bytes);
// Reads a little-endian number of at most 8 bytes.
bool fum_pickle_read_number(struct fum_pickle_machine *m, int size, uint64_t *number);

// Reads the text up to the end of a line, at most `size` - 1 bytes.
bool fum_pickle_read_line(struct fum_pickle_machine *m, char *line, size_t size);

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
// Keeps the topmost value under a number of the memo, and pushes the value of a number.
bool fum_pickle_memo_store(struct fum_pickle_machine *m, uint64_t index);
bool fum_pickle_memo_push(struct fum_pickle_machine *m, uint64_t index);
// Pushes a text, which it copies.
bool fum_pickle_push_copy(struct fum_pickle_machine *m, const char *text, size_t bytes);
// Pushes what an identification stands for.
bool fum_pickle_push_persistent(struct fum_pickle_machine *m, struct fum_pickle_value *id);

// Operations of pickle_calls.c: names, calls, and what a call's result is given.
bool fum_pickle_global_op(struct fum_pickle_machine *m, int size);
bool fum_pickle_stack_global_op(struct fum_pickle_machine *m, int size);
bool fum_pickle_extension_op(struct fum_pickle_machine *m, int size);
bool fum_pickle_call_op(struct fum_pickle_machine *m, int size); // `size` values are dropped first
bool fum_pickle_instance_op(struct fum_pickle_machine *m, int size);
bool fum_pickle_object_op(struct fum_pickle_machine *m, int size);
bool fum_pickle_build_op(struct fum_pickle_machine *m, int size);

// Operations of pickle_lines.c, whose arguments are lines of text, as protocol 0 has them.
bool fum_pickle_integer_line_op(struct fum_pickle_machine *m, int size);
bool fum_pickle_real_line_op(struct fum_pickle_machine *m, int size);
bool fum_pickle_text_line_op(struct fum_pickle_machine *m, int quoted);
bool fum_pickle_put_line_op(struct fum_pickle_machine *m, int size);
bool fum_pickle_get_line_op(struct fum_pickle_machine *m, int size);
bool fum_pickle_persistent_line_op(struct fum_pickle_machine *m, int size);

#endif
