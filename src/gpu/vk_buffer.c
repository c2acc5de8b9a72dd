// SPDX-License-Identifier: MIT
// Buffers in Vulkan memory and the staging ring: two halves of FUM_STAGING_BYTES, so that one is
// filled while the other is copied.
#include "gpu/vk.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/macros.h"

#include <stdio.h>
#include <string.h>

enum fum_result fum_vk_buffer_create(fum_buffer *buffer, struct fum_error *err) {
    fum_device *device = buffer->device;
    struct fum_vk *vk = fum_vk_of(device);
    struct fum_vk_buffer *b = buffer->impl = fum_calloc(1, sizeof *b);
    if (!b) return fum_error_set(err, FUM_ERR_NOMEM, "buffer %s: no host memory", buffer->label);
    enum fum_vk_memory kind = fum_vk_memory_kind(device, buffer->use);
    const struct fum_vk_memory_params params = {.bytes = buffer->bytes + buffer->slack,
                                                .kind = kind,
                                                .map = kind == FUM_VK_MEMORY_DEVICE ? NULL
                                                                                    : &buffer->map};
    VkResult vr = fum_vk_memory_create(vk, &params, &b->buffer, &b->memory);
    if (vr >= 0) return FUM_OK;
    char doing[128];
    snprintf(doing, sizeof doing, "allocating %llu bytes beside %llu in use",
             (unsigned long long)buffer->bytes, (unsigned long long)fum_device_memory_used(device));
    return fum_vk_error(err, vr, buffer->label, doing);
}

static void give_slot(struct fum_vk *vk, struct fum_vk_slot *slot) {
    pthread_mutex_lock(&vk->staging_lock);
    slot->user = NULL;
    pthread_cond_signal(&vk->staging_free);
    pthread_mutex_unlock(&vk->staging_lock);
}

void fum_vk_buffer_destroy(fum_buffer *buffer) {
    struct fum_vk_buffer *b = buffer->impl;
    struct fum_vk *vk = fum_vk_of(buffer->device);
    if (!b) return;
    if (b->slot) give_slot(vk, b->slot); // an upload that never ended
    if (atomic_load(&vk->lost) || fum_vk_wait(vk, b->ticket, NULL) < 0) fum_vk_idle(vk);
    fum_vk_memory_destroy(vk, &b->buffer, &b->memory);
    fum_free(b);
    buffer->impl = NULL;
}

static VkResult make_slot(struct fum_vk *vk, struct fum_vk_slot *slot) {
    VkResult vr = VK_SUCCESS;
    const struct fum_vk_memory_params params = {
        .bytes = FUM_STAGING_BYTES, .kind = FUM_VK_MEMORY_HOST, .map = &slot->map};
    if (!slot->buffer) VK(fum_vk_memory_create(vk, &params, &slot->buffer, &slot->memory));
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .queueFamilyIndex = vk->family};
    if (!slot->pool)
        VK_FILL(&slot->pool, vk->fn.vkCreateCommandPool(vk->device, &pool, NULL, &slot->pool));
    VkCommandBufferAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                            .commandPool = slot->pool,
                                            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                            .commandBufferCount = 1};
    if (!slot->commands)
        VK_FILL(&slot->commands,
                vk->fn.vkAllocateCommandBuffers(vk->device, &allocate, &slot->commands));
error:
    return vr;
}

void fum_vk_staging_destroy(struct fum_vk *vk) {
    for (int i = 0; i < FUM_VK_SLOTS; i++) {
        fum_vk_memory_destroy(vk, &vk->slots[i].buffer, &vk->slots[i].memory);
        vk->fn.vkDestroyCommandPool(vk->device, vk->slots[i].pool, NULL);
    }
}

// Takes the free slot whose last copy is oldest, sleeping until one is free, and waits for that
// copy.
static VkResult take_slot(struct fum_vk *vk, fum_buffer *user, struct fum_vk_slot **out) {
    VkResult vr = VK_SUCCESS;
    struct fum_vk_slot *slot = NULL;
    pthread_mutex_lock(&vk->staging_lock);
    for (;;) {
        for (int i = 0; i < FUM_VK_SLOTS; i++) {
            struct fum_vk_slot *s = &vk->slots[i];
            if (!s->user && (!slot || s->ticket < slot->ticket)) slot = s;
        }
        if (slot) break;
        pthread_cond_wait(&vk->staging_free, &vk->staging_lock);
    }
    slot->user = user;
    pthread_mutex_unlock(&vk->staging_lock);
    VK(make_slot(vk, slot));
    VK(fum_vk_wait(vk, slot->ticket, NULL));
    *out = slot;
    return VK_SUCCESS;
error:
    give_slot(vk, slot);
    *out = NULL;
    return vr;
}

