// SPDX-License-Identifier: MIT
// Checks which memory a buffer gets, and so which heap has the budget: heaps of equal size do not
// matter.
#include "silu.h"

#include "gpu/vk.h"

enum {
    LOCAL = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
    HOST = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
    CACHED = VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
    ALL = (1 << 8) - 1,
};

static int heap_of(const VkPhysicalDeviceMemoryProperties *memory, uint32_t bits,
                   enum fum_vk_memory kind) {
    int type = fum_vk_memory_type(memory, bits, kind);
    return type < 0 ? -1 : (int)memory->memoryTypes[type].heapIndex;
}

static void equal_heaps_do_not_matter(void **state) {
    (void)state;
    // Two device-local heaps of one size: the second is one that the host can see.
    const VkPhysicalDeviceMemoryProperties twins = {
        .memoryTypeCount = 4,
        .memoryTypes = {{LOCAL, 0}, {HOST, 1}, {LOCAL | HOST, 2}, {HOST | CACHED, 1}},
        .memoryHeapCount = 3,
        .memoryHeaps = {{8 << 20, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT},
                        {16 << 20, 0},
                        {8 << 20, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT}}};
    assert_int_equal(heap_of(&twins, ALL, FUM_VK_MEMORY_DEVICE), 0);
    assert_int_equal(heap_of(&twins, ALL, FUM_VK_MEMORY_DEVICE_MAPPED), 2);
    assert_int_equal(heap_of(&twins, ALL, FUM_VK_MEMORY_HOST), 1);
    // cached, as it is read back
    assert_int_equal(fum_vk_memory_type(&twins, ALL, FUM_VK_MEMORY_HOST), 3);
    // Types that a buffer may not have count for nothing.
    assert_int_equal(heap_of(&twins, ALL & ~1u, FUM_VK_MEMORY_DEVICE), 2);
    assert_int_equal(heap_of(&twins, 1, FUM_VK_MEMORY_HOST), -1);
}

// What the device states, or what is taken where it states nothing, is within a heap.
static void the_budget_is_within_a_heap(void **state) {
    (void)state;
    struct fum_error err = {0};
    fum_device *device = NULL;
    need_device();
    if (fum_device_create(&device, &(struct fum_device_params){.validate = true}, &err))
        fail_msg("%s", err.text);
    struct fum_vk *vk = fum_vk_of(device);
    uint64_t most = 0;
    for (uint32_t i = 0; i < vk->memory.memoryHeapCount; i++)
        if (vk->memory.memoryHeaps[i].size > most) most = vk->memory.memoryHeaps[i].size;
    for (int listed = device->info.memory_budget; listed >= 0; listed--) {
        bool stated;
        device->info.memory_budget = listed;
        uint64_t bytes = fum_device_memory_budget(device, &stated);
        assert_true(bytes > 0 && bytes <= most);
        assert_true(listed || !stated);
    }
    // It is the heap of the type that is allocated from, not the largest one.
    const uint64_t small = vk->memory.memoryHeaps[0].size / 8 * 4, last = VK_MAX_MEMORY_HEAPS - 1;
    bool stated;
    vk->memory.memoryHeaps[last] = (VkMemoryHeap){small, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
    for (uint32_t i = 0; i < vk->memory.memoryTypeCount; i++)
        vk->memory.memoryTypes[i].heapIndex = (uint32_t)last;
    assert_true(fum_device_memory_budget(device, &stated) == small - small / 4);
    assert_int_equal(fum_device_validation_messages(device), 0);
    fum_device_destroy(&device);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equal_heaps_do_not_matter),
                                       cmocka_unit_test(the_budget_is_within_a_heap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
