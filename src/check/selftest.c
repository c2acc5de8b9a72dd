// SPDX-License-Identifier: MIT
// The op cases on a user's own device.
#include <fumarole/selftest.h>
#include <fumarole/tuning.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "check/case.h"
#include "gpu/tuning.h"
#include "ops/lib/emit.h"
#include "ops/variants/variant.h"

#include <stdio.h>
#include <string.h>

struct selftest {
    fum_device *device;
    struct fum_selftest_params params;
    int run, failed;
    char first_failure[512]; // names and a struct fum_why
    char worst_case[FUM_CASE_NAME];
    bool compile_only;
    struct fum_dispatches *list;  // of the case that is compiled; large
    struct fum_kernel_desc *seen; // kernels compiled so far
    size_t num_seen, seen_capacity;
};

// Fills `why` for a case that did not agree.
static void describe_miss(const struct fum_case_result *result, struct fum_why *why) {
    if (result->worst < 0)
        fum_refuse(why, "relative error %.2g, bound %.2g", result->error, result->bound);
    else
        fum_refuse(why, "relative error %.2g, bound %.2g; element %lld is %.6g, should be %.6g",
                   result->error, result->bound, (long long)result->worst, result->got,
                   result->want);
}

static enum fum_result run_case(struct selftest *test, struct fum_selftest_op *sum,
                                const struct fum_case_use *use, struct fum_error *err) {
    const struct fum_op *op = use->op;
    const enum fum_dtype dtype = use->dtype;
    char name[FUM_CASE_NAME];
    struct fum_case_result result;
    struct fum_error problem = {0};
    fum_case_name(use, name);
    struct fum_why why = {{0}};
    enum fum_result r = fum_case_run(test->device, use, &result, &problem);
    uint64_t hash = result.hash;
    if (r == FUM_OK && test->params.repeat) r = fum_case_run(test->device, use, &result, &problem);
    bool ran = r == FUM_OK, changed = ran && result.hash != hash;
    if (r == FUM_ERR_UNSUPPORTED)
        sum->skipped++;
    else if (r)
        return fum_error_set(err, r, "%s", problem.text);

    bool pass = ran && result.pass && !changed;
    sum->run += ran;
    sum->failed += ran && !pass;
    if (ran &&
        (!sum->worst_case || result.error * sum->worst_bound > sum->worst_error * result.bound)) {
        sum->worst_error = result.error;
        sum->worst_bound = result.bound;
        sum->worst_case = strcpy(test->worst_case, name);
        sum->worst_type = dtype;
    }
    if (changed)
        fum_refuse(&why, "other bits when run again");
    else if (ran && !pass)
        describe_miss(&result, &why);
    if (ran && !pass && !test->first_failure[0])
        snprintf(test->first_failure, sizeof test->first_failure, "%s, case '%s' in %s%s%s: %s",
                 op->name, name, fum_dtype_name(dtype), sum->variant ? ", variant " : "",
                 sum->variant ? sum->variant : "", why.text);
    const char *failure = ran ? why.text : problem.text;
    if (test->params.on_case)
        test->params.on_case(
            test->params.user,
            &(struct fum_selftest_case){.op = op->name,
                                        .name = name,
                                        .type = dtype,
                                        .ran = ran,
                                        .pass = pass,
                                        .error = ran ? result.error : 0,
                                        .bound = result.bound,
                                        .seconds = result.seconds,
                                        .gpu_seconds = ran ? result.gpu_nanoseconds * 1e-9 : 0,
                                        .why = pass ? NULL : failure});
    return FUM_OK;
}

// ---- compiling alone ----

// Adds a kernel to those seen. Returns false if it was seen before, or on failure, which sets *r.
static bool add_kernel(struct selftest *test, const struct fum_kernel_desc *desc,
                       enum fum_result *r, struct fum_error *err) {
    for (size_t i = 0; i < test->num_seen; i++)
        if (fum_kernel_desc_same(&test->seen[i], desc)) return false;
    void *items = test->seen;
    if (!fum_grow(&items, &test->seen_capacity, test->num_seen, sizeof *test->seen)) {
        *r = fum_error_set(err, FUM_ERR_NOMEM, "no memory for the list of kernels");
        return false;
    }
    test->seen = items;
    test->seen[test->num_seen++] = *desc;
    return true;
}

