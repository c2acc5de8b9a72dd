// SPDX-License-Identifier: MIT
// Reads the operations of pickles whose arguments are lines of text, as Python's protocol 0 has
// them.
#include "io/pickle_machine.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LINE = 4096 };

typedef struct fum_pickle_value value;

// Reads a line that is a number, as "12" or "12L".
static bool read_integer(struct fum_pickle_machine *m, int64_t *number) {
    char line[MAX_LINE], *end;
    if (!fum_pickle_read_line(m, line, sizeof line)) return false;
    *number = strtoll(line, &end, 10);
    return end > line ? true : fum_pickle_fail_damaged(m, "has a number without digits");
}

bool fum_pickle_integer_line_op(struct fum_pickle_machine *m, int size) {
    (void)size;
    int64_t number;
    value *v = read_integer(m, &number) ? fum_pickle_make(m, FUM_PICKLE_INTEGER) : NULL;
    if (!v) return false;
    v->integer = number;
    return fum_pickle_push(m, v);
}

bool fum_pickle_real_line_op(struct fum_pickle_machine *m, int size) {
    (void)size;
    char line[MAX_LINE];
    value *v =
        fum_pickle_read_line(m, line, sizeof line) ? fum_pickle_make(m, FUM_PICKLE_REAL) : NULL;
    return v && fum_pickle_push(m, v);
}

// Pushes a line as a text. Escapes stay as they are: texts of this kind are only shown.
bool fum_pickle_text_line_op(struct fum_pickle_machine *m, int quoted) {
    char line[MAX_LINE];
    if (!fum_pickle_read_line(m, line, sizeof line)) return false;
    size_t length = strlen(line), skip = quoted ? 1 : 0;
    if (length < 2 * skip) return fum_pickle_fail_damaged(m, "has a text without quotes");
    return fum_pickle_push_copy(m, line + skip, length - 2 * skip);
}

bool fum_pickle_put_line_op(struct fum_pickle_machine *m, int size) {
    (void)size;
    int64_t index;
    return read_integer(m, &index) && fum_pickle_memo_store(m, (uint64_t)index);
}

bool fum_pickle_get_line_op(struct fum_pickle_machine *m, int size) {
    (void)size;
    int64_t index;
    return read_integer(m, &index) && fum_pickle_memo_push(m, (uint64_t)index);
}

bool fum_pickle_persistent_line_op(struct fum_pickle_machine *m, int size) {
    value *id = fum_pickle_text_line_op(m, size) ? fum_pickle_pop(m) : NULL;
    return id && fum_pickle_push_persistent(m, id);
}
