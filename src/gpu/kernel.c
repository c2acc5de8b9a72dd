// SPDX-License-Identifier: MIT
// The device's table of kernels: one per distinct description, compiled once, several at a time.
#include "gpu/backend.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/thread.h"

#include <string.h>

static uint64_t hash_desc(const struct fum_kernel_desc *desc) { // FNV-1a over the words that matter
    uint64_t h = 14695981039346656037u;
    const uint32_t head[] = {
        (uint32_t)(uintptr_t)desc->shader, (uint32_t)desc->num_spec, (uint32_t)desc->num_bindings,
        (uint32_t)desc->num_push,          desc->subgroup,           desc->texels};
    for (size_t i = 0; i < FUM_COUNT(head); i++) h = (h ^ head[i]) * 1099511628211u;
    for (int i = 0; i < desc->num_spec; i++) h = (h ^ desc->spec[i]) * 1099511628211u;
    return h;
}

bool fum_kernel_desc_same(const struct fum_kernel_desc *a, const struct fum_kernel_desc *b) {
    return a->shader == b->shader && a->num_spec == b->num_spec &&
           a->num_bindings == b->num_bindings && a->num_push == b->num_push &&
           a->subgroup == b->subgroup && a->texels == b->texels &&
           !memcmp(a->spec, b->spec, (size_t)a->num_spec * sizeof *a->spec);
}

static enum fum_result check_desc(const fum_device *device, const struct fum_kernel_desc *desc,
                                  struct fum_error *err) {
    const struct fum_device_info *info = &device->info;
    const char *name = desc->shader ? desc->shader->name : "?";
    if (!desc->shader) return fum_error_set(err, FUM_ERR_ARG, "a kernel without a shader");
    if (desc->num_spec < 3 || desc->num_spec > FUM_MAX_SPEC)
        return fum_error_set(err, FUM_ERR_ARG,
                             "kernel %s: %d specialisation constants; 3 to %d are allowed", name,
                             desc->num_spec, FUM_MAX_SPEC);
    if (desc->num_bindings < 0 || desc->num_bindings > FUM_MAX_BINDINGS || desc->num_push < 0 ||
        desc->num_push > FUM_MAX_PUSH)
        return fum_error_set(err, FUM_ERR_ARG,
                             "kernel %s: %d bindings, %d push constants; at most %d and %d", name,
                             desc->num_bindings, desc->num_push, FUM_MAX_BINDINGS, FUM_MAX_PUSH);
    if ((uint32_t)desc->num_bindings > info->max_bindings ||
        (uint32_t)desc->num_push * 4 > info->max_push_bytes)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "kernel %s: %d bindings, %d push bytes, but %s has %u and %u", name,
                             desc->num_bindings, desc->num_push * 4, info->name, info->max_bindings,
                             info->max_push_bytes);
    const uint32_t *size = desc->spec, *most = info->max_group_size;
    bool fits = (uint64_t)size[0] * size[1] <= info->max_group_invocations &&
                (uint64_t)size[0] * size[1] * size[2] <= info->max_group_invocations;
    for (int i = 0; i < 3; i++) fits = fits && size[i] >= 1 && size[i] <= most[i];
    if (!fits)
        return fum_error_set(
            err, FUM_ERR_UNSUPPORTED,
            "kernel %s: workgroup %u × %u × %u, but %s allows %u × %u × %u and %u invocations",
            name, size[0], size[1], size[2], info->name, most[0], most[1], most[2],
            info->max_group_invocations);
    uint32_t width = desc->subgroup;
    if (width &&
        (!info->subgroup_control || width < info->subgroup_min || width > info->subgroup_max))
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "kernel %s: needs subgroups of %u, but %s has %u to %u%s", name, width,
                             info->name, info->subgroup_min, info->subgroup_max,
                             info->subgroup_control ? "" : " and lets none be chosen");
    if (width && (width & (width - 1) || size[0] % width))
        return fum_error_set(err, FUM_ERR_ARG,
                             "kernel %s: a workgroup of %u in x is not of whole subgroups of %u",
                             name, size[0], width);
    if (desc->shader->dtype == FUM_F16 && !info->storage16)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "kernel %s: %s has no 16-bit storage; use f32 or bf16", name,
                             info->name);
    return FUM_OK;
}