// A transfer between host memory and a buffer, in pieces that fit a slot.
struct transfer {
    fum_buffer *buffer;
    bool back;       // from the buffer
    char *data;      // host memory; not written unless `back`
    uint64_t offset; // in the buffer
};

// Starts a copy of `bytes` bytes between the slot and the buffer.
static VkResult start_copy(struct fum_vk *vk, struct fum_vk_slot *slot, const struct transfer *t,
                           uint64_t bytes) {
    struct fum_vk_buffer *b = t->buffer->impl;
    VkResult vr = VK_SUCCESS;
    VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                      .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    VkBufferCopy in = {.dstOffset = t->offset, .size = bytes};
    VkBufferCopy out = {.srcOffset = t->offset, .size = bytes};
    VK(vk->fn.vkResetCommandPool(vk->device, slot->pool, 0));
    VK(vk->fn.vkBeginCommandBuffer(slot->commands, &begin));
    fum_vk_full_barrier(vk, slot->commands, false);
    if (t->back)
        vk->fn.vkCmdCopyBuffer(slot->commands, b->buffer, slot->buffer, 1, &out);
    else
        vk->fn.vkCmdCopyBuffer(slot->commands, slot->buffer, b->buffer, 1, &in);
    fum_vk_full_barrier(vk, slot->commands, true);
    VK(vk->fn.vkEndCommandBuffer(slot->commands));
    VK(fum_vk_submit(vk, slot->commands, t->buffer->label, &slot->ticket));
    b->ticket = slot->ticket; // should the caller fail to wait, its destruction will
error:
    return vr;
}

// Moves the next `bytes` bytes through a slot. Those that are read are there on return.
static VkResult move_piece(struct fum_vk *vk, const struct transfer *t, uint64_t bytes) {
    struct fum_vk_slot *slot = NULL;
    VkResult vr = take_slot(vk, t->buffer, &slot);
    if (vr < 0) return vr;
    if (!t->back) memcpy(slot->map, t->data, (size_t)bytes);
    vr = start_copy(vk, slot, t, bytes);
    if (vr >= 0 && t->back) vr = fum_vk_wait(vk, slot->ticket, NULL);
    if (vr >= 0 && t->back) memcpy(t->data, slot->map, (size_t)bytes);
    give_slot(vk, slot);
    return vr;
}

static VkResult move_bytes(struct fum_vk *vk, struct transfer t, uint64_t bytes) {
    VkResult vr = VK_SUCCESS;
    while (bytes && vr >= 0) {
        uint64_t piece = FUM_MIN(bytes, (uint64_t)FUM_STAGING_BYTES);
        vr = move_piece(vk, &t, piece);
        t.data += piece;
        t.offset += piece;
        bytes -= piece;
    }
    return vr;
}

enum fum_result fum_vk_upload_begin(fum_buffer *buffer, void **where, struct fum_error *err) {
    struct fum_vk_buffer *b = buffer->impl;
    VkResult vr = take_slot(fum_vk_of(buffer->device), buffer, &b->slot);
    if (vr < 0) return fum_vk_error(err, vr, buffer->label, "preparing an upload");
    *where = b->slot->map;
    return FUM_OK;
}

enum fum_result fum_vk_upload_end(fum_buffer *buffer, struct fum_error *err) {
    struct fum_vk_buffer *b = buffer->impl;
    struct fum_vk *vk = fum_vk_of(buffer->device);
    VkResult vr = VK_SUCCESS;
    struct transfer upload = {.buffer = buffer, .offset = buffer->upload_offset};
    if (buffer->upload_bytes) vr = start_copy(vk, b->slot, &upload, buffer->upload_bytes);
    give_slot(vk, b->slot);
    b->slot = NULL;
    return vr < 0 ? fum_vk_error(err, vr, buffer->label, "uploading") : FUM_OK;
}

enum fum_result fum_vk_buffer_write(fum_buffer *buffer, uint64_t offset, const void *data,
                                    uint64_t bytes, struct fum_error *err) {
    struct fum_vk *vk = fum_vk_of(buffer->device);
    struct transfer write = {.buffer = buffer, .data = (char *)data, .offset = offset};
    VkResult vr = move_bytes(vk, write, bytes);
    if (vr >= 0) vr = fum_vk_wait(vk, ((struct fum_vk_buffer *)buffer->impl)->ticket, NULL);
    return vr < 0 ? fum_vk_error(err, vr, buffer->label, "uploading") : FUM_OK;
}

enum fum_result fum_vk_buffer_read(fum_buffer *buffer, uint64_t offset, void *data, uint64_t bytes,
                                   struct fum_error *err) {
    struct fum_vk *vk = fum_vk_of(buffer->device);
    struct transfer read = {.buffer = buffer, .back = true, .data = data, .offset = offset};
    VkResult vr = move_bytes(vk, read, bytes);
    return vr < 0 ? fum_vk_error(err, vr, buffer->label, "reading back") : FUM_OK;
}
