// SPDX-License-Identifier: MIT
// Opening a model when memory runs out is an error about memory, at every allocation.

#include "test.h"

#include <fumarole/model.h>

#include "base/alloc.h"

static void every_allocation_may_fail(void **state) {
    (void)state;
    const struct fum_model_params params = {.path = "model-sd1",
                                            .models_dir = getenv("FUM_TEST_DATA")};
    enum fum_result result = FUM_ERR_NOMEM;
    long n = 0;
    for (; result; n++) {
        struct fum_error err = {0};
        fum_model *model = NULL;
        fum_alloc_fail_after(n);
        result = fum_model_open(&model, &params, &err);
        fum_alloc_fail_after(-1);
        if (result && (result != FUM_ERR_NOMEM || model))
            fail_msg("allocation %ld: %s", n, err.text);
        fum_model_destroy(&model);
    }
    assert_true(n > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
