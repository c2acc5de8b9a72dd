// SPDX-License-Identifier: MIT
// Declares what Vulkan headers before 1.3.255 (cooperative matrix) and 1.4.311 (bfloat16) lack. So
// a build on an older system still finds both on a newer driver.
#ifndef FUM_GPU_VK_MATRIX_H
#define FUM_GPU_VK_MATRIX_H

#include <volk.h>

enum {
    FUM_VK_MATRIX_FEATURES = 1000506000, // VkStructureType
    FUM_VK_MATRIX_PROPERTIES = 1000506001,
    FUM_VK_BFLOAT16_FEATURES = 1000141000,
};
// VkComponentTypeKHR and VkScopeKHR.
enum {
    FUM_VK_COMPONENT_FLOAT16 = 0,
    FUM_VK_COMPONENT_FLOAT32 = 1,
    FUM_VK_COMPONENT_SINT8 = 3,
    FUM_VK_COMPONENT_SINT32 = 5,
    FUM_VK_COMPONENT_BFLOAT16 = 1000141000,
    FUM_VK_SCOPE_SUBGROUP = 3,
};

struct fum_vk_matrix_features { // VkPhysicalDeviceCooperativeMatrixFeaturesKHR
    VkStructureType sType;
    void *pNext;
    VkBool32 cooperativeMatrix, cooperativeMatrixRobustBufferAccess;
};
struct fum_vk_bfloat16_features { // VkPhysicalDeviceShaderBfloat16FeaturesKHR
    VkStructureType sType;
    void *pNext;
    VkBool32 shaderBFloat16Type, shaderBFloat16DotProduct, shaderBFloat16CooperativeMatrix;
};
struct fum_vk_matrix_properties { // VkCooperativeMatrixPropertiesKHR
    VkStructureType sType;
    void *pNext;
    uint32_t MSize, NSize, KSize;
    uint32_t AType, BType, CType, ResultType;
    VkBool32 saturatingAccumulation;
    uint32_t scope;
};
typedef VkResult(VKAPI_PTR *fum_vk_get_matrix_properties)(
    VkPhysicalDevice physical, uint32_t *count, struct fum_vk_matrix_properties *properties);

#endif