// Compiles a kernel and reports it. False: it does not compile.
static bool compile_kernel(struct selftest *test, const struct fum_case_use *use,
                           const struct fum_kernel_desc *desc) {
    enum { MOST_STATISTICS = 64 };
    struct fum_kernel_statistic statistics[MOST_STATISTICS];
    struct fum_error problem = {0};
    const fum_kernel *kernel;
    char name[FUM_CASE_NAME];
    int count = 0;
    fum_case_name(use, name);
    double start = fum_time_now();
    bool compiled = !fum_kernel_get(&kernel, test->device, desc, &problem);
    double seconds = fum_time_now() - start;
    if (compiled && fum_kernel_statistics(kernel, statistics, MOST_STATISTICS, &count, &problem))
        count = 0;
    if (!compiled && !test->first_failure[0])
        snprintf(test->first_failure, sizeof test->first_failure, "%s, case '%s': %s",
                 use->op->name, name, fum_text_show(problem.text).text);
    if (test->params.on_kernel)
        test->params.on_kernel(test->params.user, &(struct fum_selftest_kernel){
                                                      .op = use->op->name,
                                                      .name = name,
                                                      .shader = desc->shader->name,
                                                      .type = desc->shader->dtype,
                                                      .constants = desc->spec,
                                                      .num_constants = desc->num_spec,
                                                      .subgroup = desc->subgroup,
                                                      .seconds = seconds,
                                                      .statistics = statistics,
                                                      .num_statistics = count,
                                                      .why = compiled ? NULL : problem.text});
    return compiled;
}

static enum fum_result compile_case(struct selftest *test, struct fum_selftest_op *sum,
                                    const struct fum_case_use *use, struct fum_error *err) {
    const struct fum_op *op = use->op;
    const struct fum_op_case *c = use->c;
    struct fum_op_call call;
    const struct fum_case_job job = {
        .device = test->device, .op = op, .call = &call, .list = test->list};
    struct fum_device_info info;
    double attr[FUM_MAX_ATTRS];
    struct fum_why why;
    bool failed = false;
    *test->list = (struct fum_dispatches){0};
    if (!fum_case_call(use, &call, attr, &why))
        return fum_error_set(err, FUM_ERR_ARG, "op %s, case '%s': %s", op->name, c->name, why.text);
    enum fum_result r = fum_case_plan(&job, c, &info, err);
    if (r == FUM_ERR_UNSUPPORTED) sum->skipped++;
    if (r) return r == FUM_ERR_UNSUPPORTED ? FUM_OK : r;
    for (int i = 0; i < test->list->count && !r; i++) {
        struct fum_kernel_desc desc = fum_dispatch_kernel(&test->list->item[i]);
        if (!desc.shader)
            return fum_error_set(
                err, FUM_ERR_UNSUPPORTED, "op %s: ops.def names no shader %s in %s", op->name,
                test->list->item[i].shader, fum_dtype_name(test->list->item[i].dtype));
        if (add_kernel(test, &desc, &r, err) && !compile_kernel(test, use, &desc)) failed = true;
    }
    sum->run++;
    sum->failed += failed;
    return r;
}

// ---- all ----

// Runs one case with one packing, or compiles it on a planning device. `stores`: the device can.
static enum fum_result try_case(struct selftest *test, struct fum_selftest_op *sum,
                                const struct fum_case_use *use, bool stores,
                                struct fum_error *err) {
    if (!test->params.large && !test->compile_only && fum_case_is_large(use)) return FUM_OK;
    if (test->params.cancel && test->params.cancel(test->params.user))
        return fum_error_set(err, FUM_ERR_CANCELLED, "the self-test was stopped at %s", sum->name);
    if (!stores) sum->skipped++;
    if (!stores) return FUM_OK;
    return test->compile_only ? compile_case(test, sum, use, err) : run_case(test, sum, use, err);
}

