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
    // Newer layers leave the rule's name out of the text.
    const char *rule = data->pMessageIdName ? data->pMessageIdName : "";
    bool named = !*rule || strstr(data->pMessage, rule);
    fum_log(&instance->log, bad ? FUM_LOG_ERROR : FUM_LOG_WARN, "validation: %s%s%s",
            named ? "" : rule, named ? "" : ": ", data->pMessage);
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

// VkLayerSettingEXT and VkLayerSettingsCreateInfoEXT, which headers before 1.3.268 lack.
struct layer_setting {
    const char *layer, *name;
    int type; // 0: VkBool32
    uint32_t count;
    const void *values;
};

struct layer_settings {
    VkStructureType type;
    const void *next;
    uint32_t count;
    const struct layer_setting *settings;
};

enum { LAYER_SETTINGS_TYPE = 1000496000 };

static const char validation_layer[] = "VK_LAYER_KHRONOS_validation";
static const char settings_extension[] = "VK_EXT_layer_settings";

// What an instance with the validation layer is created with.
struct validation {
    VkDebugUtilsMessengerCreateInfoEXT messenger;
    struct layer_settings settings;
    VkValidationFeaturesEXT features;
};

// Adds the validation layer with synchronisation validation. Newer layers know what a shader
// accesses only by their heuristic, which is off by default.
static void add_validation(struct validation *v, struct fum_vk_instance *instance,
                           VkInstanceCreateInfo *create, const char **extensions) {
    static const char *const layers[] = {validation_layer};
    static const VkBool32 on = VK_TRUE;
    static const struct layer_setting heuristic = {validation_layer,
                                                   "syncval_shader_accesses_heuristic", 0, 1, &on};
    static const VkValidationFeatureEnableEXT sync =
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    v->messenger = (VkDebugUtilsMessengerCreateInfoEXT){
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                       VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
        .pfnUserCallback = on_message,
        .pUserData = instance,
    };
    v->features = (VkValidationFeaturesEXT){.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                            .pNext = &v->messenger,
                                            .enabledValidationFeatureCount = 1,
                                            .pEnabledValidationFeatures = &sync};
    create->pNext = &v->features;
    create->enabledLayerCount = 1;
    create->ppEnabledLayerNames = layers;
    extensions[create->enabledExtensionCount++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    extensions[create->enabledExtensionCount++] = VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME;
    if (!has_extension(validation_layer, settings_extension)) return;
    v->settings =
        (struct layer_settings){(VkStructureType)LAYER_SETTINGS_TYPE, &v->features, 1, &heuristic};
    create->pNext = &v->settings;
    extensions[create->enabledExtensionCount++] = settings_extension;
}

static VkResult create_vk(struct fum_vk_instance *instance, bool validate) {
    const char *extensions[4];
    struct validation v;
    VkApplicationInfo app = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                             .pApplicationName = "fumarole",
                             .pEngineName = "fumarole",
                             .apiVersion = instance->api};
    VkInstanceCreateInfo create = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                   .pApplicationInfo = &app,
                                   .ppEnabledExtensionNames = extensions};
    if (validate) add_validation(&v, instance, &create, extensions);
#ifdef VK_KHR_portability_enumeration // without it MoltenVK is not listed
    if (has_extension(NULL, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME)) {
        extensions[create.enabledExtensionCount++] = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
        create.flags |= VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
    }
#endif
    VkResult vr = FUM_VK_FILL(&instance->vk, vkCreateInstance(&create, NULL, &instance->vk));
    if (vr || !load_functions(instance)) return vr ? vr : VK_ERROR_INCOMPATIBLE_DRIVER;
    if (validate && instance->CreateDebugUtilsMessengerEXT)
        vr = FUM_VK_FILL(&instance->messenger,
                         instance->CreateDebugUtilsMessengerEXT(instance->vk, &v.messenger, NULL,
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
    if (validate && !has_layer(validation_layer))
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
