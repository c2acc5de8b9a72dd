// SPDX-License-Identifier: MIT
#include "pipeline/preprocess.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/number.h"
#include "base/text.h"
#include "io/canny.h"
#include "pipeline/edges.h"

#include <string.h>

enum { MAX_NUMBERS = 2 };

static enum fum_result copy_picture(fum_device *device, const double *numbers,
                                    const struct fum_bitmap *from, struct fum_bitmap *to,
                                    struct fum_error *err) {
    (void)device, (void)numbers;
    return fum_bitmap_convert(from, from->channels, to, err);
}

// Finds the edges on the device, or on the host where the device cannot hold the picture.
static enum fum_result find_canny(fum_device *device, const double *numbers,
                                  const struct fum_bitmap *from, struct fum_bitmap *edges,
                                  struct fum_error *err) {
    const struct fum_edges_params params = {from, numbers[0], numbers[1]};
    struct fum_error refused = {0};
    if (fum_device_get_info(device)->type != FUM_DEVICE_CPU) {
        enum fum_result result = fum_edges_find(device, &params, edges, &refused);
        bool limited = result == FUM_ERR_UNSUPPORTED || result == FUM_ERR_NOMEM;
        if (!limited) return result ? fum_error_set(err, result, "%s", refused.text) : FUM_OK;
    }
    return fum_bitmap_canny(from, numbers[0], numbers[1], edges, err);
}

static enum fum_result find_edges(fum_device *device, const double *numbers,
                                  const struct fum_bitmap *from, struct fum_bitmap *to,
                                  struct fum_error *err) {
    struct fum_bitmap edges = {0};
    enum fum_result result = find_canny(device, numbers, from, &edges, err);
    if (!result) result = fum_bitmap_convert(&edges, from->channels, to, err);
    fum_bitmap_free(&edges);
    return result;
}

static const struct preprocessor {
    const char *name;
    int count; // of numbers
    double defaults[MAX_NUMBERS];
    enum fum_result (*run)(fum_device *device, const double *numbers, const struct fum_bitmap *from,
                           struct fum_bitmap *to, struct fum_error *err);
} preprocessors[] = {
    {"none", 0, {0}, copy_picture},
    {"canny", 2, {100, 200}, find_edges},
};

// Reads ":number" as often as there are numbers. Returns false if the text is no such list.
static bool read_numbers(const char *text, int count, double *numbers) {
    char number[FUM_NUMBER_BYTES];
    int given = 0;
    for (; *text == ':' && given < count; given++) {
        size_t length = strcspn(++text, ":");
        if (length >= sizeof number || strspn(text, "0123456789.") == 0) return false;
        memcpy(number, text, length);
        number[length] = 0;
        if (!fum_number_parse(number, &numbers[given])) return false;
        text += length;
    }
    return !*text && (given == 0 || given == count);
}

enum fum_result fum_preprocess(fum_device *device, const char *text, const struct fum_bitmap *from,
                               struct fum_bitmap *to, struct fum_error *err) {
    double numbers[MAX_NUMBERS];
    if (!text) text = "none";
    for (size_t i = 0; i < FUM_COUNT(preprocessors); i++) {
        const struct preprocessor *p = &preprocessors[i];
        size_t length = strlen(p->name);
        if (strncmp(text, p->name, length)) continue;
        memcpy(numbers, p->defaults, sizeof numbers);
        if (read_numbers(text + length, p->count, numbers))
            return p->run(device, numbers, from, to, err);
    }
    return fum_error_set(err, FUM_ERR_ARG,
                         "a picture cannot be prepared by \"%s\"; there are none and "
                         "canny[:low:high]",
                         fum_text_show(text).text);
}
