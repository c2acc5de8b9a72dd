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

// The same for any bytes.
char *damage_bytes(const char *bytes, struct choices *c, size_t *size);

// Writes a file below fitted_root.
void damage_save(const char *name, const char *text, size_t size);

#endif
