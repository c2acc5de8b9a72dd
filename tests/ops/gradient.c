// SPDX-License-Identifier: MIT
// Holds every op's gradient against central differences of its reference, over all of its cases
// that are small enough.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "check/gradient.h"

static const double bound = 1e-6;

// Returns how many cases were checked.
static int check_op(const struct fum_op *op, const struct fum_op_cases *list) {
    int checked = 0;
    for (int i = 0; i < list->count; i++) {
        struct fum_gradient_check check;
        struct fum_error err;
        const char *name = list->cases[i].name;
        if (fum_gradient_check(op, &list->cases[i], &check, &err)) fail_msg("%s", err.text);
        if (check.skipped) continue;
        if (!(check.error <= bound))
            fail_msg("%s, case '%s': %g off by central differences", op->name, name, check.error);
        if (check.kinks * 10 > check.checked)
            fail_msg("%s, case '%s': %d of %d numbers at kinks", op->name, name, check.kinks,
                     check.kinks + check.checked);
        checked++;
    }
    return checked;
}

static void test_gradients_agree_with_central_differences(void **state) {
    (void)state;
    int ops = 0;
    for (int i = 0; i < fum_op_count; i++) {
        if (!fum_ops[i]->gradient) continue;
        int checked = check_op(fum_ops[i], fum_op_cases[i]);
        print_message("%s: %d of %d cases\n", fum_ops[i]->name, checked, fum_op_cases[i]->count);
        assert_true(checked > 0);
        ops++;
    }
    assert_true(ops > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients_agree_with_central_differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