// Returns the kernel of the table with this desc, or NULL. The device's lock is held.
static fum_kernel *find_kernel(const fum_device *device, const struct fum_kernel_desc *desc,
                               uint64_t hash) {
    for (size_t i = 0; i < device->num_kernels; i++) {
        fum_kernel *k = device->kernels[i];
        if (k->hash == hash && fum_kernel_desc_same(&k->desc, desc)) return k;
    }
    return NULL;
}

struct job {
    const struct fum_kernel_desc *desc;
    fum_kernel *kernel; // ready when in the table, or made by this job
    bool compile;
    double start;
    enum fum_result result;
    struct fum_error error;
};

struct work {
    fum_device *device;
    struct job *jobs;
    int count, to_compile;
    const struct fum_progress *progress; // may be NULL
    atomic_int next, done;
    atomic_bool cancelled;
};

static void compile(fum_device *device, struct job *job) {
    job->start = fum_time_now();
    fum_kernel *k = fum_calloc(1, sizeof *k);
    if (!k) {
        job->result = fum_error_set(&job->error, FUM_ERR_NOMEM, "kernel %s: no host memory",
                                    job->desc->shader->name);
        return;
    }
    k->device = device;
    k->desc = *job->desc;
    k->hash = hash_desc(job->desc);
    job->result = device->backend->kernel_create(k, &job->error);
    if (job->result) {
        device->backend->kernel_destroy(k);
        fum_free(k);
        return;
    }
    job->kernel = k;
}

static void compile_some(struct work *work, bool reports) {
    const struct fum_progress *progress = reports ? work->progress : NULL;
    for (;;) {
        int i = atomic_fetch_add(&work->next, 1);
        if (i >= work->count || atomic_load(&work->cancelled)) return;
        if (!work->jobs[i].compile) continue;
        compile(work->device, &work->jobs[i]);
        int done = atomic_fetch_add(&work->done, 1) + 1;
        // run_jobs reports the end, when all threads have finished.
        if (progress && done < work->to_compile &&
            !progress->fn(progress->user, done, work->to_compile))
            atomic_store(&work->cancelled, true);
    }
}

static void *worker(void *arg) {
    compile_some(arg, false);
    return NULL;
}

static void run_jobs(struct work *work) {
    const struct fum_progress *progress = work->progress;
    int total = work->to_compile;
    pthread_t threads[16];
    int wanted = fum_cpu_count() < 16 ? fum_cpu_count() : 16, started = 0;
    if (wanted > total) wanted = total;
    if (progress && !progress->fn(progress->user, 0, total)) atomic_store(&work->cancelled, true);
    // This thread works too; a thread that does not start is no loss.
    while (started < wanted - 1 && pthread_create(&threads[started], NULL, worker, work) == 0)
        started++;
    compile_some(work, true);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    if (!progress || atomic_load(&work->cancelled)) return;
    if (!progress->fn(progress->user, total, total)) atomic_store(&work->cancelled, true);
}

// Puts a compiled kernel into the table, or takes the one that another thread put there meanwhile.
static void keep(fum_device *device, struct job *job) {
    if (!job->kernel || !job->compile) return;
    fum_kernel *compiled = job->kernel, *drop = NULL;
    pthread_mutex_lock(&device->lock);
    fum_kernel *other = find_kernel(device, job->desc, compiled->hash);
    void *items = device->kernels;
    if (other) {
        job->kernel = other;
        drop = compiled;
    } else if (fum_grow(&items, &device->kernel_capacity, device->num_kernels,
                        sizeof *device->kernels)) {
        device->kernels = items;
        device->kernels[device->num_kernels++] = compiled;
    } else {
        job->kernel = NULL;
        job->result = fum_error_set(&job->error, FUM_ERR_NOMEM, "kernel %s: no host memory",
                                    job->desc->shader->name);
        drop = compiled;
    }
    pthread_mutex_unlock(&device->lock);
    if (drop) {
        device->backend->kernel_destroy(drop);
        fum_free(drop);
    }
}

