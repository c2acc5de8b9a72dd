// SPDX-License-Identifier: MIT
// Command buffers, descriptors, timestamps.
#include "gpu/vk.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"

#include <string.h>

enum { SETS_PER_POOL = 64 };

struct vk_command {
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkDescriptorPool *sets; // the last one has room for `sets_left` more
    size_t num_sets, sets_capacity;
    int sets_left;
    VkBufferView *views; // of bindings that are read as texels
    size_t num_views, views_capacity;
    VkQueryPool queries;
};

void fum_vk_full_barrier(struct fum_vk *vk, VkCommandBuffer commands, bool to_host) {
    const VkPipelineStageFlags stages =
        VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkAccessFlags writes = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
    VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                               .srcAccessMask = writes,
                               .dstAccessMask = writes | VK_ACCESS_SHADER_READ_BIT |
                                                VK_ACCESS_TRANSFER_READ_BIT};
    if (to_host) barrier.dstAccessMask |= VK_ACCESS_HOST_READ_BIT;
    vk->fn.vkCmdPipelineBarrier(commands, stages,
                                stages | (to_host ? VK_PIPELINE_STAGE_HOST_BIT : 0), 0, 1, &barrier,
                                0, NULL, 0, NULL);
}

enum fum_result fum_vk_command_create(fum_command *command, struct fum_error *err) {
    struct fum_vk *vk = fum_vk_of(command->device);
    VkResult vr = VK_ERROR_OUT_OF_HOST_MEMORY;
    struct vk_command *c = command->impl = fum_calloc(1, sizeof *c);
    if (!c) goto error;
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .queueFamilyIndex = vk->family};
    VK_FILL(&c->pool, vk->fn.vkCreateCommandPool(vk->device, &pool, NULL, &c->pool));
    VkCommandBufferAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                            .commandPool = c->pool,
                                            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                            .commandBufferCount = 1};
    VK_FILL(&c->commands, vk->fn.vkAllocateCommandBuffers(vk->device, &allocate, &c->commands));
    // The same step may be submitted again before the one before has finished.
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT};
    VK(vk->fn.vkBeginCommandBuffer(c->commands, &begin));
    fum_vk_full_barrier(vk, c->commands, false); // after all earlier submissions
    return FUM_OK;
error:
    return fum_vk_error(err, vr, command->label, "starting to record");
}

void fum_vk_command_destroy(fum_command *command) {
    struct fum_vk *vk = fum_vk_of(command->device);
    struct vk_command *c = command->impl;
    if (!c) return;
    if (command->ticket && fum_vk_wait(vk, command->ticket, NULL) < 0) fum_vk_idle(vk);
    for (size_t i = 0; i < c->num_sets; i++)
        vk->fn.vkDestroyDescriptorPool(vk->device, c->sets[i], NULL);
    vk->fn.vkDestroyQueryPool(vk->device, c->queries, NULL);
    vk->fn.vkDestroyCommandPool(vk->device, c->pool, NULL);
    for (size_t i = 0; i < c->num_views; i++)
        vk->fn.vkDestroyBufferView(vk->device, c->views[i], NULL);
    fum_free(c->views);
    fum_free(c->sets);
    fum_free(c);
    command->impl = NULL;
}

void fum_vk_barrier(fum_command *command) {
    struct vk_command *c = command->impl;
    fum_vk_full_barrier(fum_vk_of(command->device), c->commands, false);
}

static VkResult add_pool(struct fum_vk *vk, struct vk_command *c) {
    VkResult vr = VK_ERROR_OUT_OF_HOST_MEMORY;
    void *items = c->sets;
    if (!fum_grow(&items, &c->sets_capacity, c->num_sets, sizeof *c->sets)) goto error;
    c->sets = items;
    const VkDescriptorPoolSize sizes[] = {
        {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, SETS_PER_POOL * FUM_MAX_BINDINGS},
        {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, SETS_PER_POOL * FUM_MAX_BINDINGS},
    };
    VkDescriptorPoolCreateInfo create = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                         .maxSets = SETS_PER_POOL,
                                         .poolSizeCount = FUM_COUNT(sizes),
                                         .pPoolSizes = sizes};
    VK_FILL(&c->sets[c->num_sets],
            vk->fn.vkCreateDescriptorPool(vk->device, &create, NULL, &c->sets[c->num_sets]));
    c->num_sets++;
    c->sets_left = SETS_PER_POOL;
