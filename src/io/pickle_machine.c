// SPDX-License-Identifier: MIT
#include "io/pickle_machine.h"

#include "base/error.h"
#include "base/macros.h"

#include <string.h>

enum {
    MAX_VALUES = 4 << 20,
    MAX_STACK = 1 << 20,
    MAX_PICKLE = 64 << 20, // bytes of one pickle
};

typedef struct fum_pickle_value value;

// ---- failures ----

bool fum_pickle_fail(struct fum_pickle_machine *m, enum fum_result result, const char *what) {
    if (m->result) return false;
    m->result = fum_error_set(m->err, result, "%s: the pickle at byte %llu %s", m->pickle->path,
                              (unsigned long long)m->at, what);
    return false;
}

bool fum_pickle_fail_damaged(struct fum_pickle_machine *m, const char *what) {
    return fum_pickle_fail(m, FUM_ERR_FORMAT, what);
}

bool fum_pickle_fail_memory(struct fum_pickle_machine *m) {
    return fum_pickle_fail(m, FUM_ERR_NOMEM, "needs more memory than there is");
}

// ---- bytes ----

static bool fill_buffer(struct fum_pickle_machine *m) {
    size_t bytes = (size_t)FUM_MIN(m->pickle->end - m->at, (uint64_t)FUM_PICKLE_BUFFER);
    if (!bytes) return fum_pickle_fail_damaged(m, "is cut off");
    if (m->at - m->begin > MAX_PICKLE)
        return fum_pickle_fail(m, FUM_ERR_UNSUPPORTED, "is far too long");
    enum fum_result result = fum_view_read(m->pickle->bytes, m->at, bytes, m->buffer, m->err);
    if (result) {
        m->result = result;
        return false;
    }
    m->filled_from = m->at;
    m->filled = bytes;
    return true;
}

bool fum_pickle_read_bytes(struct fum_pickle_machine *m, void *to, size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        if (m->at - m->filled_from >= m->filled && !fill_buffer(m)) return false;
        size_t from = (size_t)(m->at - m->filled_from),
               taken = FUM_MIN(m->filled - from, bytes - done);
        memcpy((uint8_t *)to + done, m->buffer + from, taken);
        done += taken;
        m->at += taken;
    }
    return true;
}

bool fum_pickle_read_number(struct fum_pickle_machine *m, int size, uint64_t *number) {
    uint8_t bytes[8] = {0};
    *number = 0;
    if (!fum_pickle_read_bytes(m, bytes, (size_t)size)) return false;
    for (int i = size - 1; i >= 0; i--) *number = *number << 8 | bytes[i];
    return true;
}

bool fum_pickle_read_line(struct fum_pickle_machine *m, char *line, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (!fum_pickle_read_bytes(m, &line[i], 1)) return false;
        if (line[i] != '\n') continue;
        line[i] = 0;
        return true;
    }
    return fum_pickle_fail_damaged(m, "holds a line that is too long");
}

// ---- values ----

value *fum_pickle_make(struct fum_pickle_machine *m, enum fum_pickle_kind kind) {
    if (++m->values > MAX_VALUES) {
        fum_pickle_fail(m, FUM_ERR_UNSUPPORTED, "holds too many values");
        return NULL;
    }
    value *v = fum_arena_alloc(m->pickle->arena, 1, sizeof *v);
    if (v)
        v->kind = kind;
    else
        fum_pickle_fail_memory(m);
    return v;
}

bool fum_pickle_push(struct fum_pickle_machine *m, value *v) {
    if (m->depth == MAX_STACK)
        return fum_pickle_fail(m, FUM_ERR_UNSUPPORTED, "holds too many values at once");
    if (!fum_grow((void **)&m->stack, &m->stack_capacity, m->depth, sizeof(value *)))
        return fum_pickle_fail_memory(m);
    m->stack[m->depth++] = v;
    return true;
}

value *fum_pickle_pop(struct fum_pickle_machine *m) {
    value *v = m->depth ? m->stack[m->depth - 1] : NULL;
    if (v)
        m->depth--;
    else
        fum_pickle_fail_damaged(m, "takes a value that is not there");
    return v;
}

