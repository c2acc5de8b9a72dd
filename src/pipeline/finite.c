// SPDX-License-Identifier: MIT
#include "pipeline/finite.h"

#include <math.h>

bool fum_finite_values(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

fum_tensor *fum_finite_flag(fum_graph *graph) {
    return fum_graph_state(graph, "flag", (struct fum_shape){1, {1}}, FUM_I32, FUM_STAGE_STEP);
}

fum_tensor *fum_finite_check(fum_graph *graph, fum_tensor *flag, fum_tensor *value) {
    return fum_graph_add(graph, "check_finite", "check_finite", FUM_INPUTS(flag, value), NULL);
}

enum fum_result fum_finite_reset(fum_executable *exe, const fum_tensor *flag,
                                 struct fum_error *err) {
    return fum_executable_write_i32(exe, flag, &(int32_t){INT32_MAX}, 1, err);
}

enum fum_result fum_finite_read(fum_executable *exe, const fum_tensor *flag, bool *finite,
                                struct fum_error *err) {
    float value = 0;
    enum fum_result result = fum_executable_read(exe, flag, &value, 1, err);
    *finite = value >= (float)INT32_MAX;
    return result;
}
