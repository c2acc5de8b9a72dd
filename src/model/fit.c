// SPDX-License-Identifier: MIT
// Checks that the components of a model fit each other and what the code relies on, before anything
// is built from them.
#include "model/fit.h"

#include "base/error.h"
#include "base/macros.h"
#include "model/checkpoint.h"
#include "text/prompt.h"

// A number of a component's configuration, and the only value that fits.
struct rule {
    const char *component, *key;
    int found, needed;
    const char *reason;
};

static const char *where(const fum_model *model, const char *component) {
    const struct fum_model_component *file = fum_model_find_component(model, component);
    return file ? file->where : component;
}

// Checks the widths at which the components meet.
static enum fum_result check_widths(const fum_model *model, struct fum_error *err) {
    const struct fum_model_view *v = &model->view;
    // k-diffusion's network may give a channel more, which sampling does not use.
    int context = 0,
        uncertainty = v->unet.k_levels && v->unet.out_channels > v->vae.latent_channels;
    for (int i = 0; i < v->num_text; i++) context += v->text[i].config.channels;
    const struct rule rules[] = {
        {"vae", "out_channels", v->vae.out_channels, 3, "the colours of a picture"},
        {"unet", "out_channels", v->unet.out_channels - uncertainty, v->vae.latent_channels,
         "the VAE's latent_channels"},
        {"unet", v->unet.context_proj ? "encoder_hid_dim" : "cross_attention_dim",
         v->unet.context_channels, context, "the hidden_size of all text encoders together"},
    };
    for (size_t i = 0; i < FUM_COUNT(rules); i++) {
        const struct rule *r = &rules[i];
        if (r->found != r->needed)
            return fum_error_set(err, FUM_ERR_FORMAT, "%s: \"%s\" is %d, but must be %d, %s",
                                 where(model, r->component), r->key, r->found, r->needed,
                                 r->reason);
    }
    return FUM_OK;
}

// Checks what a UNet reads beside the prompt: SDXL's reads pooled text and 6 size numbers, the
// refiner's 5 (Podell et al. 2023, section 2.2).
static enum fum_result check_text_time(const fum_model *model, struct fum_error *err) {
    const struct fum_unet_config *u = &model->view.unet;
    int pooled = fum_model_pooled(&model->view);
    if (!u->text_time) return FUM_OK;
    if (u->k_levels && pooled + u->text_time_channels == u->text_time_in) return FUM_OK;
    if (u->k_levels)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: \"time_cond_proj_dim\" is %d, but must be the text encoder's %d "
                             "and %d for a level of noise",
                             where(model, "unet"), u->text_time_in, pooled, u->text_time_channels);
    if (!pooled)
        return fum_error_set(err, FUM_ERR_FORMAT,
                             "%s: \"addition_embed_type\" is \"text_time\", but no text encoder "
                             "has a text_projection for the pooled text that it needs",
                             where(model, "unet"));
    int ids = fum_unet_time_ids(u, pooled);
    if ((ids == 5 || ids == 6) && pooled + ids * u->text_time_channels == u->text_time_in)
        return FUM_OK;
    return fum_error_set(
        err, FUM_ERR_FORMAT,
        "%s: \"projection_class_embeddings_input_dim\" is %d, but must be the pooled text's %d and "
        "5 or 6 times the addition_time_embed_dim %d: %d or %d",
        where(model, "unet"), u->text_time_in, pooled, u->text_time_channels,
        pooled + 5 * u->text_time_channels, pooled + 6 * u->text_time_channels);
}

// Checks that sinusoids have a frequency, and more of them than the shift that is taken off where
// they are divided by their number. LCM's shift is 1.
static enum fum_result check_sinusoids(const fum_model *model, struct fum_error *err) {
    const struct fum_unet_config *u = &model->view.unet;
    const struct {
        const char *key;
        int channels;
        double shift;
    } sinusoids[] = {{"block_out_channels", u->down[0].channels, u->freq_shift},
                     {"addition_time_embed_dim", u->text_time_channels, u->freq_shift},
                     {"time_cond_proj_dim", u->time_cond_channels, 1}};
    for (size_t i = 0; i < FUM_COUNT(sinusoids); i++) {
        int half = sinusoids[i].channels / 2; // frequencies; without one the embedding is zero
        if (half == 0 || half > sinusoids[i].shift) continue;
        return fum_error_set(
            err, FUM_ERR_FORMAT,
            "%s: \"%s\" is %d, which is too few for an embedding of times with a freq_shift of %g",
            where(model, "unet"), sinusoids[i].key, sinusoids[i].channels, sinusoids[i].shift);
    }
    return FUM_OK;
}

// Refuses even kernels, which would make the prediction smaller than the latents.
static enum fum_result check_kernels(const fum_model *model, struct fum_error *err) {
    const struct fum_unet_config *u = &model->view.unet;
    bool in = u->conv_in_kernel % 2 == 0;
    if (!in && u->conv_out_kernel % 2) return FUM_OK;
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: \"%s\" is %d, but must be odd",
                         where(model, "unet"), in ? "conv_in_kernel" : "conv_out_kernel",
                         in ? u->conv_in_kernel : u->conv_out_kernel);
}

