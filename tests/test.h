// SPDX-License-Identifier: MIT
// Included by every test program: cmocka with the headers that it requires, and a check of results.
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fumarole/core.h>

// Fails the test with the error of a call that should have succeeded.
static inline void ok(enum fum_result result, const struct fum_error *err) {
    if (result) fail_msg("%s: %s", fum_result_name(result), err->text);
}

#endif
