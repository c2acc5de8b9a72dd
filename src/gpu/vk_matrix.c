// SPDX-License-Identifier: MIT
// Finds the cooperative-matrix products that a device really computes.
#include "gpu/vk.h"

#include "base/alloc.h"
#include "base/macros.h"

enum { AMD = 0x1002, INTEL = 0x8086, POWERVR = 0x1010 };

// True if the driver can do what it lists. AMD's own drivers list the extension on GPUs without
// matrix units, and some crash on an integrated GPU when its properties are queried. Only
// RDNA 3 and later have fast mixed-sign dot products, which identify those with the units here.
// PowerVR's results are wrong. lavapipe 26.2 crashes on the smallest such shader with 512-bit
// vectors.
static bool trusted(const struct fum_vk_instance *instance, VkPhysicalDevice physical,
                    const struct fum_device_info *info) {
    if (info->vendor_id == POWERVR) return false;
    if (info->vendor_id == VK_VENDOR_ID_MESA)
        return info->type != FUM_DEVICE_CPU || info->subgroup_size == 8;
    if (info->vendor_id != AMD || info->api_version < VK_API_VERSION_1_3) return true;
    VkPhysicalDeviceShaderIntegerDotProductProperties dot = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES};
    VkPhysicalDeviceDriverProperties driver = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES, .pNext = &dot};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                       .pNext = &driver};
    instance->GetPhysicalDeviceProperties2(physical, &all);
    if (driver.driverID != VK_DRIVER_ID_AMD_PROPRIETARY &&
        driver.driverID != VK_DRIVER_ID_AMD_OPEN_SOURCE)
        return true;
    return info->type == FUM_DEVICE_DISCRETE &&
           dot.integerDotProduct4x8BitPackedMixedSignednessAccelerated;
}

// Returns the subgroup size for products. The narrow one of AMD has given black images. Intel's
// units are made for the narrowest.
static uint32_t subgroup_size(const struct fum_device_info *info) {
    if (info->vendor_id == AMD) return info->subgroup_max;
    if (info->vendor_id == INTEL) return info->subgroup_min;
    return info->subgroup_size;
}

static void add_shape(struct fum_device_info *info, const struct fum_vk_features *features,
                      const struct fum_vk_matrix_properties *p) {
    const struct {
        uint32_t in, sum;
        bool have;
    } types[] = {
        [FUM_MATRIX_F16] = {FUM_VK_COMPONENT_FLOAT16, FUM_VK_COMPONENT_FLOAT32, info->float16},
        [FUM_MATRIX_BF16] = {FUM_VK_COMPONENT_BFLOAT16, FUM_VK_COMPONENT_FLOAT32,
                             features->bfloat16.shaderBFloat16CooperativeMatrix},
        [FUM_MATRIX_S8] = {FUM_VK_COMPONENT_SINT8, FUM_VK_COMPONENT_SINT32, info->int8},
    };
    const uint32_t most = 1024; // so that sizes of tiles cannot overflow
    if (p->scope != FUM_VK_SCOPE_SUBGROUP || p->AType != p->BType || p->CType != p->ResultType ||
        p->saturatingAccumulation || info->num_matrix == FUM_MAX_MATRIX_SHAPES)
        return;
    if (!p->MSize || !p->NSize || !p->KSize || p->MSize > most || p->NSize > most ||
        p->KSize > most)
        return;
    for (size_t i = 0; i < FUM_COUNT(types); i++)
        if (types[i].have && types[i].in == p->AType && types[i].sum == p->CType)
            info->matrix[info->num_matrix++] =
                (struct fum_matrix_shape){(enum fum_matrix_type)i, (uint16_t)p->MSize,
                                          (uint16_t)p->NSize, (uint16_t)p->KSize};
}

void fum_vk_query_matrix(const struct fum_vk_instance *instance, VkPhysicalDevice physical,
                         const struct fum_vk_features *features, struct fum_device_info *info) {
    // The lanes of a product are one whole subgroup of a known size.
    bool able = info->cooperative_matrix && info->subgroup_control &&
                features->subgroup_control.computeFullSubgroups &&
                info->api_version >= VK_API_VERSION_1_2 && instance->GetMatrixProperties;
    info->cooperative_matrix = false;
    if (!able || !trusted(instance, physical, info)) return;
    uint32_t count = 0;
    if (FUM_VK_FILL(&count, instance->GetMatrixProperties(physical, &count, NULL)) < 0 || !count)
        return;
    struct fum_vk_matrix_properties *list = fum_calloc(count, sizeof *list);
    if (!list) return;
    for (uint32_t i = 0; i < count; i++) list[i].sType = (VkStructureType)FUM_VK_MATRIX_PROPERTIES;
    if (FUM_VK_FILL(&count, instance->GetMatrixProperties(physical, &count, list)) >= 0)
        for (uint32_t i = 0; i < count; i++) add_shape(info, features, &list[i]);
    fum_free(list);
    info->cooperative_matrix = info->num_matrix > 0;
    info->matrix_subgroup = info->num_matrix ? subgroup_size(info) : 0;
}
