// SPDX-License-Identifier: MIT
#include "io/pickle.h"

#include "base/error.h"
#include "io/pickle_machine.h"

enum { MAX_TEXTS = 64 << 20 }; // bytes of all texts

typedef struct fum_pickle_value value;

// ---- operations; `size`: the bytes of the argument, or another constant of the table ----

static bool skip_bytes(struct fum_pickle_machine *m, int size) {
    uint64_t unused;
    return fum_pickle_read_number(m, size, &unused);
}

static bool stop(struct fum_pickle_machine *m, int size) {
    (void)size;
    m->stopped = true;
    return m->depth > 0 && m->stack[m->depth - 1]
               ? true
               : fum_pickle_fail_damaged(m, "ends without a value");
}

static bool push_mark(struct fum_pickle_machine *m, int size) {
    (void)size;
    return fum_pickle_push(m, NULL);
}

static bool drop(struct fum_pickle_machine *m, int size) {
    (void)size;
    return fum_pickle_pop(m) != NULL;
}

static bool drop_to_mark(struct fum_pickle_machine *m, int size) {
    (void)size;
    size_t first = fum_pickle_find_mark(m);
    if (first) m->depth = first - 1;
    return first > 0;
}

static bool duplicate(struct fum_pickle_machine *m, int size) {
    (void)size;
    value *v = fum_pickle_pop(m);
    return v && fum_pickle_push(m, v) && fum_pickle_push(m, v);
}

static bool push_none(struct fum_pickle_machine *m, int size) {
    (void)size;
    value *v = fum_pickle_make(m, FUM_PICKLE_NONE);
    return v && fum_pickle_push(m, v);
}

static bool push_bool(struct fum_pickle_machine *m, int truth) {
    value *v = fum_pickle_make(m, FUM_PICKLE_BOOL);
    if (!v) return false;
    v->integer = truth;
    return fum_pickle_push(m, v);
}

static bool push_integer(struct fum_pickle_machine *m, int size) {
    uint64_t number;
    value *v = fum_pickle_make(m, FUM_PICKLE_INTEGER);
    if (!v || !fum_pickle_read_number(m, size, &number)) return false;
    v->integer = size == 4 ? (int64_t)(int32_t)(uint32_t)number : (int64_t)number;
    return fum_pickle_push(m, v);
}

static bool push_real(struct fum_pickle_machine *m, int size) {
    value *v = fum_pickle_make(m, FUM_PICKLE_REAL);
    return v && skip_bytes(m, size) && fum_pickle_push(m, v);
}

// Reads a text whose length comes before it in `size` bytes.
static value *read_text(struct fum_pickle_machine *m, int size) {
    uint64_t length;
    value *v = fum_pickle_make(m, FUM_PICKLE_TEXT);
    if (!v || !fum_pickle_read_number(m, size, &length)) return NULL;
    if (length > m->pickle->end - m->at) {
        fum_pickle_fail_damaged(m, "is cut off");
        return NULL;
    }
    if (length > MAX_TEXTS || m->texts + length > MAX_TEXTS) {
        fum_pickle_fail(m, FUM_ERR_UNSUPPORTED, "holds too much text");
        return NULL;
    }
    m->texts += (size_t)length;
    char *text = fum_arena_alloc(m->pickle->arena, (size_t)length + 1, 1);
    if (!text) {
        fum_pickle_fail_memory(m);
        return NULL;
    }
    v->text = text;
    v->count = (size_t)length;
    return fum_pickle_read_bytes(m, text, v->count) ? v : NULL;
}

static bool push_text(struct fum_pickle_machine *m, int size) {
    value *v = read_text(m, size);
    return v && fum_pickle_push(m, v);
}

static bool push_long(struct fum_pickle_machine *m, int size) {
    value *v = read_text(m, size);
    if (!v) return false;
    if (v->count <= 8) {
        uint64_t bits = v->count && v->text[v->count - 1] & 0x80 ? UINT64_MAX : 0;
        for (size_t i = v->count; i > 0; i--) bits = bits << 8 | (uint8_t)v->text[i - 1];
        v->kind = FUM_PICKLE_INTEGER;
        v->integer = (int64_t)bits;
    }
    return fum_pickle_push(m, v);
}

static bool push_tuple(struct fum_pickle_machine *m, int count) {
    if (m->depth < (size_t)count)
        return fum_pickle_fail_damaged(m, "takes a value that is not there");
    for (size_t i = m->depth - (size_t)count; i < m->depth; i++)
        if (!m->stack[i]) return fum_pickle_fail_damaged(m, "takes a mark for a value");
    return fum_pickle_collect(m, FUM_PICKLE_TUPLE, m->depth - (size_t)count, 0);
}

