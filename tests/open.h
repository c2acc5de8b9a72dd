// SPDX-License-Identifier: MIT
// Shared by the tests that run on a device: opening it, its limits, and lines of the log.
#ifndef TESTS_OPEN_H
#define TESTS_OPEN_H

#include "test.h"

#include "gpu/backend.h"

// Lines of the log that a test looks at.
struct lines {
    char text[16384];
};

static inline void keep_line(void *user, enum fum_log_level level, const char *message) {
    struct lines *lines = user;
    (void)level;
    size_t used = strlen(lines->text);
    snprintf(lines->text + used, sizeof lines->text - used, "%s\n", message);
}

// Ends the program without a device: as a skip, or as a failure if the environment requires one.
static inline void end_without_device(const struct fum_error *err) {
    fprintf(stderr, "no device: %s\n", err->text);
    exit(getenv("FUM_REQUIRE_DEVICE") ? 1 : 77);
}

static inline void need_device(void) {
    struct fum_error err = {0};
    int count = 0;
    if (fum_device_list(NULL, 0, &count, &err) || count == 0) end_without_device(&err);
}

static inline fum_device *open_device(bool validate) {
    struct fum_error err = {0};
    fum_device *device = NULL;
    if (fum_device_create(&device, &(struct fum_device_params){.validate = validate}, &err))
        end_without_device(&err);
    return device;
}

// Opens a device that keeps nothing on disk, without some of what it offers.
static inline fum_device *open_without(unsigned without) {
    struct fum_error err = {0};
    fum_device *device = NULL;
    ok(fum_device_create_without(&device, &(struct fum_device_params){.cache_dir = ""}, without,
                                 &err),
       &err);
    return device;
}

// Returns a device's limits, for tests that lower them.
static inline struct fum_device_info *limits_of(fum_device *device) {
    return &device->info;
}

#endif
