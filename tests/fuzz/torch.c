// SPDX-License-Identifier: MIT
// Fuzzes the readers of torch.save's files. An input that begins as one does is a file. One that
// begins with 'Z' is the pickle of an archive, which is made around it. Others choose what a pickle
// holds, or damage to a file of tests/data. What opens is taken for a model, too, as a .ckpt is.
// tests/io/torch.c calls it too.
#include "io/loader.h"
#include "model/checkpoint.h"
#include "model/names.h"
#include "model/vae.h"
#include "pickle_made.h"
#include "samples.h"
#include "zip_made.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

// Puts a pickle into an archive with two storages, and reads it.
static int try_pickle(const uint8_t *pickle, size_t size, bool compressed) {
    static const uint8_t storage[96] = {1, 2, 3};
    static struct zip_made zip;
    zip.size = zip.directory_size = zip.count = 0;
    zip_made_add(&zip, "a/data.pkl", pickle, size, compressed);
    zip_made_add(&zip, "a/data/0", storage, sizeof storage, false);
    zip_made_add(&zip, "a/data/1", storage, 24, false);
    if (compressed) zip_made_add(&zip, "a/byteorder", (const uint8_t *)"little", 6, false);
    zip_made_end(&zip, compressed);
    uint8_t *exact = sample_copy(zip.bytes, zip.size);
    int result = try_file(exact, zip.size);
    free(exact);
    return result;
}

static int try_made(struct choices *c) {
    static struct pickle pickle;
    bool old = one_in(c, 4), compressed = one_in(c, 8);
    pickle.size = pickle.kept = 0;
    pickle.old = old;
    if (!old) {
        pickle_put_state(&pickle, c);
        return try_pickle(pickle.bytes, pickle.size, compressed);
    }
    pickle_put_old(&pickle, c);
    uint8_t *exact = sample_copy(pickle.bytes, pickle.size);
    int result = try_file(exact, pickle.size);
    free(exact);
    return result;
}

static int try_damaged(struct choices *c) {
    static const char *const files[] = {
        "torch/zip.pth",  "torch/old.pth",      "torch/state.pth", "torch/parameters.pth",
        "torch/types.pt", "torch/inversion.pt", "torch/old.pth",   "torch/lightning-old.ckpt"};
    static struct samples samples;
    size_t size = 0;
    for (size_t i = samples.count; i < sizeof files / sizeof *files; i++)
        samples_add_file(&samples, files[i]);
    uint8_t *exact = sample_damage(&samples, c, &size);
    int result = try_file(exact, size);
    free(exact);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct choices c = {data, size, 0};
    if (size && size <= PICKLE_MOST && data[0] == 'Z') return try_pickle(data + 1, size - 1, false);
    if (size && (data[0] == 'P' || data[0] == 0x80)) return try_file(data, size);
    return one_in(&c, 4) ? try_damaged(&c) : try_made(&c);
}