size_t fum_pickle_find_mark(struct fum_pickle_machine *m) {
    for (size_t i = m->depth; i > 0; i--)
        if (!m->stack[i - 1]) return i;
    fum_pickle_fail_damaged(m, "has no mark");
    return 0;
}

bool fum_pickle_append(struct fum_pickle_machine *m, value *to, value *const *items, size_t count) {
    if (to->capacity - to->count < count) {
        size_t capacity = FUM_MAX(to->count + count, 2 * to->capacity);
        value **grown = fum_arena_alloc(m->pickle->arena, capacity, sizeof *grown);
        if (!grown) return fum_pickle_fail_memory(m);
        if (to->count) memcpy(grown, to->items, to->count * sizeof *grown);
        to->items = grown;
        to->capacity = capacity;
    }
    if (count) memcpy(to->items + to->count, items, count * sizeof *items);
    to->count += count;
    return true;
}

bool fum_pickle_collect(struct fum_pickle_machine *m, enum fum_pickle_kind kind, size_t first,
                        size_t extra) {
    value *v = fum_pickle_make(m, kind);
    size_t count = m->depth - first;
    if (!v || (count && !fum_pickle_append(m, v, m->stack + first, count))) return false;
    m->depth = first - extra;
    return fum_pickle_push(m, v);
}

bool fum_pickle_push_copy(struct fum_pickle_machine *m, const char *text, size_t bytes) {
    value *v = fum_pickle_make(m, FUM_PICKLE_TEXT);
    char *copy = v ? fum_arena_alloc(m->pickle->arena, bytes + 1, 1) : NULL;
    if (v && !copy) return fum_pickle_fail_memory(m);
    if (!v) return false;
    memcpy(copy, text, bytes);
    v->text = copy;
    v->count = bytes;
    return fum_pickle_push(m, v);
}

// Returns the class that an identification of torch's old form names with its source, or NULL. It
// is a tuple of "module", the class, and the file and text of the source.
static value *find_class(const value *id) {
    bool named = id->kind == FUM_PICKLE_TUPLE && id->count > 1 &&
                 id->items[0]->kind == FUM_PICKLE_TEXT && !strcmp(id->items[0]->text, "module");
    return named && id->items[1]->kind == FUM_PICKLE_GLOBAL ? id->items[1] : NULL;
}

bool fum_pickle_push_persistent(struct fum_pickle_machine *m, value *id) {
    value *class = find_class(id);
    if (class) return fum_pickle_push(m, class);
    value *v = fum_pickle_make(m, FUM_PICKLE_PERSISTENT);
    return v && fum_pickle_append(m, v, &id, 1) &&
           fum_pickle_append(m, &m->pickle->persistent, &v, 1) && fum_pickle_push(m, v);
}

const struct fum_pickle_value *fum_pickle_get(const struct fum_pickle_value *dict,
                                              const char *key) {
    if (dict->kind != FUM_PICKLE_DICT) return NULL;
    for (size_t i = 0; i + 1 < dict->count; i += 2) {
        const value *name = dict->items[i];
        if (name->kind == FUM_PICKLE_TEXT && !strcmp(name->text, key)) return dict->items[i + 1];
    }
    return NULL;
}

// ---- the memo ----

bool fum_pickle_memo_store(struct fum_pickle_machine *m, uint64_t index) {
    if (!m->depth || !m->stack[m->depth - 1])
        return fum_pickle_fail_damaged(m, "keeps a value not there");
    if (index > m->at - m->begin)
        return fum_pickle_fail_damaged(m, "keeps a value at an odd place");
    while (m->memo_count <= index) {
        if (!fum_grow((void **)&m->memo, &m->memo_capacity, m->memo_count, sizeof(value *)))
            return fum_pickle_fail_memory(m);
        m->memo[m->memo_count++] = NULL;
    }
    m->memo[index] = m->stack[m->depth - 1];
    return true;
}

bool fum_pickle_memo_push(struct fum_pickle_machine *m, uint64_t index) {
    if (index >= m->memo_count || !m->memo[index])
        return fum_pickle_fail_damaged(m, "takes a kept value that is not there");
    return fum_pickle_push(m, m->memo[index]);
}