error:
    return vr;
}

// Returns the range of a binding. An empty one still needs a valid range: 16 bytes, which every
// VkBuffer has.
static VkDescriptorBufferInfo buffer_info(const struct fum_binding *b) {
    const struct fum_vk_buffer *vb = b->buffer->impl;
    if (b->bytes) return (VkDescriptorBufferInfo){vb->buffer, b->offset, b->bytes};
    bool fits = b->offset + 16 <= b->buffer->bytes;
    return (VkDescriptorBufferInfo){vb->buffer, fits ? b->offset : 0, 16};
}

// Makes a view of the window as quads of the shader's storage type. It lives as long as the
// command.
static VkResult add_view(struct fum_vk *vk, struct vk_command *c, enum fum_dtype dtype,
                         const VkDescriptorBufferInfo *window, VkBufferView *view) {
    static const VkFormat formats[] = {[FUM_F32] = VK_FORMAT_R32G32B32A32_SFLOAT,
                                       [FUM_F16] = VK_FORMAT_R16G16B16A16_SFLOAT,
                                       [FUM_BF16] = VK_FORMAT_R16G16B16A16_UINT};
    VkResult vr = VK_ERROR_OUT_OF_HOST_MEMORY;
    void *items = c->views;
    if (!fum_grow(&items, &c->views_capacity, c->num_views, sizeof *c->views)) goto error;
    c->views = items;
    VkBufferViewCreateInfo create = {.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                     .buffer = window->buffer,
                                     .format = formats[dtype],
                                     .offset = window->offset,
                                     .range = window->range};
    VK_FILL(view, vk->fn.vkCreateBufferView(vk->device, &create, NULL, view));
    c->views[c->num_views++] = *view;
error:
    return vr;
}

static enum fum_dtype texel_type(const struct fum_kernel_desc *desc, uint32_t binding) {
    if (desc->texels >> (FUM_TEXELS_F32 + binding) & 1) return FUM_F32;
    return desc->texels >> (FUM_TEXELS_F16 + binding) & 1 ? FUM_F16 : desc->shader->dtype;
}

static VkResult bind_buffers(struct fum_vk *vk, struct vk_command *c,
                             const struct fum_kernel *kernel, const struct fum_binding *bindings) {
    const struct fum_vk_kernel *k = kernel->impl;
    VkDescriptorSetLayout sets = fum_vk_kernel_sets(kernel);
    uint32_t count = (uint32_t)kernel->desc.num_bindings;
    VkDescriptorSet set = VK_NULL_HANDLE;
    VkResult vr = VK_SUCCESS;
    if (!count) return VK_SUCCESS;
    if (!c->sets_left) VK(add_pool(vk, c));
    VkDescriptorSetAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                            .descriptorPool = c->sets[c->num_sets - 1],
                                            .descriptorSetCount = 1,
                                            .pSetLayouts = &sets};
    VK_FILL(&set, vk->fn.vkAllocateDescriptorSets(vk->device, &allocate, &set));
    c->sets_left--;
    VkDescriptorBufferInfo infos[FUM_MAX_BINDINGS];
    VkBufferView views[FUM_MAX_BINDINGS];
    VkWriteDescriptorSet writes[FUM_MAX_BINDINGS];
    for (uint32_t i = 0; i < count; i++) {
        bool texels = kernel->desc.texels >> i & 1;
        infos[i] = buffer_info(&bindings[i]);
        if (texels) vr = add_view(vk, c, texel_type(&kernel->desc, i), &infos[i], &views[i]);
        if (vr < 0) goto error;
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstSet = set,
                                           .dstBinding = i,
                                           .descriptorCount = 1,
                                           .descriptorType =
                                               texels ? VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER
                                                      : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &infos[i],
                                           .pTexelBufferView = &views[i]};
    }
    vk->fn.vkUpdateDescriptorSets(vk->device, count, writes, 0, NULL);
    vk->fn.vkCmdBindDescriptorSets(c->commands, VK_PIPELINE_BIND_POINT_COMPUTE, k->layout, 0, 1,
                                   &set, 0, NULL);
