// SPDX-License-Identifier: MIT
// Writes what the pictures' captions and sizes become for the networks of Stable Diffusion.
#include "train/training.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/text.h"
#include "text/tokenizer.h"

// Reports a caption without the trigger word, once.
static void report_trigger(struct fum_training *t, const char *caption, const char *instead) {
    if (t->lacks_trigger) return;
    t->lacks_trigger = true;
    fum_log(t->params.log, FUM_LOG_WARN,
            "the caption \"%s\" lacks the trigger word %s; such captions become \"%s\" "
            "(data.caption)",
            fum_text_show(caption).text, fum_text_show(t->trigger).text,
            fum_text_show(instead).text);
}

// Reports a picture without a caption, once.
static void report_missing(struct fum_training *t, const char *picture) {
    if (t->lacks_caption) return;
    t->lacks_caption = true;
    fum_log(t->params.log, FUM_LOG_WARN,
            "%s has no caption; such pictures are trained with an empty one (data.caption)",
            *picture ? picture : "a picture");
}

const char *fum_train_caption(struct fum_training *t, const struct fum_data_sample *sample) {
    const char *own = sample->caption,
               *instead = fum_settings_has(&t->settings, "data.caption")
                              ? fum_settings_string(&t->settings, "data.caption")
                              : "";
    if (!*own && !*instead) report_missing(t, sample->name);
    if (!*own) return instead;
    if (!t->trigger || strstr(own, t->trigger)) return own;
    report_trigger(t, own, instead);
    return instead;
}

// Returns the caption of a sample of the batch, or the prior's if it is one of these.
static const char *choose_caption(struct fum_training *t, const struct fum_data_batch *batch,
                                  size_t index) {
    const struct fum_data_sample *sample = &batch->rows[index];
    bool prior = index % (size_t)t->rows >= (size_t)t->part.count;
    if (prior) return fum_settings_string(&t->settings, "prior.caption");
    return fum_train_caption(t, sample);
}

// Returns a sample's index in the batch of all ranks.
static size_t whole_index(const struct fum_training *t, size_t index) {
    size_t own = (size_t)t->part.count;
    return index / own * (size_t)t->part.of + (size_t)t->part.first + index % own;
}

// Draws a number in [0, 1) for every sample of the step's batch, that of all ranks.
static void draw_shares(const struct fum_training *t, float *shares, size_t count) {
    struct fum_rng rng;
    uint64_t stream = 0x9e3779b97f4a7c15u * (uint64_t)(t->step + 1);
    fum_rng_init(&rng, FUM_RNG_CUDA, t->options.seed ^ stream);
    fum_rng_uniform(&rng, shares, count);
}

enum fum_result fum_train_encode_captions(struct fum_training *t,
                                          const struct fum_data_batch *batch, int32_t *ids,
                                          struct fum_error *err) {
    const struct fum_model_text *text = &fum_model_get_view(t->model)->text[0];
    size_t count = (size_t)batch->count;
    size_t whole = (size_t)fum_train_whole_rows(t) * (size_t)t->options.accumulate;
    float *shares = fum_alloc(whole, sizeof *shares);
    if (!shares) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for the captions");
    enum fum_result result = FUM_OK;
    draw_shares(t, shares, whole);
    for (size_t i = 0; i < count && !result; i++) {
        bool dropped = (double)shares[whole_index(t, i)] < t->caption_drop;
        const char *caption = dropped ? "" : choose_caption(t, batch, i);
        const struct fum_padded_text padded = {caption, strlen(caption), text->tokens};
        struct fum_token_fit fit;
        result = fum_tokenizer_encode_prompt(text->tokenizer, &padded,
                                             ids + i * (size_t)text->tokens, &fit, err);
        fum_token_fit_free(&fit); // words beyond the text's length are cut
    }
    fum_free(shares);
    return result;
}

void fum_train_describe_sizes(const struct fum_training *t, const struct fum_data_batch *batch,
                              int each, float *sizes) {
    int count = t->rows * t->options.accumulate;
    for (int i = 0; i < count; i++) {
        const struct fum_data_sample *s = batch ? &batch->rows[i] : NULL;
        const int all[] = {s ? s->source_height : t->height,
                           s ? s->source_width : t->width,
                           s ? s->crop_top : 0,
                           s ? s->crop_left : 0,
                           t->height,
                           t->width};
        for (int k = 0; k < each; k++)
            sizes[i * each + k] = k < (int)FUM_COUNT(all) ? (float)all[k] : 0;
        if (each == 5) sizes[i * each + 4] = 6; // the refiner's aesthetic score
    }
}
