// SPDX-License-Identifier: MIT
// Compiles kernels ahead of their first use. CPU drivers compile a kernel when it is first
// dispatched; a dispatch of no workgroups makes them do so without computing anything. A thread
// dispatches them, so that the caller can load weights meanwhile.
#include "gpu/backend.h"

#include "base/alloc.h"
#include "base/error.h"

enum { WARM_BYTES = 256 }; // bound in place of every real buffer

struct fum_warming {
    fum_device *device;
    const fum_kernel **kernels; // those still to be compiled
    int count;
    fum_buffer *buffer;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; // guards what follows
    pthread_cond_t changed;
    int done;
    bool stop, ended;
    enum fum_result result;
    struct fum_error error;
};

// Marks the kernel. True if that changes its mark, so that one caller alone compiles it.
static bool mark(fum_device *device, const fum_kernel *kernel, bool warm) {
    bool changed = false;
    pthread_mutex_lock(&device->lock);
    for (size_t i = 0; i < device->num_kernels; i++) {
        fum_kernel *k = device->kernels[i];
        if (k != kernel) continue;
        changed = k->warm != warm;
        k->warm = warm;
    }
    pthread_mutex_unlock(&device->lock);
    return changed;
}

static enum fum_result warm_one(struct fum_warming *w, const fum_kernel *kernel,
                                struct fum_error *err) {
    const char *name = kernel->desc.shader->name;
    fum_command *command = NULL;
    uint64_t ticket = 0;
    enum fum_result result = fum_command_create(&command, w->device, name, err);
    if (!result) result = fum_command_warm(command, kernel, w->buffer, err);
    if (!result) result = fum_command_end(command, err);
    if (!result) result = fum_command_submit(command, &ticket, err);
    if (!result) result = fum_device_wait(w->device, ticket, err);
    fum_command_destroy(&command);
    return result;
}

static void *compile_kernels(void *user) {
    struct fum_warming *w = user;
    struct fum_error err = {0};
    enum fum_result result = FUM_OK;
    bool stopped = false;
    for (int i = 0; i < w->count && !result && !stopped; i++) {
        result = warm_one(w, w->kernels[i], &err);
        pthread_mutex_lock(&w->lock);
        if (!result) w->done = i + 1;
        stopped = w->stop;
        pthread_cond_signal(&w->changed);
        pthread_mutex_unlock(&w->lock);
    }
    pthread_mutex_lock(&w->lock);
    w->ended = true;
    w->result = result;
    w->error = err;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

// Frees it. Kernels that were not compiled are left to the next warming.
static void release_warming(struct fum_warming *w) {
    for (int i = w->done; i < w->count; i++) mark(w->device, w->kernels[i], false);
    fum_buffer_destroy(&w->buffer);
    fum_free(w->kernels);
    fum_free(w);
}

// Starts the thread. If the system has none left, kernels are compiled at first use. A failure
// leaves only the buffer, which release_warming() destroys.
static enum fum_result start(struct fum_warming *w, struct fum_error *err) {
    enum fum_result result =
        fum_buffer_create(&w->buffer, w->device,
                          &(struct fum_buffer_params){
                              .bytes = WARM_BYTES, .use = FUM_BUFFER_DEVICE, .label = "compile"},
                          err);
    if (result) return result;
    if (pthread_mutex_init(&w->lock, NULL))
        return fum_error_set(err, FUM_ERR_NOMEM, "no lock to compile kernels");
    if (pthread_cond_init(&w->changed, NULL)) {
        pthread_mutex_destroy(&w->lock);
        return fum_error_set(err, FUM_ERR_NOMEM, "no lock to compile kernels");
    }
    w->started = !pthread_create(&w->thread, NULL, compile_kernels, w);
    if (w->started) return FUM_OK;
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    return FUM_OK;
}

enum fum_result fum_warming_begin(struct fum_warming **out, fum_device *device,
                                  const fum_kernel *const *kernels, int count,
                                  struct fum_error *err) {
    *out = NULL;
    if (device->info.type != FUM_DEVICE_CPU || device->info.planning_only) return FUM_OK;
    struct fum_warming *w = fum_calloc(1, sizeof *w);
    if (w) w->kernels = fum_calloc((size_t)count, sizeof *w->kernels);
    if (!w || !w->kernels) {
        fum_free(w);
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory to compile %d kernels", count);
    }
    w->device = device;
    for (int i = 0; i < count; i++)
        if (mark(device, kernels[i], true)) w->kernels[w->count++] = kernels[i];
    enum fum_result result = w->count ? start(w, err) : FUM_OK;
    if (w->started)
        *out = w;
    else
        release_warming(w);
    return result;
}

int fum_warming_count(const struct fum_warming *warming) {
    return warming ? warming->count : 0;
}

// Waits until more than *done kernels are compiled, and counts them there. False if the thread has
// ended.
static bool wait_for_more(struct fum_warming *w, int *done) {
    pthread_mutex_lock(&w->lock);
    while (w->done == *done && !w->ended) pthread_cond_wait(&w->changed, &w->lock);
    *done = w->done;
    bool ended = w->ended;
    pthread_mutex_unlock(&w->lock);
    return !ended;
}

static void stop(struct fum_warming *w) {
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_mutex_unlock(&w->lock);
}

enum fum_result fum_warming_end(struct fum_warming **warming, const struct fum_progress *progress,
                                struct fum_error *err) {
    struct fum_warming *w = *warming;
    if (!w) return FUM_OK;
    *warming = NULL;
    bool cancelled = false;
    for (int done = 0; wait_for_more(w, &done);) {
        bool silent = !progress || cancelled || done == w->count;
        if (silent || progress->fn(progress->user, done, w->count)) continue;
        cancelled = true;
        stop(w);
    }
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    enum fum_result result =
        w->result ? fum_error_set(err, w->result, "%s", w->error.text) : FUM_OK;
    if (!result && progress && !cancelled)
        cancelled = !progress->fn(progress->user, w->count, w->count);
    if (!result && cancelled)
        result = fum_error_set(err, FUM_ERR_CANCELLED, "compiling kernels was cancelled");
    release_warming(w);
    return result;
}

void fum_warming_stop(struct fum_warming **warming) {
    struct fum_error ignored;
    if (!*warming) return;
    stop(*warming);
    fum_warming_end(warming, NULL, &ignored);
}
