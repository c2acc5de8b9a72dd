// SPDX-License-Identifier: MIT
// The planning-only backend: limits and counts, no memory and no work. What it does not have, the
// front half refuses.
#include "gpu/backend.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"

#include <string.h>

static void device_destroy(fum_device *device) {
    (void)device;
}

static enum fum_result buffer_create(fum_buffer *buffer, struct fum_error *err) {
    (void)buffer, (void)err;
    return FUM_OK;
}

static void buffer_destroy(fum_buffer *buffer) {
    (void)buffer;
}

static enum fum_result kernel_create(fum_kernel *kernel, struct fum_error *err) {
    (void)kernel, (void)err;
    return FUM_OK;
}

static void kernel_destroy(fum_kernel *kernel) {
    (void)kernel;
}

static enum fum_result command_create(fum_command *command, struct fum_error *err) {
    (void)command, (void)err;
    return FUM_OK;
}

static void command_destroy(fum_command *command) {
    (void)command;
}

static void barrier(fum_command *command) {
    (void)command;
}

static enum fum_result dispatch(fum_command *command, const struct fum_kernel_call *call,
                                struct fum_error *err) {
    (void)command, (void)call, (void)err;
    return FUM_OK;
}

static void copy(fum_command *command, const struct fum_buffer_copy *copy) {
    (void)command, (void)copy;
}

static enum fum_result end(fum_command *command, struct fum_error *err) {
    (void)command, (void)err;
    return FUM_OK;
}

const struct fum_backend fum_backend_null = {
    .device_destroy = device_destroy,
    .buffer_create = buffer_create,
    .buffer_destroy = buffer_destroy,
    .kernel_create = kernel_create,
    .kernel_destroy = kernel_destroy,
    .command_create = command_create,
    .command_destroy = command_destroy,
    .barrier = barrier,
    .dispatch = dispatch,
    .copy = copy,
    .end = end,
};

const char *fum_device_planning_name(int index) {
    const struct fum_device_info *info = index < 0 ? NULL : fum_planning_info(index);
    return info ? info->name : NULL;
}

enum fum_result fum_device_create_planning(fum_device **device, const char *name,
                                           struct fum_error *err) {
    *device = NULL;
    char all[400] = "";
    for (int i = 0; fum_planning_info(i); i++) {
        const struct fum_device_info *info = fum_planning_info(i);
        if (name && !strcmp(info->name, name)) {
            *device = fum_device_new(&fum_backend_null, NULL);
            if (!*device) return fum_error_set(err, FUM_ERR_NOMEM, "no host memory for a device");
            (*device)->info = *info;
            return FUM_OK;
        }
        size_t used = strlen(all);
        if (used + strlen(info->name) + 3 < sizeof all) {
            if (used) strcat(all, ", ");
            strcat(all, info->name);
        }
    }
    return fum_error_set(err, FUM_ERR_ARG, "no planning device \"%s\"; available: %s",
                         fum_text_show(name ? name : "").text, all);
}
