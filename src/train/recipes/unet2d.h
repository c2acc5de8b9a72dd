// SPDX-License-Identifier: MIT
// The network of the recipes ddpm, score and classifier: diffusers' UNet2DModel, by the keys of its
// config.json in the section [model].
#ifndef FUM_TRAIN_UNET2D_H
#define FUM_TRAIN_UNET2D_H

#include "model/unet.h"
#include "model/vq.h"
#include "train/training.h"

struct fum_unet2d {
    struct fum_unet_config config;
    const char *json; // of its config.json
    int width, height, channels;
    const struct fum_vq_config *vqvae; // whose latents the network takes; NULL: it takes pictures
};

// What a recipe decides about the network.
struct fum_unet2d_choice {
    const char *class_name; // in the JSON; NULL: UNet2DModel
    int outputs;            // for each channel of the pictures
    int class_embeds;       // rows of the table of classes; 0: none
    int classes;            // the member "classes"; 0: none
    bool clean;             // the member "noisy" is false: trained on pictures without noise
    bool fourier;           // features of the noise level in place of timesteps
    // Whose latents the network takes; NULL: it takes pictures.
    const struct fum_vq_config *vqvae;
};

// Reads [model]. Failures are kept in the settings.
void fum_unet2d_configure(struct fum_training *t, struct fum_unet2d *unet,
                          const struct fum_unet2d_choice *choice);
// Returns the pictures of the micro-batch in f32, [batch, height, width, channels]. A VQModel's
// latents are the encoder's outputs before they are rounded, times its scaling_factor.
fum_tensor *fum_unet2d_images(struct fum_micro_batch *m, const struct fum_unet2d *unet);
// Draws noise of the pictures' shape.
fum_tensor *fum_unet2d_noise(struct fum_micro_batch *m, const struct fum_unet2d *unet);
// Adds the network. `labels`: i32 [batch] or NULL. Returns its prediction in f32.
fum_tensor *fum_unet2d_predict(struct fum_micro_batch *m, const struct fum_unet2d *unet,
                               fum_tensor *x, fum_tensor *times, fum_tensor *labels);
// Returns one number for each picture, [batch] or [batch, 1], as [batch, 1, 1, 1].
fum_tensor *fum_unet2d_each(struct fum_micro_batch *m, fum_tensor *numbers);

// A folder that diffusers opens: unet, scheduler and model_index.json.
struct fum_unet2d_folder {
    const char *pipeline;  // class; NULL: without model_index.json
    const char *scheduler; // class
    const char *scheduler_json;
};
enum fum_result fum_unet2d_save(struct fum_training *t, const struct fum_unet2d *unet,
                                const struct fum_unet2d_folder *folder, const char *dir,
                                struct fum_error *err);

#endif
