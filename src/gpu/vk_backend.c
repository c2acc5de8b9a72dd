// SPDX-License-Identifier: MIT
// Names the functions of the Vulkan back end.
#include "gpu/vk.h"

const struct fum_backend fum_backend_vulkan = {
    .device_destroy = fum_vk_device_destroy,
    .validation_messages = fum_vk_validation_messages,
    .memory_budget = fum_vk_memory_budget,
    .buffer_create = fum_vk_buffer_create,
    .buffer_destroy = fum_vk_buffer_destroy,
    .buffer_write = fum_vk_buffer_write,
    .buffer_read = fum_vk_buffer_read,
    .upload_begin = fum_vk_upload_begin,
    .upload_end = fum_vk_upload_end,
    .kernel_create = fum_vk_kernel_create,
    .kernel_destroy = fum_vk_kernel_destroy,
    .command_create = fum_vk_command_create,
    .command_destroy = fum_vk_command_destroy,
    .barrier = fum_vk_barrier,
    .dispatch = fum_vk_dispatch,
    .copy = fum_vk_copy,
    .timestamp = fum_vk_timestamp,
    .end = fum_vk_end,
    .submit = fum_vk_command_submit,
    .wait = fum_vk_device_wait,
    .read_timestamp = fum_vk_read_timestamp,
};

void fum_vk_compile_only(struct fum_vk *vk) {
    vk->compiler = fum_backend_null;
    vk->compiler.device_destroy = fum_vk_device_destroy;
    vk->compiler.validation_messages = fum_vk_validation_messages;
    vk->compiler.kernel_create = fum_vk_kernel_create;
    vk->compiler.kernel_destroy = fum_vk_kernel_destroy;
    vk->compiler.kernel_statistics = fum_vk_kernel_statistics;
    vk->front->backend = &vk->compiler;
    vk->front->info.planning_only = true;
}
