// SPDX-License-Identifier: MIT
// The loader, the instance, and the messages of the validation layer.
#include "gpu/vk.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

// volk keeps the loader's pointers for the whole process, so this lock does too.
static pthread_mutex_t loader_lock = PTHREAD_MUTEX_INITIALIZER;

static const char no_driver_advice[] =
    "install your GPU's Vulkan driver, or mesa-vulkan-drivers to run on the CPU (lavapipe)";

void fum_vk_load_device(const struct fum_vk_instance *instance, VkDevice device,
                        struct VolkDeviceTable *table) {
    pthread_mutex_lock(&loader_lock);
    vkGetDeviceProcAddr = instance->GetDeviceProcAddr;
    volkLoadDeviceTable(table, device);
    pthread_mutex_unlock(&loader_lock);
}

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                 VkDebugUtilsMessageTypeFlagsEXT types,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data,
                                                 void *user) {
    struct fum_vk_instance *instance = user;
    if (types & VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT)
        atomic_fetch_add(&instance->messages, 1);
    bool bad = severity & VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
    fum_log(&instance->log, bad ? FUM_LOG_ERROR : FUM_LOG_WARN, "validation: %s", data->pMessage);
    return VK_FALSE;
}

static bool has_extension(const char *layer, const char *name) {
    uint32_t count = 0;
    if (FUM_VK_FILL(&count, vkEnumerateInstanceExtensionProperties(layer, &count, NULL)) < 0 ||
        !count)
        return false;
    VkExtensionProperties *list = fum_calloc(count, sizeof *list);
    bool found = false;
    if (list &&
        FUM_VK_FILL(&count, vkEnumerateInstanceExtensionProperties(layer, &count, list)) >= 0)
        for (uint32_t i = 0; i < count && !found; i++) found = !strcmp(list[i].extensionName, name);
    fum_free(list);
    return found;
}

static bool has_layer(const char *name) {
    uint32_t count = 0;
    if (FUM_VK_FILL(&count, vkEnumerateInstanceLayerProperties(&count, NULL)) < 0 || !count)
        return false;
    VkLayerProperties *list = fum_calloc(count, sizeof *list);
    bool found = false;
    if (list && FUM_VK_FILL(&count, vkEnumerateInstanceLayerProperties(&count, list)) >= 0)
        for (uint32_t i = 0; i < count && !found; i++) found = !strcmp(list[i].layerName, name);
    fum_free(list);
    return found;
}

static bool load_functions(struct fum_vk_instance *instance) {
    bool all = true;
#define LOAD(name)                                                                  \
    instance->name = (PFN_vk##name)vkGetInstanceProcAddr(instance->vk, "vk" #name); \
    all = all && instance->name;
    FUM_VK_INSTANCE_FUNCTIONS(LOAD)
#undef LOAD
    instance->CreateDebugUtilsMessengerEXT =
        (PFN_vkCreateDebugUtilsMessengerEXT)vkGetInstanceProcAddr(instance->vk,
                                                                  "vkCreateDebugUtilsMessengerEXT");
    instance->GetMatrixProperties = (fum_vk_get_matrix_properties)vkGetInstanceProcAddr(
        instance->vk, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    instance->DestroyDebugUtilsMessengerEXT =
        (PFN_vkDestroyDebugUtilsMessengerEXT)vkGetInstanceProcAddr(
            instance->vk, "vkDestroyDebugUtilsMessengerEXT");
    return all;
}

static VkResult create_vk(struct fum_vk_instance *instance, bool validate) {
    static const char *const layers[] = {"VK_LAYER_KHRONOS_validation"};
    const char *extensions[4];
    uint32_t num_extensions = 0;
    VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                             .pApplicationName = "fumarole",
                             .pEngineName = "fumarole",
                             .apiVersion = instance->api};
    VkDebugUtilsMessengerCreateInfoEXT messenger = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                       VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
        .pfnUserCallback = on_message,
        .pUserData = instance,
    };
    static const VkValidationFeatureEnableEXT sync =
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                        .pNext = &messenger,
                                        .enabledValidationFeatureCount = 1,
                                        .pEnabledValidationFeatures = &sync};
    VkInstanceCreateInfo create = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                   .pApplicationInfo = &app};
    if (validate) {
        extensions[num_extensions++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
        extensions[num_extensions++] = VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME;
        create.pNext = &features;
        create.enabledLayerCount = 1;
        create.ppEnabledLayerNames = layers;
    }
#ifdef VK_KHR_portability_enumeration // without it MoltenVK is not listed
    if (has_extension(NULL, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME)) {
        extensions[num_extensions++] = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
        create.flags |= VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
    }
#endif
    create.enabledExtensionCount = num_extensions;
    create.ppEnabledExtensionNames = extensions;
    VkResult vr = FUM_VK_FILL(&instance->vk, vkCreateInstance(&create, NULL, &instance->vk));
    if (vr || !load_functions(instance)) return vr ? vr : VK_ERROR_INCOMPATIBLE_DRIVER;
    messenger.pNext = NULL;
    if (validate && instance->CreateDebugUtilsMessengerEXT)
        vr = FUM_VK_FILL(&instance->messenger,
                         instance->CreateDebugUtilsMessengerEXT(instance->vk, &messenger, NULL,
                                                                &instance->messenger));
    return vr;
}

