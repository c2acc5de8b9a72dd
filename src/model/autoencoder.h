// SPDX-License-Identifier: MIT
// The networks of variational autoencoders that fumarole trains itself: pictures to a Gaussian of a
// latent vector and back. Their folder holds config.json, whose class is FumaroleVAE, and
// model.safetensors.
#ifndef FUM_MODEL_AUTOENCODER_H
#define FUM_MODEL_AUTOENCODER_H

#include "nn/nn.h"

#include <cjson/cJSON.h>

enum { FUM_AUTOENCODER_LEVELS = 8 };
extern const char fum_autoencoder_class[]; // "FumaroleVAE"

struct fum_autoencoder {
    bool conv;  // convolutions; else linear layers
    bool chain; // a chain of latent vectors z_1, z_2, …, each with a conditional of its own
    int hidden[FUM_AUTOENCODER_LEVELS]; // widths, or channels of the convolutions; a chain has one
    int levels;                         // of hidden; of a chain: its latent vectors
    int latent[FUM_AUTOENCODER_LEVELS]; // sizes of z_1, z_2, …; one without a chain
    const char *activation;             // an op
    int width, height, channels;        // of the pictures
    int classes;                        // that have a mean of their own; 0: none
};

// Returns the name of the index-th activation, or NULL past the last.
const char *fum_autoencoder_activation(size_t index);

// Reads the configuration. `where` names the file in errors. FUM_ERR_FORMAT: it is wrong.
enum fum_result fum_autoencoder_parse(struct fum_autoencoder *a, const cJSON *json,
                                      const char *where, struct fum_error *err);
// Adds what fum_autoencoder_parse reads to a JSON object. False without memory.
bool fum_autoencoder_describe(const struct fum_autoencoder *a, cJSON *json);
// Returns what the sides of pictures must be multiples of.
int fum_autoencoder_multiple(const struct fum_autoencoder *a);

// Returns the elements of a picture.
int64_t fum_autoencoder_pixels(const struct fum_autoencoder *a);
// Returns the shape of `batch` pictures as the network takes and gives them. Linear layers have
// vectors in the order [channels, height, width].
struct fum_shape fum_autoencoder_shape(const struct fum_autoencoder *a, int batch);

// A diagonal Gaussian, each [batch, size] in f32.
struct fum_posterior {
    fum_tensor *mean, *log_variance;
};
// Adds the encoder of a network without a chain. `nn` is at the root.
struct fum_posterior fum_autoencoder_encode(struct fum_nn *nn, const struct fum_autoencoder *a,
                                            fum_tensor *x);
// Adds the decoder, of a chain that of z_1. Returns what comes before the sigmoid, in f32, shaped
// as the pictures.
fum_tensor *fum_autoencoder_decode(struct fum_nn *nn, const struct fum_autoencoder *a,
                                   fum_tensor *z);
// Adds a chain's Gaussian of z_t, q(z_t | z_{t-1}) or p(z_t | z_{t+1}). `side` is "q" or "p", `t`
// counts from 1, z_0 is the picture.
struct fum_posterior fum_autoencoder_link(struct fum_nn *nn, const struct fum_autoencoder *a,
                                          const char *side, int t, fum_tensor *given);
// Adds mean + exp(log_variance / 2) · noise.
fum_tensor *fum_posterior_sample(struct fum_nn *nn, const struct fum_posterior *q,
                                 fum_tensor *noise);
// Adds the means of classes, rows of "class_mean".
fum_tensor *fum_autoencoder_class_means(struct fum_nn *nn, const struct fum_autoencoder *a,
                                        fum_tensor *labels);

#endif
