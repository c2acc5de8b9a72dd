// SPDX-License-Identifier: MIT
// Documents changed as JSON and then as bytes, so that both readers and what lies behind them are
// reached.
#ifndef TESTS_FUZZ_DAMAGE_H
#define TESTS_FUZZ_DAMAGE_H

#include "choices.h"

// Returns a changed copy of a JSON text, of exactly *size bytes and no final NUL; the caller frees
// it.
char *damage_json(const char *json, struct choices *c, size_t *size);
// The same for text of any kind, changed as bytes alone.
char *damage_text(const char *text, struct choices *c, size_t *size);

// Members of JSON objects, as text.
enum { DAMAGE_MEMBERS = 160 };
struct damage_members {
    char *keys[DAMAGE_MEMBERS], *values[DAMAGE_MEMBERS];
    uint32_t count;
};
// Adds the members of an object.
void damage_members_add(struct damage_members *members, const char *json);
// Makes an object of a few members, some of them with another value, and changes its bytes. Quicker
// than damage_json, which reads and writes the whole document.
char *damage_object(const struct damage_members *members, struct choices *c, size_t *size);

// The same for any bytes.
char *damage_bytes(const char *bytes, struct choices *c, size_t *size);

// Writes a file below fitted_root.
void damage_save(const char *name, const char *text, size_t size);

#endif