static bool push_empty(struct fum_pickle_machine *m, int kind) {
    value *v = fum_pickle_make(m, (enum fum_pickle_kind)kind);
    return v && fum_pickle_push(m, v);
}

static bool collect_to_mark(struct fum_pickle_machine *m, int kind) {
    size_t first = fum_pickle_find_mark(m);
    if (!first) return false;
    if (kind == FUM_PICKLE_DICT && (m->depth - first) % 2)
        return fum_pickle_fail_damaged(m, "has a key without a value");
    return fum_pickle_collect(m, (enum fum_pickle_kind)kind, first, 1);
}

// Appends what is above `first` to the container below it, of a kind.
static bool append_above(struct fum_pickle_machine *m, size_t first, size_t marks,
                         enum fum_pickle_kind kind) {
    value *to = first > marks ? m->stack[first - marks - 1] : NULL;
    if (!to || to->kind != kind)
        return fum_pickle_fail_damaged(m, "adds to something that holds nothing");
    if (kind == FUM_PICKLE_DICT && (m->depth - first) % 2)
        return fum_pickle_fail_damaged(m, "has a key without a value");
    if (!fum_pickle_append(m, to, m->stack + first, m->depth - first)) return false;
    m->depth = first - marks;
    return true;
}

static bool append_to_mark(struct fum_pickle_machine *m, int kind) {
    size_t first = fum_pickle_find_mark(m);
    return first && append_above(m, first, 1, (enum fum_pickle_kind)kind);
}

// Appends one value to a list, or a key and a value to a dict.
static bool append_one(struct fum_pickle_machine *m, int kind) {
    size_t count = kind == FUM_PICKLE_DICT ? 2 : 1;
    if (m->depth <= count) return fum_pickle_fail_damaged(m, "takes a value that is not there");
    for (size_t i = m->depth - count; i < m->depth; i++)
        if (!m->stack[i]) return fum_pickle_fail_damaged(m, "takes a mark for a value");
    return append_above(m, m->depth - count, 0, (enum fum_pickle_kind)kind);
}

static bool put(struct fum_pickle_machine *m, int size) {
    uint64_t index;
    return fum_pickle_read_number(m, size, &index) && fum_pickle_memo_store(m, index);
}

static bool memoize(struct fum_pickle_machine *m, int size) {
    (void)size;
    return fum_pickle_memo_store(m, m->memo_count);
}

static bool get(struct fum_pickle_machine *m, int size) {
    uint64_t index;
    return fum_pickle_read_number(m, size, &index) && fum_pickle_memo_push(m, index);
}

static bool push_persistent(struct fum_pickle_machine *m, int size) {
    (void)size;
    value *id = fum_pickle_pop(m);
    return id && fum_pickle_push_persistent(m, id);
}

// ---- the machine ----

