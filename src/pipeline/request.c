// SPDX-License-Identifier: MIT
// Chooses how the pictures of a request are made: by an autoencoder alone, between two ends, or by
// a plain run of the sampler.
#include "pipeline/pipeline.h"

#include "base/error.h"

// Refuses what a model cannot do that draws without a sampler.
static enum fum_result check_served(const fum_pipeline *pipe,
                                    const struct fum_generate_params *params,
                                    struct fum_error *err) {
    const char *name = fum_model_get_info(pipe->model)->name;
    if (params->num_adapters)
        return fum_error_set(err, FUM_ERR_ARG, "the model %s takes no adapters", name);
    if (fum_image_given(&params->init_image))
        return fum_error_set(err, FUM_ERR_ARG,
                             "the model %s draws without a sampler, so it cannot start from a "
                             "picture",
                             name);
    if (params->hires)
        return fum_error_set(err, FUM_ERR_ARG, "the model %s draws in one pass", name);
    return FUM_OK;
}

// Refuses what a model with a sampler cannot do.
static enum fum_result check_sampled(const fum_pipeline *pipe,
                                     const struct fum_generate_params *params,
                                     struct fum_error *err) {
    if (params->reconstruct)
        return fum_error_set(err, FUM_ERR_ARG, "the model %s cannot reconstruct pictures",
                             fum_model_get_info(pipe->model)->name);
    if (params->interpolate[0] && fum_image_given(&params->init_image))
        return fum_error_set(err, FUM_ERR_ARG,
                             "an interpolation lies between two pictures or seeds, and starts from "
                             "no other picture");
    if (params->interpolate[0] && params->hires)
        return fum_error_set(err, FUM_ERR_ARG, "an interpolation is drawn in one pass");
    return FUM_OK;
}

// Draws the pictures from index `begin` on, or checks the request alone (FUM_DRAW_NONE).
static enum fum_result serve(fum_pipeline *pipe, const struct fum_generate_params *params,
                             int begin, struct fum_error *err) {
    if (!params->interpolate[0] != !params->interpolate[1])
        return fum_error_set(err, FUM_ERR_ARG, "an interpolation needs both of its ends");
    bool serves = pipe->kind->serves && pipe->kind->serves(pipe, params);
    enum fum_result result =
        serves ? check_served(pipe, params, err) : check_sampled(pipe, params, err);
    if (result) return result;
    if (serves) return pipe->kind->generate(pipe, params, begin, err);
    if (params->hires) return fum_hires_generate(pipe, params, begin, err);
    if (params->interpolate[0])
        return begin == FUM_DRAW_NONE ? FUM_OK : fum_interpolate(pipe, params, begin, err);
    return fum_run_request(pipe, &(struct fum_run){.params = params, .begin = begin}, err);
}

enum fum_result fum_generate(fum_pipeline *pipe, const struct fum_generate_params *params,
                             struct fum_error *err) {
    return fum_generate_from(pipe, params, 0, err);
}

enum fum_result fum_generate_from(fum_pipeline *pipe, const struct fum_generate_params *params,
                                  int begin, struct fum_error *err) {
    int count = params->count > 0 ? params->count : 1;
    if (begin < 0 || begin >= count)
        return fum_error_set(err, FUM_ERR_ARG, "picture %d is not one of %d", begin + 1, count);
    return serve(pipe, params, begin, err);
}

enum fum_result fum_generate_check(fum_pipeline *pipe, const struct fum_generate_params *params,
                                   struct fum_error *err) {
    return serve(pipe, params, FUM_DRAW_NONE, err);
}