enum fum_result fum_vk_instance_create(struct fum_vk_instance **out, bool validate,
                                       const struct fum_log *log, struct fum_error *err) {
    *out = NULL;
    pthread_mutex_lock(&loader_lock);
    VkResult vr = vkGetInstanceProcAddr ? VK_SUCCESS : volkInitialize();
    uint32_t api = vr ? 0 : volkGetInstanceVersion();
    pthread_mutex_unlock(&loader_lock);
    if (vr)
        return fum_error_set(err, FUM_ERR_DEVICE, "no Vulkan loader (libvulkan) found; %s",
                             no_driver_advice);
    if (api < VK_API_VERSION_1_1)
        return fum_error_set(err, FUM_ERR_DEVICE,
                             "the Vulkan loader is of version 1.0; update it: 1.1 is needed");
    if (validate && !has_layer("VK_LAYER_KHRONOS_validation"))
        return fum_error_set(
            err, FUM_ERR_UNSUPPORTED,
            "no Khronos validation layer found; install vulkan-validationlayers or do without");
    struct fum_vk_instance *instance = fum_calloc(1, sizeof *instance);
    if (!instance) return fum_error_set(err, FUM_ERR_NOMEM, "no host memory for a Vulkan instance");
    if (log) instance->log = *log;
    instance->api = api < VK_API_VERSION_1_3 ? api : VK_API_VERSION_1_3;
    vr = create_vk(instance, validate);
    if (vr) {
        fum_vk_instance_destroy(&instance);
        if (vr == VK_ERROR_INCOMPATIBLE_DRIVER)
            return fum_error_set(err, FUM_ERR_DEVICE, "no Vulkan driver found; %s",
                                 no_driver_advice);
        return fum_vk_error(err, vr, "Vulkan", "making an instance");
    }
    *out = instance;
    return FUM_OK;
}

void fum_vk_instance_destroy(struct fum_vk_instance **instance) {
    if (!instance || !*instance) return;
    struct fum_vk_instance *i = *instance;
    if (i->messenger) i->DestroyDebugUtilsMessengerEXT(i->vk, i->messenger, NULL);
    if (i->vk && i->DestroyInstance) i->DestroyInstance(i->vk, NULL);
    fum_free(i);
    *instance = NULL;
}

enum fum_result fum_vk_instance_devices(const struct fum_vk_instance *instance,
                                        VkPhysicalDevice **list, int *count,
                                        struct fum_error *err) {
    *list = NULL;
    *count = 0;
    uint32_t n = 0;
    VkResult vr = FUM_VK_FILL(&n, instance->EnumeratePhysicalDevices(instance->vk, &n, NULL));
    // The loader returns INITIALIZATION_FAILED if no driver finds a device that it supports.
    if (vr < 0 && vr != VK_ERROR_INITIALIZATION_FAILED)
        return fum_vk_error(err, vr, "Vulkan", "listing devices");
    if (!n)
        return fum_error_set(err, FUM_ERR_DEVICE, "no Vulkan device found; %s", no_driver_advice);
    VkPhysicalDevice *devices = fum_calloc(n, sizeof *devices);
    if (!devices) return fum_error_set(err, FUM_ERR_NOMEM, "no host memory to list %u devices", n);
    vr = FUM_VK_FILL(&n, instance->EnumeratePhysicalDevices(instance->vk, &n, devices));
    if (vr < 0) {
        fum_free(devices);
        return fum_vk_error(err, vr, "Vulkan", "listing devices");
    }
    *list = devices;
    *count = (int)n;
    return FUM_OK;
}
