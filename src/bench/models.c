// Whole models with random weights.
#include "bench/bench.h"

#include "base/error.h"

static const char *const names[] = {"emoji", "sd1.5", "sd2.1", "sdxl", NULL};

const char *fum_bench_model_name(int index) {
    return index >= 0 && index < 4 ? names[index] : NULL;
}

enum fum_result fum_bench_models(struct fum_bench_run *run, double seconds, struct fum_error *err) {
    (void)run, (void)seconds, (void)err;
    return FUM_OK;
}