error:
    return vr;
}

enum fum_result fum_vk_dispatch(fum_command *command, const struct fum_kernel_call *call,
                                struct fum_error *err) {
    struct fum_vk *vk = fum_vk_of(command->device);
    struct vk_command *c = command->impl;
    const struct fum_kernel_desc *desc = &call->kernel->desc;
    const struct fum_vk_kernel *k = call->kernel->impl;
    VkResult vr = bind_buffers(vk, c, call->kernel, call->bindings);
    if (vr < 0) return fum_vk_error(err, vr, call->label, "recording");
    vk->fn.vkCmdBindPipeline(c->commands, VK_PIPELINE_BIND_POINT_COMPUTE, k->vk_pipeline);
    if (desc->num_push)
        vk->fn.vkCmdPushConstants(c->commands, k->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                                  (uint32_t)desc->num_push * 4, call->push);
    vk->fn.vkCmdDispatch(c->commands, call->groups[0], call->groups[1], call->groups[2]);
    return FUM_OK;
}

void fum_vk_copy(fum_command *command, const struct fum_buffer_copy *copy) {
    struct fum_vk *vk = fum_vk_of(command->device);
    struct vk_command *c = command->impl;
    const struct fum_vk_buffer *src = copy->src->impl, *dst = copy->dst->impl;
    VkBufferCopy region = {
        .srcOffset = copy->src_offset, .dstOffset = copy->dst_offset, .size = copy->bytes};
    vk->fn.vkCmdCopyBuffer(c->commands, src->buffer, dst->buffer, 1, &region);
}

enum fum_result fum_vk_timestamp(fum_command *command, int index, struct fum_error *err) {
    struct fum_vk *vk = fum_vk_of(command->device);
    struct vk_command *c = command->impl;
    VkResult vr = VK_SUCCESS;
    if (!c->queries) {
        VkQueryPoolCreateInfo create = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                        .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                        .queryCount = FUM_TIMESTAMPS};
        VK_FILL(&c->queries, vk->fn.vkCreateQueryPool(vk->device, &create, NULL, &c->queries));
        vk->fn.vkCmdResetQueryPool(c->commands, c->queries, 0, FUM_TIMESTAMPS);
    }
    vk->fn.vkCmdWriteTimestamp(c->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, c->queries,
                               (uint32_t)index);
    return FUM_OK;
error:
    return fum_vk_error(err, vr, command->label, "recording a timestamp");
}

enum fum_result fum_vk_read_timestamp(fum_command *command, int index, uint64_t *ticks,
                                      struct fum_error *err) {
    struct fum_vk *vk = fum_vk_of(command->device);
    struct vk_command *c = command->impl;
    VkResult vr = VK_SUCCESS;
    VK_FILL(ticks,
            vk->fn.vkGetQueryPoolResults(vk->device, c->queries, (uint32_t)index, 1, sizeof *ticks,
                                         ticks, sizeof *ticks, VK_QUERY_RESULT_64_BIT));
    if (vr == VK_NOT_READY)
        return fum_error_set(err, FUM_ERR_ARG,
                             "%s: timestamp %d read before the submission finished", command->label,
                             index);
    return FUM_OK;
error:
    return fum_vk_error(err, vr, command->label, "reading a timestamp");
}

enum fum_result fum_vk_end(fum_command *command, struct fum_error *err) {
    struct fum_vk *vk = fum_vk_of(command->device);
    struct vk_command *c = command->impl;
    VkResult vr = VK_SUCCESS;
    fum_vk_full_barrier(vk, c->commands, true);
    VK(vk->fn.vkEndCommandBuffer(c->commands));
    return FUM_OK;
error:
    return fum_vk_error(err, vr, command->label, "ending the recording");
}

enum fum_result fum_vk_command_submit(fum_command *command, uint64_t *ticket,
                                      struct fum_error *err) {
    struct vk_command *c = command->impl;
    VkResult vr = fum_vk_submit(fum_vk_of(command->device), c->commands, command->label, ticket);
    return vr < 0 ? fum_vk_error(err, vr, command->label, "submitting") : FUM_OK;
}
