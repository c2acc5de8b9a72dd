// SPDX-License-Identifier: MIT
// Reads Python pickles without running anything: the machine builds plain values. A call becomes a
// value that names the function, and only names of a given list are accepted. Memory and time grow
// with the bytes of the pickle, whatever it says.
#ifndef FUM_IO_PICKLE_H
#define FUM_IO_PICKLE_H

#include "base/alloc.h"
#include "base/view.h"

enum fum_pickle_kind {
    FUM_PICKLE_NONE,
    FUM_PICKLE_BOOL,
    FUM_PICKLE_INTEGER,
    FUM_PICKLE_REAL,       // whose number is not kept
    FUM_PICKLE_TEXT,       // text or bytes; integers of more than 8 bytes too
    FUM_PICKLE_TUPLE,      // items
    FUM_PICKLE_LIST,       // items; sets too
    FUM_PICKLE_DICT,       // items: key, value, key, value
    FUM_PICKLE_GLOBAL,     // a name of the list
    FUM_PICKLE_CALL,       // items: the arguments of a call of `global`
    FUM_PICKLE_PERSISTENT, // items: the identification, one value
};

// A value. Values may contain each other and themselves, so a walk needs a limit of its depth.
struct fum_pickle_value {
    enum fum_pickle_kind kind;
    int global; // index in the list of names
    int64_t integer;
    const char *text; // ends in NUL, which it may also hold
    size_t count;     // bytes of the text, or items
    size_t capacity;
    struct fum_pickle_value **items;
};

// A name that a pickle may mention.
struct fum_pickle_global {
    const char *module, *name;
    bool dict; // calling it makes a dict
    int use;   // what the list's owner makes of it; 0: nothing
};

// What is read: one or several pickles that follow each other.
struct fum_pickle {
    const char *path;             // names it in errors
    const struct fum_view *bytes; // of the file
    uint64_t at, end;             // where the next pickle begins, and where the bytes end
    const struct fum_pickle_global *globals; // ends with a NULL module
    fum_arena *arena;                        // holds the values
    struct fum_pickle_value persistent;      // items: those of its kind that were read so far
};

// Reads one pickle and moves `at` behind it. A name that is not listed is FUM_ERR_UNSUPPORTED.
enum fum_result fum_pickle_read(struct fum_pickle *pickle, const struct fum_pickle_value **value,
                                struct fum_error *err);

// Returns the value of a text key in a dict; NULL: there is none, or it is no dict.
const struct fum_pickle_value *fum_pickle_get(const struct fum_pickle_value *dict, const char *key);

#endif