// Runs all cases of an op in one storage type.
static enum fum_result run_type(struct selftest *test, int op, enum fum_dtype dtype,
                                struct fum_selftest_op *sum, struct fum_error *err) {
    const struct fum_op_cases *list = fum_op_cases[op];
    const struct fum_device_info *info = fum_device_get_info(test->device);
    const struct fum_variant *variant = fum_variant_find(sum->variant);
    bool stores = fum_device_stores(info, dtype) && (!variant || variant->usable(info, dtype));
    enum fum_result result = FUM_OK;
    if (!stores) sum->missing_types |= 1u << dtype;
    for (int i = 0; i < list->count && !result; i++) {
        struct fum_case_use use = {fum_ops[op], &list->cases[i], dtype, NULL};
        if (!fum_case_has_type(use.c, dtype)) continue;
        for (int p = 0; p < fum_case_packings(use.c) && !result; p++) {
            use.quantised = fum_case_packing(use.c, p);
            if (!variant || fum_variant_takes(variant, use.quantised))
                result = try_case(test, sum, &use, stores, err);
        }
    }
    return result;
}

static enum fum_result run_op(struct selftest *test, int op, const char *variant,
                              struct fum_error *err) {
    struct fum_selftest_op sum = {.name = fum_ops[op]->name, .variant = variant};
    double start = fum_time_now();
    for (enum fum_dtype dtype = FUM_F32; dtype <= FUM_BF16; dtype++) {
        if (!(test->params.types >> dtype & 1)) continue;
        enum fum_result result = run_type(test, op, dtype, &sum, err);
        if (result) return result;
    }
    sum.seconds = fum_time_now() - start;
    test->run += sum.run;
    test->failed += sum.failed;
    if (test->params.on_op) test->params.on_op(test->params.user, &sum);
    return FUM_OK;
}

// Runs the requested ops in a variant (NULL: the device's own choice). `served`: only the ops that
// the variant serves.
static enum fum_result run_ops(struct selftest *test, const char *variant, bool served,
                               struct fum_error *err) {
    enum fum_result r = variant ? fum_device_force_variant(test->device, variant, err) : FUM_OK;
    for (int i = 0; i < fum_op_count && !r; i++) {
        if (test->params.op && strcmp(test->params.op, fum_ops[i]->name)) continue;
        if (served && !fum_variant_serves(fum_variant_find(variant), fum_ops[i])) continue;
        r = run_op(test, i, variant, err);
    }
    return r;
}

static enum fum_result run_variants(struct selftest *test, struct fum_error *err) {
    const char *variant = test->params.variant;
    bool all = variant && !strcmp(variant, "all");
    if (all) fum_device_set_variant(test->device, NULL);
    enum fum_result r = run_ops(test, all ? NULL : variant, false, err);
    for (int i = 0; all && fum_variants[i] && !r; i++) {
        bool usable = false; // in a requested type
        for (enum fum_dtype type = FUM_F32; type <= FUM_BF16; type++)
            if (test->params.types >> type & 1)
                usable = usable || fum_variants[i]->usable(fum_device_get_info(test->device), type);
        if (usable) r = run_ops(test, fum_variants[i]->name, true, err);
    }
    return r;
}

enum fum_result fum_selftest(fum_device *device, const struct fum_selftest_params *params,
                             struct fum_error *err) {
    struct selftest test = {.device = device};
    if (params) test.params = *params;
    if (!test.params.types) test.params.types = 1u << FUM_F32 | 1u << FUM_F16 | 1u << FUM_BF16;
    if (test.params.op && !fum_op_find(test.params.op))
        return fum_error_set(err, FUM_ERR_ARG, "no op '%s' to test", test.params.op);
    const struct fum_variant *forced = fum_device_tuning(device)->variant;
    test.compile_only = fum_device_get_info(device)->planning_only;
    if (test.compile_only && !(test.list = fum_calloc(1, sizeof *test.list)))
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the self-test");
    enum fum_result r = run_variants(&test, err);
    fum_device_set_variant(device, forced);
    fum_free(test.list);
    fum_free(test.seen);
    if (r) return r;
    if (test.failed)
        return fum_error_set(err, FUM_ERR_DEVICE, "%d of %d cases failed; first: %s", test.failed,
                             test.run, test.first_failure);
    return FUM_OK;
}
