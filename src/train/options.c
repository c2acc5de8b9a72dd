// SPDX-License-Identifier: MIT
// Reads [train], the settings that every recipe has.
#include "train/training.h"

#include "base/error.h"

static const int64_t max_steps = 1000000000;

FUM_SETTING_NAMES(optimiser_name, "adamw", "adam", "sgd")
FUM_SETTING_NAMES(schedule_name, "constant", "linear", "cosine")
FUM_SETTING_NAMES(precision_name, "f32", "f16", "bf16")

static void read_optimiser(struct fum_settings *s, struct fum_train_options *o) {
    o->optimiser = (enum fum_optimiser)fum_settings_choice(s, "train.optimiser", optimiser_name);
    o->lr = fum_settings_real(s, "train.lr", 0, 1e6);
    o->beta1 = fum_settings_real(s, "train.beta1", 0, 0.9999999);
    o->beta2 = fum_settings_real(s, "train.beta2", 0, 0.9999999);
    o->eps = fum_settings_real(s, "train.eps", 0, 1);
    o->weight_decay = fum_settings_real(s, "train.weight_decay", 0, 1e3);
    o->momentum = fum_settings_real(s, "train.momentum", 0, 1);
    o->lr_schedule =
        (enum fum_lr_schedule)fum_settings_choice(s, "train.lr_schedule", schedule_name);
    o->warmup = fum_settings_int(s, "train.warmup", 0, max_steps);
    o->clip = fum_settings_real(s, "train.clip", 0, 1e30);
    o->ema = fum_settings_real(s, "train.ema", 0, 1);
}

enum fum_result fum_train_read_options(struct fum_training *t, struct fum_error *err) {
    static const enum fum_dtype precisions[] = {FUM_F32, FUM_F16, FUM_BF16};
    struct fum_settings *s = &t->settings;
    struct fum_train_options *o = &t->options;
    o->steps = fum_settings_int(s, "train.steps", 1, max_steps);
    o->batch = (int)fum_settings_int(s, "train.batch", 1, 1 << 16);
    o->accumulate = (int)fum_settings_int(s, "train.accumulate", 1, 1024);
    read_optimiser(s, o);
    o->precision = precisions[fum_settings_choice(s, "train.precision", precision_name)];
    o->checkpointing = fum_settings_bool(s, "train.checkpointing");
    o->seed = (uint64_t)fum_settings_int(s, "train.seed", 0, INT64_MAX);
    o->log_every = fum_settings_int(s, "train.log_every", 1, max_steps);
    o->save_every = fum_settings_int(s, "train.save_every", 0, max_steps);
    o->sample_every = fum_settings_int(s, "train.sample_every", 0, max_steps);
    o->keep = (int)fum_settings_int(s, "train.keep", 0, 1000);
    return fum_settings_check(s, err);
}
