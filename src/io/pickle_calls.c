// SPDX-License-Identifier: MIT
// Reads the names and calls of a pickle. Nothing is imported and nothing is called: a name must be
// of the reader's list, and a call becomes a value.
#include "base/error.h"
#include "base/text.h"
#include "io/pickle_machine.h"

#include <stdio.h>
#include <string.h>

typedef struct fum_pickle_value value;

// ---- names ----

static bool refuse_name(struct fum_pickle_machine *m, const char *module, const char *name) {
    m->result =
        fum_error_set(m->err, FUM_ERR_UNSUPPORTED,
                      "%s: holds a %s.%s of Python, which is not read (and nothing is "
                      "run); only tensors are. Save the model's state_dict()",
                      m->pickle->path, fum_text_show(module).text, fum_text_show(name).text);
    return false;
}

static bool push_named(struct fum_pickle_machine *m, const char *module, const char *name) {
    const struct fum_pickle_global *globals = m->pickle->globals;
    int i = 0;
    while (globals[i].module &&
           (strcmp(globals[i].module, module) || strcmp(globals[i].name, name)))
        i++;
    if (!globals[i].module) return refuse_name(m, module, name);
    value *v = fum_pickle_make(m, FUM_PICKLE_GLOBAL);
    if (!v) return false;
    v->global = i;
    return fum_pickle_push(m, v);
}

bool fum_pickle_global_op(struct fum_pickle_machine *m, int size) {
    (void)size;
    char module[200], name[200];
    return fum_pickle_read_line(m, module, sizeof module) &&
           fum_pickle_read_line(m, name, sizeof name) && push_named(m, module, name);
}

bool fum_pickle_stack_global_op(struct fum_pickle_machine *m, int size) {
    (void)size;
    const value *name = fum_pickle_pop(m), *module = name ? fum_pickle_pop(m) : NULL;
    if (!module) return false;
    if (name->kind != FUM_PICKLE_TEXT || module->kind != FUM_PICKLE_TEXT)
        return fum_pickle_fail_damaged(m, "names something without a text");
    return push_named(m, module->text, name->text);
}

// Refuses a name that only a registry of the running Python (copyreg) knows.
bool fum_pickle_extension_op(struct fum_pickle_machine *m, int size) {
    uint64_t number;
    char name[32];
    if (!fum_pickle_read_number(m, size, &number)) return false;
    snprintf(name, sizeof name, "extension %llu", (unsigned long long)number);
    return refuse_name(m, "copyreg", name);
}

// ---- calls ----

// Counts items that a call copies. A kept value may be the argument of any number of calls, but
// honest files copy far fewer items than they have bytes.
static bool count_copies(struct fum_pickle_machine *m, size_t count) {
    m->copied += count;
    return m->copied <= m->at - m->begin
               ? true
               : fum_pickle_fail(m, FUM_ERR_UNSUPPORTED, "repeats its values too often");
}

// Fills a dict from the pairs that it is made of.
static bool add_pairs(struct fum_pickle_machine *m, value *dict, const value *pairs) {
    if (!count_copies(m, 2 * pairs->count)) return false;
    for (size_t i = 0; i < pairs->count; i++) {
        const value *pair = pairs->items[i];
        bool good =
            (pair->kind == FUM_PICKLE_LIST || pair->kind == FUM_PICKLE_TUPLE) && pair->count == 2;
        if (!good) return fum_pickle_fail_damaged(m, "makes a dict of something that is no pair");
        if (!fum_pickle_append(m, dict, pair->items, 2)) return false;
    }
    return true;
}

static bool push_call(struct fum_pickle_machine *m, const value *function, const value *arguments) {
    if (function->kind != FUM_PICKLE_GLOBAL || arguments->kind != FUM_PICKLE_TUPLE)
        return fum_pickle_fail_damaged(m, "calls something that is no function");
    bool dict = m->pickle->globals[function->global].dict;
    value *v = fum_pickle_make(m, dict ? FUM_PICKLE_DICT : FUM_PICKLE_CALL);
    if (!v) return false;
    v->global = function->global;
    bool pairs = dict && arguments->count == 1 && arguments->items[0]->kind == FUM_PICKLE_LIST;
    if (pairs && !add_pairs(m, v, arguments->items[0])) return false;
    if (!dict) { // a tuple never changes, so its items are shared
        v->items = arguments->items;
        v->count = v->capacity = arguments->count;
    }
    return fum_pickle_push(m, v);
}

bool fum_pickle_call_op(struct fum_pickle_machine *m, int size) {
    for (int i = 0; i < size; i++)
        if (!fum_pickle_pop(m)) return false;
    const value *arguments = fum_pickle_pop(m), *function = arguments ? fum_pickle_pop(m) : NULL;
    return function && push_call(m, function, arguments);
}

// Collects the values above the mark as arguments and removes the mark.
static const value *take_arguments(struct fum_pickle_machine *m, size_t skipped) {
    size_t first = fum_pickle_find_mark(m);
    if (!first) return NULL;
    if (m->depth - first < skipped) {
        fum_pickle_fail_damaged(m, "makes an object of nothing");
        return NULL;
    }
    return fum_pickle_collect(m, FUM_PICKLE_TUPLE, first + skipped, 1 + skipped) ? fum_pickle_pop(m)
                                                                                 : NULL;
}

bool fum_pickle_instance_op(struct fum_pickle_machine *m, int size) {
    if (!fum_pickle_global_op(m, size)) return false;
    const value *class = fum_pickle_pop(m), *arguments = class ? take_arguments(m, 0) : NULL;
    return arguments && push_call(m, class, arguments);
}

bool fum_pickle_object_op(struct fum_pickle_machine *m, int size) {
    (void)size;
    size_t first = fum_pickle_find_mark(m);
    const value *class = first && first < m->depth ? m->stack[first] : NULL;
    const value *arguments = first ? take_arguments(m, 1) : NULL;
    return arguments && class && push_call(m, class, arguments);
}

// Drops the attributes that the object below would be given. A ParameterDict's are its items.
bool fum_pickle_build_op(struct fum_pickle_machine *m, int size) {
    (void)size;
    value *attributes = fum_pickle_pop(m), *object = attributes ? fum_pickle_pop(m) : NULL;
    if (!object) return false;
    const value *items =
        object->kind == FUM_PICKLE_DICT ? fum_pickle_get(attributes, "_parameters") : NULL;
    bool fills = items && items->kind == FUM_PICKLE_DICT && items != object;
    if (fills && (!count_copies(m, items->count) ||
                  !fum_pickle_append(m, object, items->items, items->count)))
        return false;
    return fum_pickle_push(m, object);
}
