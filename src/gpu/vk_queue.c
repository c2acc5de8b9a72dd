// SPDX-License-Identifier: MIT
// Submits commands and waits for them: by a timeline semaphore whose value is the ticket, or else
// by a fence per submission. Waiting sleeps in the driver.
#include "gpu/vk.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

// ---- with vk->lock held ----

static VkResult take_fence(struct fum_vk *vk, VkFence *fence) {
    VkResult vr = VK_SUCCESS;
    *fence = VK_NULL_HANDLE;
    if (vk->num_fences) {
        *fence = vk->fences[--vk->num_fences];
        return VK_SUCCESS;
    }
    VkFenceCreateInfo create = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VK_FILL(fence, vk->fn.vkCreateFence(vk->device, &create, NULL, fence));
error:
    return vr;
}

static void give_fence(struct fum_vk *vk, VkFence fence) {
    if (!fence) return;
    void *items = vk->fences;
    if (vk->fn.vkResetFences(vk->device, 1, &fence) == VK_SUCCESS &&
        fum_grow(&items, &vk->fence_capacity, vk->num_fences, sizeof *vk->fences)) {
        vk->fences = items;
        vk->fences[vk->num_fences++] = fence;
    } else {
        vk->fn.vkDestroyFence(vk->device, fence, NULL);
    }
}

// Forgets submissions up to `ticket`, which have finished.
static void retire(struct fum_vk *vk, uint64_t ticket) {
    size_t n = 0;
    while (n < vk->num_pending && vk->pending[n].ticket <= ticket)
        give_fence(vk, vk->pending[n++].fence);
    vk->num_pending -= n;
    if (n) memmove(vk->pending, vk->pending + n, vk->num_pending * sizeof *vk->pending);
    if (ticket > vk->done) vk->done = ticket;
}

static void retire_signalled(struct fum_vk *vk) {
    // Not while another thread waits for one of these fences. It takes the locks in the other
    // order, hence try.
    if (pthread_mutex_trylock(&vk->waiting)) return;
    while (vk->num_pending &&
           vk->fn.vkGetFenceStatus(vk->device, vk->pending[0].fence) == VK_SUCCESS)
        retire(vk, vk->pending[0].ticket);
    pthread_mutex_unlock(&vk->waiting);
}

// Forgets what has finished by now, so that the list stays short even if the caller never waits.
static void retire_finished(struct fum_vk *vk) {
    uint64_t value = 0;
    if (vk->num_pending < 64) return;
    if (!vk->timeline) {
        retire_signalled(vk);
        return;
    }
    PFN_vkGetSemaphoreCounterValue get = vk->fn.vkGetSemaphoreCounterValue
                                             ? vk->fn.vkGetSemaphoreCounterValue
                                             : vk->fn.vkGetSemaphoreCounterValueKHR;
    if (get && get(vk->device, vk->timeline, &value) == VK_SUCCESS && value <= vk->ticket)
        retire(vk, value);
}

VkResult fum_vk_submit(struct fum_vk *vk, VkCommandBuffer commands, const char *label,
                       uint64_t *ticket) {
    VkResult vr = VK_SUCCESS;
    VkFence fence = VK_NULL_HANDLE;
    pthread_mutex_lock(&vk->lock);
    uint64_t number = vk->ticket + 1;
    VkTimelineSemaphoreSubmitInfo timeline = {.sType =
                                                  VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                                              .signalSemaphoreValueCount = 1,
                                              .pSignalSemaphoreValues = &number};
    VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                           .commandBufferCount = 1,
                           .pCommandBuffers = &commands};
    if (vk->timeline) {
        submit.pNext = &timeline;
        submit.signalSemaphoreCount = 1;
        submit.pSignalSemaphores = &vk->timeline;
    }
    retire_finished(vk);
    void *items = vk->pending;
    vr = VK_ERROR_OUT_OF_HOST_MEMORY;
    if (!fum_grow(&items, &vk->pending_capacity, vk->num_pending, sizeof *vk->pending)) goto error;
    vk->pending = items;
    if (!vk->timeline) VK(take_fence(vk, &fence));
    VK(vk->fn.vkQueueSubmit(vk->queue, 1, &submit, fence));
    struct fum_vk_submission *s = &vk->pending[vk->num_pending++];
    *s = (struct fum_vk_submission){.ticket = number, .fence = fence};
    fum_label_copy(s->label, label);
    *ticket = vk->ticket = number;
    pthread_mutex_unlock(&vk->lock);
    return VK_SUCCESS;
