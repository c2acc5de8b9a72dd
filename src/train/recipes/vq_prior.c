// SPDX-License-Identifier: MIT
#include "train/recipes/vq_prior.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"

static enum fum_result no_memory(struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a prior");
}

// Returns the folder that holds the VQ-VAE's config.json; NULL when memory is out.
static char *find_folder(const struct fum_training *t) {
    const char *path = fum_model_get_info(t->model)->path;
    if (fum_train_can_save_pipeline(t)) return fum_path_join(t->arena, path, "vqvae");
    return fum_arena_strdup(t->arena, path);
}

enum fum_result fum_vq_prior_open(struct fum_training *t, const struct fum_vq_config **out,
                                  struct fum_error *err) {
    const struct fum_vq_config *vqvae = *out = fum_model_get_view(t->model)->vqvae;
    if (!vqvae)
        return fum_error_set(err, FUM_ERR_ARG,
                             "%s: is no VQ-VAE, such as \"fumarole train vqvae\" makes; --prior "
                             "needs one",
                             t->params.prior);
    int factor = fum_vae_factor(&vqvae->vae);
    if (t->channels != vqvae->vae.in_channels || t->width % factor || t->height % factor)
        return fum_error_set(err, FUM_ERR_ARG,
                             "the pictures are %d × %d with %d channels; the VQ-VAE needs sides "
                             "that are multiples of %d, and %d channels (data.width, data.height, "
                             "data.channels)",
                             t->width, t->height, t->channels, factor, vqvae->vae.in_channels);
    char *folder = find_folder(t),
         *path = folder ? fum_path_join(t->arena, folder, "prior/unet/config.json") : NULL;
    return path ? fum_file_check(path, err) : no_memory(err);
}

bool fum_vq_prior_trains(const struct fum_training *t, const char *name) {
    (void)t;
    return strncmp(name, "vqvae.", 6) != 0;
}

// True if both folders hold the same config.json.
static bool is_same_folder(struct fum_training *t, const char *a, const char *b) {
    const char *const folders[] = {a, b};
    struct fum_file_stamp stamps[2];
    for (int i = 0; i < 2; i++) {
        struct fum_file *file = NULL;
        char *path = fum_path_join(t->arena, folders[i], "config.json");
        if (!path || fum_file_open(&file, path, NULL)) return false;
        stamps[i] = fum_file_get_stamp(file);
        fum_file_close(&file);
    }
    return stamps[0].device == stamps[1].device && stamps[0].file == stamps[1].file;
}

enum fum_result fum_vq_prior_save(struct fum_training *t, const struct fum_unet2d *unet,
                                  const struct fum_unet2d_folder *folder, const char *dir,
                                  struct fum_error *err) {
    struct fum_unet2d_folder beside = *folder, whole = *folder;
    char *vqvae = find_folder(t), *prior = vqvae ? fum_path_join(t->arena, vqvae, "prior") : NULL,
         *copy = fum_path_join(t->arena, dir, "vqvae");
    if (!prior || !copy) return no_memory(err);
    beside.pipeline = NULL;
    whole.pipeline = "LDMPipeline";
    enum fum_result result = fum_unet2d_save(t, unet, &beside, prior, err);
    if (result || is_same_folder(t, vqvae, dir)) return result;
    result = fum_train_copy_folder(t, vqvae, copy, true, err);
    return result ? result : fum_unet2d_save(t, unet, &whole, dir, err);
}
