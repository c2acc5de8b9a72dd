// SPDX-License-Identifier: MIT
// SPIR-V to VkPipeline.
#include "gpu/vk.h"

#include "base/alloc.h"
#include "base/error.h"

#include <stdio.h>

VkResult fum_vk_make_sets(struct fum_vk *vk, uint32_t count, uint32_t texels,
                          VkDescriptorSetLayout *sets) {
    VkDescriptorSetLayoutBinding bindings[FUM_MAX_BINDINGS];
    for (uint32_t i = 0; i < count; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
            .descriptorType = texels >> i & 1 ? VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER
                                              : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER};
    VkDescriptorSetLayoutCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = count,
        .pBindings = bindings};
    VkResult vr = VK_SUCCESS;
    VK_FILL(sets, vk->fn.vkCreateDescriptorSetLayout(vk->device, &create, NULL, sets));
error:
    return vr;
}

VkDescriptorSetLayout fum_vk_kernel_sets(const fum_kernel *kernel) {
    const struct fum_vk_kernel *k = kernel->impl;
    return k->own_sets ? k->own_sets
                       : fum_vk_of(kernel->device)->layouts[kernel->desc.num_bindings];
}

enum fum_result fum_vk_kernel_create(fum_kernel *kernel, struct fum_error *err) {
    struct fum_vk *vk = fum_vk_of(kernel->device);
    const struct fum_kernel_desc *desc = &kernel->desc;
    VkResult vr = VK_ERROR_OUT_OF_HOST_MEMORY;
    VkShaderModule module = VK_NULL_HANDLE;
    struct fum_vk_kernel *k = kernel->impl = fum_calloc(1, sizeof *k);
    if (!k) goto error;
    VkShaderModuleCreateInfo shader = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                       .codeSize = desc->shader->bytes,
                                       .pCode = desc->shader->words};
    VK_FILL(&module, vk->fn.vkCreateShaderModule(vk->device, &shader, NULL, &module));
    VkPushConstantRange push = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                                .size = (uint32_t)desc->num_push * 4};
    if (desc->texels) {
        vr = fum_vk_make_sets(vk, (uint32_t)desc->num_bindings, desc->texels, &k->own_sets);
        if (vr < 0) goto error;
    }
    VkDescriptorSetLayout sets = fum_vk_kernel_sets(kernel);
    VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                         .setLayoutCount = 1,
                                         .pSetLayouts = &sets,
                                         .pushConstantRangeCount = desc->num_push ? 1 : 0,
                                         .pPushConstantRanges = &push};
    VK_FILL(&k->layout, vk->fn.vkCreatePipelineLayout(vk->device, &layout, NULL, &k->layout));
    VkSpecializationMapEntry entries[FUM_MAX_SPEC];
    for (uint32_t i = 0; i < (uint32_t)desc->num_spec; i++)
        entries[i] = (VkSpecializationMapEntry){.constantID = i, .offset = i * 4, .size = 4};
    VkSpecializationInfo spec = {.mapEntryCount = (uint32_t)desc->num_spec,
                                 .pMapEntries = entries,
                                 .dataSize = (size_t)desc->num_spec * 4,
                                 .pData = desc->spec};
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = desc->subgroup};
    VkComputePipelineCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .pNext = desc->subgroup ? &subgroup : NULL,
                  .flags = desc->subgroup
                               ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT
                               : 0,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = &spec},
        .flags = vk->statistics ? VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR : 0,
        .layout = k->layout,
    };
    VK_FILL(&k->vk_pipeline, vk->fn.vkCreateComputePipelines(vk->device, vk->cache, 1, &create,
                                                             NULL, &k->vk_pipeline));
    vr = VK_ERROR_UNKNOWN;
    if (!k->vk_pipeline) goto error; // some drivers return none and VK_SUCCESS
    vk->fn.vkDestroyShaderModule(vk->device, module, NULL);
    atomic_fetch_add(&vk->compiled, 1);
    return FUM_OK;
error:
    if (module) vk->fn.vkDestroyShaderModule(vk->device, module, NULL);
    return fum_vk_error(err, vr, desc->shader->name, "compiling the kernel");
}

void fum_vk_kernel_destroy(fum_kernel *kernel) {
    struct fum_vk *vk = fum_vk_of(kernel->device);
    struct fum_vk_kernel *k = kernel->impl;
    if (!k) return;
    vk->fn.vkDestroyPipeline(vk->device, k->vk_pipeline, NULL);
    vk->fn.vkDestroyPipelineLayout(vk->device, k->layout, NULL);
    vk->fn.vkDestroyDescriptorSetLayout(vk->device, k->own_sets, NULL);
    fum_free(k);
    kernel->impl = NULL;
}

static double statistic_value(const VkPipelineExecutableStatisticKHR *s) {
    switch (s->format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR: return s->value.b32;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR: return (double)s->value.i64;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR: return (double)s->value.u64;
    default: return s->value.f64;
    }
}

// Reads the first executable: a compute pipeline has one, or one for each subgroup size that the
// driver may choose.
enum fum_result fum_vk_kernel_statistics(const fum_kernel *kernel,
                                         struct fum_kernel_statistic *list, int most, int *count,
                                         struct fum_error *err) {
    struct fum_vk *vk = fum_vk_of(kernel->device);
    const struct fum_vk_kernel *k = kernel->impl;
    VkPipelineExecutableInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                        .pipeline = k->vk_pipeline};
    VkPipelineExecutableStatisticKHR *items = NULL;
    VkResult vr = VK_SUCCESS;
    uint32_t n = 0;
    *count = 0;
    if (!vk->statistics) return FUM_OK;
    VK_FILL(&n, vk->fn.vkGetPipelineExecutableStatisticsKHR(vk->device, &info, &n, NULL));
    vr = VK_ERROR_OUT_OF_HOST_MEMORY;
    if (!(items = fum_calloc(n ? n : 1, sizeof *items))) goto error;
    for (uint32_t i = 0; i < n; i++)
        items[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    VK_FILL(&n, vk->fn.vkGetPipelineExecutableStatisticsKHR(vk->device, &info, &n, items));
    for (uint32_t i = 0; i < n && *count < most; i++) {
        struct fum_kernel_statistic *s = &list[(*count)++];
        snprintf(s->name, sizeof s->name, "%.63s", items[i].name);
        s->value = statistic_value(&items[i]);
    }
    fum_free(items);
    return FUM_OK;
error:
    fum_free(items);
    return fum_vk_error(err, vr, kernel->desc.shader->name, "reading its statistics");
}