static int prepare_jobs(fum_device *device, struct job *jobs, const struct fum_kernel_desc *descs,
                        int count) {
    int to_compile = 0;
    for (int i = 0; i < count; i++) {
        jobs[i].desc = &descs[i];
        jobs[i].result = check_desc(device, &descs[i], &jobs[i].error);
        if (jobs[i].result) continue;
        pthread_mutex_lock(&device->lock);
        jobs[i].kernel = find_kernel(device, &descs[i], hash_desc(&descs[i]));
        pthread_mutex_unlock(&device->lock);
        bool twin = false; // the same desc earlier in this list
        for (int j = 0; j < i && !jobs[i].kernel && !twin; j++)
            twin = jobs[j].compile && fum_kernel_desc_same(&descs[i], &descs[j]);
        jobs[i].compile = !jobs[i].kernel && !twin;
        to_compile += jobs[i].compile;
    }
    return to_compile;
}

enum fum_result fum_kernel_get_all(const fum_kernel **kernels, fum_device *device,
                                   const struct fum_kernel_desc *descs, int count,
                                   struct fum_error *err) {
    const struct fum_kernel_list list = {.descs = descs, .kernels = kernels, .count = count};
    return fum_kernel_get_list(device, &list, NULL, err);
}

enum fum_result fum_kernel_get_list(fum_device *device, const struct fum_kernel_list *list,
                                    int *compiled, struct fum_error *err) {
    const struct fum_kernel_desc *descs = list->descs;
    const fum_kernel **kernels = list->kernels;
    int count = list->count;
    for (int i = 0; i < count; i++) kernels[i] = NULL;
    struct job *jobs = fum_calloc((size_t)count, sizeof *jobs);
    if (!jobs) return fum_error_set(err, FUM_ERR_NOMEM, "no host memory for %d kernels", count);
    struct work work = {.device = device, .jobs = jobs, .count = count, .progress = list->progress};
    work.to_compile = prepare_jobs(device, jobs, descs, count);
    if (compiled) *compiled = work.to_compile;
    if (work.to_compile) run_jobs(&work);
    enum fum_result result = FUM_OK;
    for (int i = 0; i < count; i++) {
        struct job *job = &jobs[i];
        keep(device, job);
        if (!job->result && job->kernel && job->compile)
            fum_device_trace(device, FUM_TRACE_KERNEL, descs[i].shader->name,
                             descs[i].shader->bytes, job->start);
        if (job->result && !result) result = fum_error_set(err, job->result, "%s", job->error.text);
    }
    if (!result && atomic_load(&work.cancelled))
        result = fum_error_set(err, FUM_ERR_CANCELLED, "compiling kernels was cancelled");
    for (int i = 0; i < count && !result; i++) {
        pthread_mutex_lock(&device->lock);
        kernels[i] =
            jobs[i].kernel ? jobs[i].kernel : find_kernel(device, &descs[i], hash_desc(&descs[i]));
        pthread_mutex_unlock(&device->lock);
    }
    fum_free(jobs);
    return result;
}

enum fum_result fum_kernel_statistics(const fum_kernel *kernel, struct fum_kernel_statistic *list,
                                      int most, int *count, struct fum_error *err) {
    *count = 0;
    if (!kernel->device->backend->kernel_statistics) return FUM_OK;
    return kernel->device->backend->kernel_statistics(kernel, list, most, count, err);
}

enum fum_result fum_kernel_get(const fum_kernel **kernel, fum_device *device,
                               const struct fum_kernel_desc *desc, struct fum_error *err) {
    return fum_kernel_get_all(kernel, device, desc, 1, err);
}
