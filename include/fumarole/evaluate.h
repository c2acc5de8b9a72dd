// SPDX-License-Identifier: MIT
// Measures how near generated pictures are to real ones: FID, inception score, KID, precision and
// recall of features, PSNR and SSIM of pictures. Measures how many bits a model needs for data. All
// sums are in f64.
#ifndef FUMAROLE_EVALUATE_H
#define FUMAROLE_EVALUATE_H

#include <fumarole/core.h>
#include <fumarole/device.h>

#ifdef __cplusplus
extern "C" {
#endif

// Measures, as bits of a mask.
enum {
    FUM_EVALUATE_FID = 1,       // Heusel et al. 2017
    FUM_EVALUATE_IS = 2,        // of the fake set alone; Salimans et al. 2016
    FUM_EVALUATE_KID = 4,       // Bińkowski et al. 2018
    FUM_EVALUATE_PR = 8,        // precision and recall; Kynkäänniemi et al. 2019
    FUM_EVALUATE_ALL = 15,      // those above, which need no classes
    FUM_EVALUATE_ACCURACY = 16, // of the fake set's pictures, those whose class is recognised
};

enum { FUM_EVALUATE_WHOLE = -1 }; // for subset_size

struct fum_evaluate_params {
    // Each is a folder of pictures, a data set, a folder of a model, or features that are given.
    // These are a .npz with `mu` and `sigma` (pytorch-fid's), or a .safetensors with `features` [n,
    // d] and, for the inception score, `logits` [n, classes]. `fake` may be NULL if only the
    // statistics of `real` are saved.
    const char *real, *fake;
    // The network that pictures go through: "inception:FILE" with pytorch-fid's weights, or
    // "classifier:DIR" with a trained classifier. NULL: features are given.
    const char *features;
    // Pictures from each set at most; 0: all. A model draws so many, and is compared with all of
    // the other set.
    int count;
    const char *prompt; // that a model draws; NULL for models that take none
    const char *device; // that runs it, as fum_device_params.select
    unsigned measures;  // mask of FUM_EVALUATE_…; 0: those of ALL that the sets allow
    int splits;         // of the inception score; 0: 10, or as many as there are pictures if fewer
    int subsets;        // of KID; 0: 100
    int subset_size;    // 0: 1000, or the smaller set's; FUM_EVALUATE_WHOLE: both whole, once
    uint64_t seed;      // of KID's subsets, and of a model's first picture
    const char *save_stats;    // path of a .npz that gets mu and sigma of `real`; NULL: none
    const struct fum_log *log; // may be NULL
    // Reports how many pictures of a set went through the network. Returning false cancels. May be
    // NULL.
    bool (*on_picture)(void *user, const char *path, size_t done, size_t total);
    void *user;
};

struct fum_evaluate_result {
    unsigned measures; // those that were computed; other numbers are 0
    double fid;
    double is_mean, is_std;
    double kid;
    double precision, recall;
    double accuracy;
    size_t real_count, fake_count; // 0: only statistics were given
    size_t width;                  // numbers of a feature
    int splits, subset_size;       // as used; subset_size 0: whole
    // "given", or the network that made them. Numbers of different features do not compare.
    char features[256];
};

// Computes the measures. FUM_ERR_ARG: a measure needs what a set does not have, or more samples.
// FUM_ERR_FORMAT: a damaged file, a non-finite feature. FUM_ERR_UNSUPPORTED: FID in a build without
// LAPACK. Other errors: FUM_ERR_IO, FUM_ERR_NOMEM.
FUM_API enum fum_result fum_evaluate(const struct fum_evaluate_params *params,
                                     struct fum_evaluate_result *result, struct fum_error *err);

// Two pictures of one size: [channels, height, width], values from 0 (or -range / 2) on.
struct fum_picture_pair {
    const float *a, *b;
    int width, height, channels;
    float range; // of the values: 255, 1, or 2 for -1..1
};
// Returns the peak signal-to-noise ratio in dB, over all channels together. Equal pictures give
// infinity.
FUM_API double fum_psnr(const struct fum_picture_pair *pair);
// Computes the structural similarity (Wang et al. 2004), the mean over channels and over all whole
// windows: Gaussian of 11 × 11 taps, deviation 1.5. Pictures smaller than a window are FUM_ERR_ARG.
FUM_API enum fum_result fum_ssim(const struct fum_picture_pair *pair, double *ssim,
                                 struct fum_error *err);

// Means over pairs of pictures.
struct fum_pairs_result {
    double psnr; // infinite if the pictures of a pair are equal
    double ssim; // NaN if a picture is smaller than a window
    size_t count;
};
// Compares the pictures of two folders or data sets, params->real and params->fake, in their order.
// Files of a pair have the same name, but for what follows the dot. If `fake` is a folder of an
// autoencoder, its reconstructions of the real pictures are compared with them. Only `count`,
// `device`, `log` and `on_picture` of the other parameters matter.
FUM_API enum fum_result fum_evaluate_pairs(const struct fum_evaluate_params *params,
                                           struct fum_pairs_result *result, struct fum_error *err);

// How many bits a model of pictures needs for a data set.
struct fum_bits_params {
    const char *model; // a folder that `train ddpm` or, for the likelihood, `train score` wrote
    const char *data;
    // .safetensors with what would be drawn: `noise` [timesteps, n, c, h, w] for the bound, `eps`
    // [n, c, h, w] for the likelihood. NULL: drawn by the seed.
    const char *replay;
    const char *device; // as fum_device_params.select
    int count;          // of pictures, at most; 0: all
    double tolerance;   // of the likelihood's equation, relative and absolute; 0: 1e-5
    uint64_t seed;
    const struct fum_log *log; // may be NULL
    // Reports how much is done. Returning false cancels. May be NULL.
    bool (*on_picture)(void *user, const char *path, size_t done, size_t total);
    void *user;
};

struct fum_bits_result {
    double bits;       // per dimension, the mean over all pictures
    double prior_bits; // of it, what the noise at the end costs
    double first_bits; // of a bound, the step to the picture itself
    double log_p;      // of a likelihood: nats per picture, as a density of values in -1..1
    int evaluations;   // of the network for each picture, the mean
    size_t count;      // of pictures
};

// Computes the variational bound of a diffusion model with timesteps, L_T + Σ L_t + L_0, with the
// predicted picture held in -1..1 (Nichol and Dhariwal 2021).
FUM_API enum fum_result fum_evaluate_bound(const struct fum_bits_params *params,
                                           struct fum_bits_result *result, struct fum_error *err);
// Computes the likelihood of a score model by its probability flow (Song et al. 2021), for pictures
// of 256 levels: bits = 7 - log2 p / dimensions. The divergence is estimated as Skilling and
// Hutchinson do, with random signs.
FUM_API enum fum_result fum_evaluate_likelihood(const struct fum_bits_params *params,
                                                struct fum_bits_result *result,
                                                struct fum_error *err);

#ifdef __cplusplus
}
#endif

#endif
