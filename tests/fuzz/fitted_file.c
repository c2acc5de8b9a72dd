// SPDX-License-Identifier: MIT
// Weight files, and checkpoints in the layout of the original repositories, made of the lists in
// tests/data.
#define _XOPEN_SOURCE 700 // ftruncate, setenv
#include "fitted_parts.h"

#include "base/dtype.h"
#include "base/json.h"
#include "text/bpe.h"
#include "text/unicode.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void append(struct fitted_file *file, const char *text) {
    size_t bytes = strlen(text);
    if (file->used + bytes + 1 > file->capacity) {
        file->capacity = 2 * file->capacity + bytes + 4096;
        file->header = realloc(file->header, file->capacity);
        if (!file->header) fitted_fail("a header");
    }
    memcpy(file->header + file->used, text, bytes + 1);
    file->used += bytes;
}

void fitted_add(struct fitted_file *file, const char *name, const struct fum_view *view) {
    static const char *const types[FUM_DTYPE_COUNT] = {
        [FUM_F32] = "F32", [FUM_F16] = "F16", [FUM_BF16] = "BF16"};
    char text[512], shape[160] = "";
    uint64_t bytes = fum_dtype_size(view->dtype);
    file->narrow = view->dtype != FUM_F32;
    for (int i = 0; i < view->rank; i++) {
        uint64_t dim = (uint64_t)view->dim[i];
        if (view->dim[i] < 0 || dim > (UINT64_C(1) << 40) ||
            (dim && bytes > (UINT64_C(1) << 40) / dim))
            file->too_large = true;
        if (file->too_large) return;
        bytes *= dim;
        size_t used = strlen(shape);
        snprintf(shape + used, sizeof shape - used, "%s%lld", i ? "," : "",
                 (long long)view->dim[i]);
    }
    snprintf(text, sizeof text,
             "%c\"%.200s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%llu,%llu]}",
             file->used ? ',' : '{', name, types[view->dtype], shape,
             (unsigned long long)file->bytes, (unsigned long long)(file->bytes + bytes));
    append(file, text);
    file->bytes += bytes;
}

// Fills the data with numbers within ±0.25, the same in every run.
static bool write_numbers(int fd, uint64_t bytes, bool narrow) {
    static uint32_t block[16384];
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof block / sizeof *block; i++) {
        state = state * 1664525u + 1013904223u;
        float x = (float)(state >> 8) / 0x1p25f - 0.25f;
        uint16_t halves[2];
        if (narrow) {
            // Between 2^-7 and 2^-4 as f16, about 2^-14 as bf16.
            halves[0] = (uint16_t)(0x2000 + (state >> 8) % 0x0c00);
            halves[1] = (uint16_t)(0xa000 + (state >> 20) % 0x0c00);
            memcpy(&block[i], halves, sizeof halves);
        } else {
            memcpy(&block[i], &x, sizeof x);
        }
    }
    for (uint64_t n; bytes; bytes -= n) {
        n = bytes < sizeof block ? bytes : sizeof block;
        if (write(fd, block, (size_t)n) != (ssize_t)n) return false;
    }
    return true;
}

bool fitted_save(struct fitted_file *file, const char *part, const struct fitted_params *params) {
    char path[512];
    if (!file->used) append(file, "{");
    append(file, "}");
    while (file->used % 8) append(file, " ");
    uint64_t length = file->used;
    bool fits = !file->too_large && file->bytes <= params->max_bytes;
    snprintf(path, sizeof path, part ? "%s/%s/model.safetensors" : "%s/%ssingle.safetensors",
             fitted_root, part ? part : "");
    int fd = fits ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    bool written = fd >= 0 && write(fd, &length, 8) == 8 &&
                   write(fd, file->header, file->used) == (ssize_t)file->used;
    if (written && params->numbers)
        written = write_numbers(fd, file->bytes, file->narrow);
    else if (written)
        written = !ftruncate(fd, (off_t)(8 + file->used + file->bytes));
    if (fd >= 0) close(fd);
    if (fits && !written) fitted_fail(path);
    free(file->header);
    return fits;
}

// ---- single files ----

static const char *const lists[] = {"ckpt_sd1.json", "ckpt_sd2.json", "ckpt_sdxl.json",
                                    "ckpt_refiner.json"};
enum {
    LISTS = sizeof lists / sizeof *lists,
    LISTED_VOCABULARY = 100,
    CLIP_VOCABULARY = 49408,
    INPAINTING_CHANNELS = 9
};

// Tensor names with their dimensions: [["name", 8, 4, 3, 3], …]. Read once.
static const cJSON *read_list(uint32_t which) {
    static cJSON *documents[LISTS];
    char path[1024];
    struct fum_error err = {0};
    const char *data = getenv("FUM_TEST_DATA");
    snprintf(path, sizeof path, "%s/%s", data ? data : "tests/data", lists[which]);
    if (!documents[which] && fum_json_read(&documents[which], path, &err)) {
        fprintf(stderr, "fuzzing: %s\n", err.text);
        exit(1);
    }
    return cJSON_GetObjectItemCaseSensitive(documents[which], "file");
}