error:
    give_fence(vk, fence);
    pthread_mutex_unlock(&vk->lock);
    return vr;
}

// Waits for fences in order, oldest first; only one thread at a time, so that none is reset under
// another's wait.
static VkResult wait_fences(struct fum_vk *vk, uint64_t ticket) {
    VkResult vr = VK_SUCCESS;
    pthread_mutex_lock(&vk->waiting);
    for (;;) {
        pthread_mutex_lock(&vk->lock);
        bool due = vk->num_pending && vk->pending[0].ticket <= ticket;
        struct fum_vk_submission first = due ? vk->pending[0] : (struct fum_vk_submission){0};
        pthread_mutex_unlock(&vk->lock);
        if (!due) break;
        VK(vk->fn.vkWaitForFences(vk->device, 1, &first.fence, VK_TRUE, UINT64_MAX));
        pthread_mutex_lock(&vk->lock);
        retire(vk, first.ticket);
        pthread_mutex_unlock(&vk->lock);
    }
error:
    pthread_mutex_unlock(&vk->waiting);
    return vr;
}

static VkResult wait_timeline(struct fum_vk *vk, uint64_t ticket) {
    VkSemaphoreWaitInfo wait = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                .semaphoreCount = 1,
                                .pSemaphores = &vk->timeline,
                                .pValues = &ticket};
    VkResult vr = VK_SUCCESS;
    VK(vk->fn.vkWaitSemaphores(vk->device, &wait, UINT64_MAX));
    pthread_mutex_lock(&vk->lock);
    retire(vk, ticket);
    pthread_mutex_unlock(&vk->lock);
error:
    return vr;
}

VkResult fum_vk_wait(struct fum_vk *vk, uint64_t ticket, char running[FUM_LABEL]) {
    pthread_mutex_lock(&vk->lock);
    bool done = ticket <= vk->done;
    pthread_mutex_unlock(&vk->lock);
    if (done) return VK_SUCCESS;
    VkResult vr = vk->timeline ? wait_timeline(vk, ticket) : wait_fences(vk, ticket);
    if (vr < 0 && running) {
        pthread_mutex_lock(&vk->lock);
        fum_label_copy(running, vk->num_pending ? vk->pending[0].label : "wait");
        pthread_mutex_unlock(&vk->lock);
    }
    return vr;
}

void fum_vk_idle(struct fum_vk *vk) {
    pthread_mutex_lock(&vk->lock);
    vk->fn.vkDeviceWaitIdle(vk->device);
    pthread_mutex_unlock(&vk->lock);
}

enum fum_result fum_vk_device_wait(fum_device *device, uint64_t ticket, struct fum_error *err) {
    struct fum_vk *vk = fum_vk_of(device);
    pthread_mutex_lock(&vk->lock);
    uint64_t last = vk->ticket;
    pthread_mutex_unlock(&vk->lock);
    if (ticket > last)
        return fum_error_set(err, FUM_ERR_ARG, "wait for ticket %llu, but only %llu were given out",
                             (unsigned long long)ticket, (unsigned long long)last);
    char running[FUM_LABEL] = "wait";
    VkResult vr = fum_vk_wait(vk, ticket, running);
    return vr < 0 ? fum_vk_error(err, vr, running, "running on the device") : FUM_OK;
}

// Destroys the fences and the semaphore, after vkDeviceWaitIdle.
void fum_vk_queue_destroy(struct fum_vk *vk) {
    for (size_t i = 0; i < vk->num_pending; i++)
        vk->fn.vkDestroyFence(vk->device, vk->pending[i].fence, NULL);
    for (size_t i = 0; i < vk->num_fences; i++)
        vk->fn.vkDestroyFence(vk->device, vk->fences[i], NULL);
    vk->fn.vkDestroySemaphore(vk->device, vk->timeline, NULL);
    fum_free(vk->pending);
    fum_free(vk->fences);
}
