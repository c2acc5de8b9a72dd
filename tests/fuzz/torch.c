// SPDX-License-Identifier: MIT
// Fuzzes the readers of torch.save's files, using libFuzzer. An input that begins with 'Z' is the
// pickle of an archive, which is made around it. What opens is taken for a model, too, as a .ckpt
// is. tests/io/torch.c calls it too.
#include "io/loader.h"
#include "model/checkpoint.h"
#include "model/names.h"
#include "model/vae.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// An archive while it is made.
struct archive {
    uint8_t *bytes;
    size_t size, directory_size;
    uint8_t directory[256];
};

static void put(uint8_t *to, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> 8 * i);
}

static void add_entry(struct archive *a, const char *name, const uint8_t *data, size_t size) {
    size_t length = strlen(name);
    uint8_t *local = a->bytes + a->size, *record = a->directory + a->directory_size;
    memset(local, 0, 30);
    memset(record, 0, 46);
    put(local, 0x04034b50, 4);
    put(local + 14, crc32(0, data, (uInt)size), 4);
    put(local + 18, size, 4);
    put(local + 22, size, 4);
    put(local + 26, length, 2);
    put(record, 0x02014b50, 4);
    memcpy(record + 16, local + 14, 14);
    put(record + 42, a->size, 4);
    memcpy(local + 30, name, length);
    memcpy(record + 46, name, length);
    if (size) memcpy(local + 30 + length, data, size);
    a->size += 30 + length + size;
    a->directory_size += 46 + length;
}

static struct archive make_archive(const uint8_t *pickle, size_t size) {
    static const uint8_t storage[96] = {1, 2, 3};
    struct archive a = {.bytes = malloc(size + 1024)};
    add_entry(&a, "a/data.pkl", pickle, size);
    add_entry(&a, "a/data/0", storage, sizeof storage);
    add_entry(&a, "a/data/1", storage, 24);
    uint8_t *end = a.bytes + a.size + a.directory_size;
    memcpy(a.bytes + a.size, a.directory, a.directory_size);
    memset(end, 0, 22);
    put(end, 0x06054b50, 4);
    put(end + 10, 3, 2);
    put(end + 12, a.directory_size, 4);
    put(end + 16, a.size, 4);
    a.size += a.directory_size + 22;
    return a;
}

static void expect_error(enum fum_result result, const struct fum_error *err) {
    if (result && (!err->text[0] || strchr(err->text, '\n'))) abort();
}

// Derives the configurations of components from the file's tensors, as parts apart from a model.
static void try_parts(const fum_loader *loader) {
    static const char *const texts[] = {"text_encoder", "text_encoder_2"};
    struct fum_error err = {0};
    struct fum_checkpoint c;
    struct fum_vae_config vae;
    bool openclip;
    expect_error(fum_checkpoint_detect_unet(&c, loader, NULL, 0, &err), &err);
    fum_checkpoint_free(&c);
    const struct fum_tiny_style *tiny = fum_tiny_find_style(loader);
    const char *prefix = fum_names_find_prefix(loader, "vae", &openclip);
    const struct fum_family *sd1 = fum_family_find("sd1");
    cJSON *config = tiny ? fum_checkpoint_tiny_config(loader, tiny, &err) : NULL;
    if (prefix && !tiny) config = fum_checkpoint_vae_config(loader, prefix, sd1, 0, &err);
    if (config) expect_error(fum_vae_config_parse(&vae, config, "fuzz", &err), &err);
    cJSON_Delete(config);
    for (int i = 0; i < 2; i++) {
        struct fum_family_text text = {.projected = i == 1};
        text.prefix = fum_names_find_prefix(loader, texts[i], &text.openclip);
        if (text.prefix) cJSON_Delete(fum_checkpoint_text_config(loader, &text, &err));
    }
}

// Looks for the components of a model in the file, by its tensors.
static void try_model(const fum_loader *loader) {
    static const char *const components[] = {"unet", "vae", "text_encoder", "text_encoder_2"};
    struct fum_checkpoint c = {0};
    struct fum_error err = {0};
    enum fum_result result = fum_checkpoint_detect(&c, loader, &err);
    expect_error(result, &err);
    const cJSON *const configs[] = {c.unet, c.vae, c.text_encoder, c.text_encoder_2};
    for (int i = 0; i < 4 && !result; i++) {
        fum_names *names = NULL;
        if (configs[i])
            expect_error(fum_names_create(&names, loader, components[i], configs[i], &err), &err);
        fum_names_destroy(&names);
    }
    fum_checkpoint_free(&c);
}

static int try_file(const uint8_t *data, size_t size) {
    fum_loader *loader = NULL;
    struct fum_error err = {0};
    if (fum_loader_open_memory(&loader, data, size, "fuzz.ckpt", &err)) {
        if (loader || !err.text[0] || strchr(err.text, '\n')) abort();
        return 0;
    }
    // Every byte that a tensor claims must be readable.
    unsigned sum = 0;
    for (size_t i = 0; i < fum_loader_count(loader); i++) {
        const struct fum_loader_tensor *t = fum_loader_at(loader, i);
        const uint8_t *bytes = t->view.data;
        for (uint64_t b = 0; b < t->bytes; b++) sum += bytes[b];
        if (fum_loader_find(loader, t->name) != t) abort();
    }
    try_model(loader);
    try_parts(loader);
    fum_loader_close(&loader);
    return sum == 0xdeadbeef ? -1 : 0; // so that the sum is needed
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size || data[0] != 'Z') return try_file(data, size);
    struct archive a = make_archive(data + 1, size - 1);
    int result = try_file(a.bytes, a.size);
    free(a.bytes);
    return result;
}
