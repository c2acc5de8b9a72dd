// SPDX-License-Identifier: MIT
// Shared by the GPU tests: the one kernel that they run, y = silu(x) on f32 quads.
#ifndef TESTS_GPU_SILU_H
#define TESTS_GPU_SILU_H

#include "open.h"

#include <math.h>

static inline struct fum_kernel_desc silu_desc(const fum_device *device) {
    const struct fum_device_info *info = fum_device_get_info(device);
    uint32_t lanes = info->max_group_invocations < 64 ? info->max_group_invocations : 64;
    struct fum_kernel_desc desc = {.shader = fum_shader_find("unary", FUM_F32),
                                   .spec = {lanes, 1, 1, 1},
                                   .num_spec = 4,
                                   .num_bindings = 2,
                                   .num_push = 1};
    assert_non_null(desc.shader);
    return desc;
}

static inline const fum_kernel *silu_kernel(fum_device *device) {
    struct fum_error err = {0};
    const fum_kernel *kernel = NULL;
    struct fum_kernel_desc desc = silu_desc(device);
    ok(fum_kernel_get(&kernel, device, &desc, &err), &err);
    return kernel;
}

static inline fum_buffer *make_buffer(fum_device *device, uint64_t bytes, const char *label) {
    struct fum_error err = {0};
    fum_buffer *buffer = NULL;
    ok(fum_buffer_create(&buffer, device,
                         &(struct fum_buffer_params){bytes, FUM_BUFFER_DEVICE, label}, &err),
       &err);
    return buffer;
}

static inline fum_command *make_command(fum_device *device, const char *label) {
    struct fum_error err = {0};
    fum_command *command = NULL;
    ok(fum_command_create(&command, device, label, &err), &err);
    return command;
}

// Where a vector begins.
struct place {
    fum_buffer *buffer;
    uint64_t offset;
};

static inline struct place at(fum_buffer *buffer, uint64_t offset) {
    return (struct place){buffer, offset};
}

// Adds y = silu(x) on `bytes` bytes.
static inline void add_silu(fum_command *command, const fum_kernel *kernel, struct place x,
                            struct place y, uint64_t bytes) {
    struct fum_error err = {0};
    struct fum_binding bindings[] = {{x.buffer, x.offset, bytes, false},
                                     {y.buffer, y.offset, bytes, true}};
    uint32_t quads = (uint32_t)(bytes / 16), lanes = kernel->desc.spec[0];
    uint32_t all = (quads + lanes - 1) / lanes, groups[3] = {all ? all : 1, 1, 1};
    if (all > 65535) {
        groups[0] = 65535;
        groups[1] = (all + 65534) / 65535;
    }
    ok(fum_command_dispatch(
           command, &(struct fum_kernel_call){kernel, bindings, &quads, groups, "silu"}, &err),
       &err);
}

static inline void run(fum_device *device, fum_command *command) {
    struct fum_error err = {0};
    uint64_t ticket = 0;
    ok(fum_command_submit(command, &ticket, &err), &err);
    ok(fum_device_wait(device, ticket, &err), &err);
}

static inline float silu(float x) {
    return (float)(x / (1 + exp(-(double)x)));
}

#endif
