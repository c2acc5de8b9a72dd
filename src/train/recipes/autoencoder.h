// SPDX-License-Identifier: MIT
// The network of the recipes vae and cvae: an encoder to a diagonal Gaussian and a decoder, of
// linear layers or of convolutions. hvae shares the loss.
#ifndef FUM_TRAIN_AUTOENCODER_H
#define FUM_TRAIN_AUTOENCODER_H

#include "train/training.h"

enum { FUM_AUTOENCODER_LEVELS = 8 };

struct fum_autoencoder {
    bool conv;                          // model.arch
    int hidden[FUM_AUTOENCODER_LEVELS]; // widths, or channels of the convolutions
    int levels;
    int latent;
    const char *activation; // an op
    int width, height, channels;
    bool gaussian;   // loss.reconstruction
    double variance; // of the Gaussian
    double beta;
    int classes; // that have a mean of their own; 0: none
};

// Reads [model] and [loss].
enum fum_result fum_autoencoder_configure(struct fum_training *t, struct fum_error *err);
// Reads loss.reconstruction and loss.variance.
void fum_autoencoder_read_loss(struct fum_settings *s, struct fum_autoencoder *a);
// Takes the size of the data's pictures.
void fum_autoencoder_take_size(const struct fum_training *t, struct fum_autoencoder *a);
// Returns the elements of a picture.
int64_t fum_autoencoder_pixels(const struct fum_autoencoder *a);

struct fum_posterior {
    fum_tensor *mean, *log_variance; // [batch, latent]
};
// Returns the pictures of the micro-batch as the network takes them.
fum_tensor *fum_autoencoder_images(struct fum_micro_batch *m, const struct fum_autoencoder *a);
// Adds the layers "mean" and "log_variance".
struct fum_posterior fum_autoencoder_heads(struct fum_micro_batch *m, fum_tensor *x, int latent);
struct fum_posterior fum_autoencoder_encode(struct fum_micro_batch *m,
                                            const struct fum_autoencoder *a, fum_tensor *x);
// Draws mean + exp(log_variance / 2) · eps. `name` is that of the noise.
fum_tensor *fum_train_draw_posterior(struct fum_micro_batch *m, const struct fum_posterior *q,
                                     const char *name);
// Returns the decoder's output before the sigmoid, shaped as the pictures.
fum_tensor *fum_autoencoder_decode(struct fum_micro_batch *m, const struct fum_autoencoder *a,
                                   fum_tensor *z);
// Returns the negative log-likelihood of the pictures, summed over each and averaged over the
// batch.
fum_tensor *fum_autoencoder_reconstruction(struct fum_micro_batch *m,
                                           const struct fum_autoencoder *a, fum_tensor *logits,
                                           fum_tensor *x);
// Returns reconstruction + beta · the batch's mean of `kl`, and reports both terms.
fum_tensor *fum_autoencoder_bound(struct fum_micro_batch *m, const struct fum_autoencoder *a,
                                  fum_tensor *reconstruction, fum_tensor *kl);
// Returns what config.json holds of every such model: class, recipe, pictures and reconstruction.
cJSON *fum_autoencoder_describe(const struct fum_training *t, const struct fum_autoencoder *a);
// Writes `json` as config.json, and model.safetensors.
enum fum_result fum_autoencoder_save_as(struct fum_training *t, const char *dir, cJSON *json,
                                        struct fum_error *err);
// Writes config.json and model.safetensors of a vae or cvae.
enum fum_result fum_autoencoder_save(struct fum_training *t, const char *dir,
                                     struct fum_error *err);

#endif