// The operations by their byte, with the names of Python's pickletools.
static const struct {
    bool (*run)(struct fum_pickle_machine *m, int size);
    int size;
} operations[256] = {
    [0x80] = {skip_bytes, 1},                    // PROTO
    [0x95] = {skip_bytes, 8},                    // FRAME
    ['.'] = {stop, 0},                           // STOP
    ['('] = {push_mark, 0},                      // MARK
    ['0'] = {drop, 0},                           // POP
    ['1'] = {drop_to_mark, 0},                   // POP_MARK
    ['2'] = {duplicate, 0},                      // DUP
    ['N'] = {push_none, 0},                      // NONE
    [0x88] = {push_bool, 1},                     // NEWTRUE
    [0x89] = {push_bool, 0},                     // NEWFALSE
    ['J'] = {push_integer, 4},                   // BININT
    ['K'] = {push_integer, 1},                   // BININT1
    ['M'] = {push_integer, 2},                   // BININT2
    [0x8a] = {push_long, 1},                     // LONG1
    [0x8b] = {push_long, 4},                     // LONG4
    ['G'] = {push_real, 8},                      // BINFLOAT
    ['X'] = {push_text, 4},                      // BINUNICODE
    [0x8c] = {push_text, 1},                     // SHORT_BINUNICODE
    [0x8d] = {push_text, 8},                     // BINUNICODE8
    ['T'] = {push_text, 4},                      // BINSTRING
    ['U'] = {push_text, 1},                      // SHORT_BINSTRING
    ['B'] = {push_text, 4},                      // BINBYTES
    ['C'] = {push_text, 1},                      // SHORT_BINBYTES
    [0x8e] = {push_text, 8},                     // BINBYTES8
    [0x96] = {push_text, 8},                     // BYTEARRAY8
    [')'] = {push_tuple, 0},                     // EMPTY_TUPLE
    [0x85] = {push_tuple, 1},                    // TUPLE1
    [0x86] = {push_tuple, 2},                    // TUPLE2
    [0x87] = {push_tuple, 3},                    // TUPLE3
    ['t'] = {collect_to_mark, FUM_PICKLE_TUPLE}, // TUPLE
    [']'] = {push_empty, FUM_PICKLE_LIST},       // EMPTY_LIST
    ['l'] = {collect_to_mark, FUM_PICKLE_LIST},  // LIST
    ['a'] = {append_one, FUM_PICKLE_LIST},       // APPEND
    ['e'] = {append_to_mark, FUM_PICKLE_LIST},   // APPENDS
    [0x8f] = {push_empty, FUM_PICKLE_LIST},      // EMPTY_SET
    [0x90] = {append_to_mark, FUM_PICKLE_LIST},  // ADDITEMS
    [0x91] = {collect_to_mark, FUM_PICKLE_LIST}, // FROZENSET
    ['}'] = {push_empty, FUM_PICKLE_DICT},       // EMPTY_DICT
    ['d'] = {collect_to_mark, FUM_PICKLE_DICT},  // DICT
    ['s'] = {append_one, FUM_PICKLE_DICT},       // SETITEM
    ['u'] = {append_to_mark, FUM_PICKLE_DICT},   // SETITEMS
    ['q'] = {put, 1},                            // BINPUT
    ['r'] = {put, 4},                            // LONG_BINPUT
    [0x94] = {memoize, 0},                       // MEMOIZE
    ['h'] = {get, 1},                            // BINGET
    ['j'] = {get, 4},                            // LONG_BINGET
    ['c'] = {fum_pickle_global_op, 0},           // GLOBAL
    [0x93] = {fum_pickle_stack_global_op, 0},    // STACK_GLOBAL
    [0x82] = {fum_pickle_extension_op, 1},       // EXT1
    [0x83] = {fum_pickle_extension_op, 2},       // EXT2
    [0x84] = {fum_pickle_extension_op, 4},       // EXT4
    ['R'] = {fum_pickle_call_op, 0},             // REDUCE
    [0x81] = {fum_pickle_call_op, 0},            // NEWOBJ
    [0x92] = {fum_pickle_call_op, 1},            // NEWOBJ_EX
    ['i'] = {fum_pickle_instance_op, 0},         // INST
    ['o'] = {fum_pickle_object_op, 0},           // OBJ
    ['b'] = {fum_pickle_build_op, 0},            // BUILD
    ['Q'] = {push_persistent, 0},                // BINPERSID
    ['P'] = {fum_pickle_persistent_line_op, 0},  // PERSID
    ['I'] = {fum_pickle_integer_line_op, 0},     // INT
    ['L'] = {fum_pickle_integer_line_op, 0},     // LONG
    ['F'] = {fum_pickle_real_line_op, 0},        // FLOAT
    ['S'] = {fum_pickle_text_line_op, 1},        // STRING
    ['V'] = {fum_pickle_text_line_op, 0},        // UNICODE
    ['p'] = {fum_pickle_put_line_op, 0},         // PUT
    ['g'] = {fum_pickle_get_line_op, 0},         // GET
};

static bool run_machine(struct fum_pickle_machine *m) {
    while (!m->stopped) {
        uint8_t byte;
        if (!fum_pickle_read_bytes(m, &byte, 1)) return false;
        if (!operations[byte].run && m->at == m->begin + 1)
            return fum_pickle_fail(m, FUM_ERR_UNSUPPORTED,
                                   "begins with no operation of a pickle: not of torch.save?");
        if (!operations[byte].run)
            return fum_pickle_fail(m, FUM_ERR_UNSUPPORTED, "needs an operation that is not read");
        if (!operations[byte].run(m, operations[byte].size)) return false;
    }
    return true;
}

enum fum_result fum_pickle_read(struct fum_pickle *pickle, const struct fum_pickle_value **result,
                                struct fum_error *err) {
    *result = NULL;
    struct fum_pickle_machine *m = fum_calloc(1, sizeof *m);
    if (!m) return fum_error_set(err, FUM_ERR_NOMEM, "%s: no memory to read it", pickle->path);
    m->pickle = pickle;
    m->err = err;
    m->begin = m->at = m->filled_from = pickle->at;
    if (run_machine(m)) {
        *result = m->stack[m->depth - 1];
        pickle->at = m->at;
    }
    enum fum_result status = m->result;
    fum_free(m->stack);
    fum_free(m->memo);
    fum_free(m);
    return status;
}