// A change of one dimension wherever it occurs below a prefix of the names.
struct swap {
    char prefix[128];
    int64_t from, to;
};

enum { MAX_SWAPS = 4 };

// Chooses a tensor, how much of its name counts, and another value for one of its dimensions.
static struct swap choose_swap(const cJSON *list, struct choices *c) {
    static const int64_t values[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,   12,
                                     16, 24, 32, 48, 64, 65, 77, 96, 128, 4096};
    struct swap swap = {.to = values[choose(c, sizeof values / sizeof *values)]};
    const cJSON *tensor =
        cJSON_GetArrayItem(list, (int)choose(c, (uint32_t)cJSON_GetArraySize(list)));
    snprintf(swap.prefix, sizeof swap.prefix, "%s", tensor->child->valuestring);
    for (uint32_t cut = choose(c, 6); cut; cut--) {
        char *dot = strrchr(swap.prefix, '.');
        if (dot) *dot = 0;
    }
    int rank = cJSON_GetArraySize(tensor) - 1;
    const cJSON *dim = rank ? cJSON_GetArrayItem(tensor, 1 + (int)choose(c, (uint32_t)rank)) : NULL;
    swap.from = dim ? (int64_t)dim->valuedouble : -1;
    return swap;
}

static bool is_below(const char *name, const char *prefix) {
    return !strncmp(name, prefix, strlen(prefix));
}

// True of dimensions that count the channels of latents, which scaling leaves as they are.
static bool is_latent(const char *name, int dim) {
    return strstr(name, "quant_conv") || (strstr(name, "encoder.conv_out") && !dim);
}

static struct fum_view view_of(const cJSON *tensor, const struct swap *swaps, uint32_t count,
                               int64_t scale) {
    struct fum_view view = {.dtype = FUM_F32};
    const char *name = tensor->child->valuestring;
    for (const cJSON *dim = tensor->child->next; dim && view.rank < 5; dim = dim->next) {
        int64_t d = (int64_t)dim->valuedouble;
        if (d == LISTED_VOCABULARY)
            d = CLIP_VOCABULARY;
        else if (d == INPAINTING_CHANNELS)
            d = 4; // or the list is of a model that is not opened
        else if (d % 8 == 0 && !is_latent(name, view.rank))
            d *= scale;
        for (uint32_t i = 0; i < count; i++)
            if (is_below(name, swaps[i].prefix) && (int64_t)dim->valuedouble == swaps[i].from)
                d = swaps[i].to;
        view.dim[view.rank++] = d;
    }
    return view;
}

// A vocabulary of CLIP's size, which single files do not carry: its merges are pairs of bytes.
static void write_vocabulary(void) {
    enum { MERGES = 48894 };
    static char path[256];
    if (path[0]) return;
    snprintf(path, sizeof path, "%s/clip.txt", fitted_root);
    FILE *file = fopen(path, "w");
    if (!file) fitted_fail(path);
    fputs("merges\n", file);
    for (int i = 0; i < MERGES; i++) {
        char first[8] = "", second[8] = "";
        fum_utf8_put(first, fum_bpe_byte_to_char((uint8_t)(i >> 8)));
        fum_utf8_put(second, fum_bpe_byte_to_char((uint8_t)i));
        fprintf(file, "%s %s\n", first, second);
    }
    if (fclose(file) || setenv("FUMAROLE_CLIP_VOCAB", path, 1)) fitted_fail(path);
}

const char *fitted_write_file(struct choices *c, const struct fitted_params *params) {
    static const enum fum_dtype types[] = {FUM_F32, FUM_F16, FUM_BF16};
    static char path[256];
    const cJSON *list = read_list(choose(c, LISTS)), *tensor;
    enum fum_dtype dtype = types[choose(c, 3)];
    int64_t scale = 4 * (1 + choose(c, 3)); // groups have at least 32 channels there
    struct swap swaps[MAX_SWAPS], gap = {.prefix = "?"};
    struct fitted_file file = {0};
    uint32_t count = choose(c, MAX_SWAPS + 1);
    write_vocabulary();
    for (uint32_t i = 0; i < count; i++) swaps[i] = choose_swap(list, c);
    if (one_in(c, 4)) gap = choose_swap(list, c);
    cJSON_ArrayForEach(tensor, list) {
        struct fum_view view = view_of(tensor, swaps, count, scale);
        view.dtype = dtype;
        if (!is_below(tensor->child->valuestring, gap.prefix))
            fitted_add(&file, tensor->child->valuestring, &view);
    }
    snprintf(path, sizeof path, "%s/single.safetensors", fitted_root);
    return fitted_save(&file, NULL, params) ? path : NULL;
}