// Checks that tokens which every prompt has are rows of the encoder's table, and that all encoders
// read as many tokens, enough for a word.
static enum fum_result check_tokens(const fum_model *model, struct fum_error *err) {
    const struct fum_model_view *v = &model->view;
    for (int i = 0; i < v->num_text; i++) {
        const struct fum_model_text *text = &v->text[i];
        const int32_t ids[] = {fum_tokenizer_start_id(text->tokenizer),
                               fum_tokenizer_end_id(text->tokenizer),
                               fum_tokenizer_pad_id(text->tokenizer)};
        static const char *const names[] = {"start", "end", "padding"};
        for (int k = 0; k < 3; k++)
            if (ids[k] < 0 || ids[k] >= text->config.vocab)
                return fum_error_set(
                    err, FUM_ERR_FORMAT,
                    "%s: \"vocab_size\" is %d, but the tokenizer's %s token has the id %d",
                    where(model, text->component), text->config.vocab, names[k], (int)ids[k]);
        if (text->tokens < FUM_PROMPT_LEAST)
            return fum_error_set(
                err, FUM_ERR_FORMAT,
                "%s: a prompt has %d tokens, by \"max_position_embeddings\" or the "
                "tokenizer's \"model_max_length\"; it needs %d or more",
                where(model, text->component), text->tokens, FUM_PROMPT_LEAST);
        if (text->tokens != v->text[0].tokens)
            return fum_error_set(err, FUM_ERR_FORMAT,
                                 "%s: reads %d tokens, but the first text encoder reads %d",
                                 where(model, text->component), text->tokens, v->text[0].tokens);
    }
    return FUM_OK;
}

static enum fum_result check_sample_size(const fum_model *model, struct fum_error *err) {
    const struct fum_unet_config *u = &model->view.unet;
    int largest = u->sample_width > u->sample_height ? u->sample_width : u->sample_height;
    int factor = fum_vae_factor(&model->view.vae);
    if (largest <= FUM_MAX_SIDE / factor) return FUM_OK;
    return fum_error_set(
        err, FUM_ERR_FORMAT,
        "%s: \"sample_size\" is %d, which is a picture of more than %d pixels a side",
        where(model, "unet"), largest, FUM_MAX_SIDE);
}

enum fum_result fum_model_check_fit(const fum_model *model, struct fum_error *err) {
    static enum fum_result (*const checks[])(const fum_model *, struct fum_error *) = {
        check_widths,  check_text_time, check_sinusoids,
        check_kernels, check_tokens,    check_sample_size};
    for (size_t i = 0; i < FUM_COUNT(checks); i++) {
        enum fum_result result = checks[i](model, err);
        if (result) return result;
    }
    return FUM_OK;
}

enum fum_result fum_model_check_usable(const fum_model *model, struct fum_error *err) {
    const struct fum_model_view *v = &model->view;
    int latents = v->vae.latent_channels, in = v->unet.in_channels;
    if (in != latents && in != 2 * latents && in != 2 * latents + 1 && !v->low_res.reads)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: %s model, whose UNet also reads a picture (%d channels, the "
                             "latents have %d); generate cannot use it yet",
                             model->info.path, fum_checkpoint_kind(v->unet.in_channels),
                             v->unet.in_channels, v->vae.latent_channels);
    if (v->unet.class_embed > FUM_UNET_CLASS_TIMESTEP)
        return fum_error_set(
            err, FUM_ERR_UNSUPPORTED,
            "%s: \"class_embed_type\" needs a vector of %d numbers for every picture, where "
            "generate can only give the number of a class; use a model without it",
            where(model, "unet"), v->unet.class_channels);
    return FUM_OK;
}

enum fum_result fum_model_check_pixels(const fum_model *model, struct fum_error *err) {
    const struct fum_unet_config *u = &model->view.unet;
    if (u->in_channels != 1 && u->in_channels != 3)
        return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                             "%s: \"in_channels\" is %d; pictures have 1 or 3",
                             where(model, "unet"), u->in_channels);
    if (u->out_channels == u->in_channels || u->out_channels == 2 * u->in_channels)
        return check_sample_size(model, err);
    return fum_error_set(err, FUM_ERR_FORMAT,
                         "%s: \"out_channels\" is %d, but must be %d, or %d with a variance",
                         where(model, "unet"), u->out_channels, u->in_channels, 2 * u->in_channels);
}

enum fum_result fum_model_check_vectors(const fum_model *model, struct fum_error *err) {
    const struct fum_unet_config *u = &model->view.unet;
    int channels = model->view.vqvae->vae.code_channels;
    bool fits = u->in_channels == channels &&
                (u->out_channels == channels || u->out_channels == 2 * channels);
    if (fits) return check_sample_size(model, err);
    return fum_error_set(err, FUM_ERR_FORMAT,
                         "%s: \"in_channels\" is %d and \"out_channels\" %d, but the VQModel's "
                         "\"vq_embed_dim\" is %d",
                         where(model, "unet"), u->in_channels, u->out_channels, channels);
}
