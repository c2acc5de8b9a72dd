// SPDX-License-Identifier: MIT
// Opens a training, runs it step by step and saves what it learns.
#include "train/training.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "exec/executable.h"
#include "graph/graph.h"

// The scale that PyTorch's GradScaler begins with.
static const float first_loss_scale = 65536;

// ---- opening ----

// Copies the caller's texts.
static enum fum_result copy_params(struct fum_training *t, const struct fum_training_params *p,
                                   struct fum_error *err) {
    const char **texts[] = {&t->params.recipe,      &t->params.output, &t->params.model,
                            &t->params.program_dir, &t->params.stage,  &t->params.data,
                            &t->params.config,      &t->params.resume, &t->params.init,
                            &t->params.replay,      &t->params.prior};
    t->params = *p;
    for (size_t i = 0; i < FUM_COUNT(texts); i++) {
        if (!*texts[i]) continue;
        *texts[i] = fum_arena_strdup(t->arena, *texts[i]);
        if (!*texts[i]) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a training");
    }
    return FUM_OK;
}

static enum fum_result find_recipe(struct fum_training *t, struct fum_error *err) {
    const char *name = t->params.recipe ? t->params.recipe : "";
    t->recipe = fum_recipe_find(name);
    if (!t->recipe) return fum_error_unknown(err, "recipe", name, fum_recipe_name);
    t->config = fum_arena_alloc(t->arena, 1, t->recipe->config_size);
    return t->config ? FUM_OK : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a training");
}

// Reads the defaults, then the checkpoint's settings, the user's file and single values.
static enum fum_result read_settings(struct fum_training *t, struct fum_error *err) {
    const struct fum_training_params *p = &t->params;
    enum fum_result result = fum_settings_create(&t->settings, t->arena, t->recipe->name,
                                                 fum_recipe_text(t->recipe->name), err);
    // Latents are not held within -1..1 unless the user says so.
    if (!result && p->prior && t->recipe->takes_prior)
        result = fum_settings_assign(&t->settings, "scheduler.clip_sample=false", err);
    if (!result && p->resume) result = fum_train_open_checkpoint(t, err);
    if (!result && p->config) result = fum_settings_merge_file(&t->settings, p->config, err);
    for (size_t i = 0; i < p->num_settings && !result; i++)
        result = fum_settings_assign(&t->settings, p->settings[i], err);
    if (!result && p->data) {
        char *text = fum_arena_printf(t->arena, "data.path=%s", p->data);
        result = text ? fum_settings_assign(&t->settings, text, err)
                      : fum_error_set(err, FUM_ERR_NOMEM, "no memory for a training");
    }
    if (!result) result = fum_train_read_options(t, err);
    return result ? result : fum_train_divide_batch(t, err);
}

// Opens the model to begin with, if one is given.
static enum fum_result open_model(struct fum_training *t, struct fum_error *err) {
    if (t->params.stage && !t->recipe->has_stages)
        return fum_error_set(err, FUM_ERR_ARG, "recipe %s has no stages", t->recipe->name);
    if (t->params.model && !t->recipe->takes_model)
        return fum_error_set(err, FUM_ERR_ARG, "recipe %s takes no model", t->recipe->name);
    if (t->params.prior && !t->recipe->takes_prior)
        return fum_error_set(err, FUM_ERR_ARG,
                             "recipe %s takes no --prior: recipe ddpm trains the prior of a VQ-VAE",
                             t->recipe->name);
    const char *path = t->params.model ? t->params.model : t->params.prior;
    return path ? fum_train_open_model(t, path, err) : FUM_OK;
}

// Finds out where the pictures come from and how large they are.
static enum fum_result open_data(struct fum_training *t, struct fum_error *err) {
    enum fum_result result =
        t->params.replay ? fum_train_open_replay(t, err) : fum_train_open_data(t, err);
    return result ? result : fum_train_list_sizes(t, err);
}

// Makes the folder, and finds out now what saving would fail on at the end.
static enum fum_result prepare_folder(struct fum_training *t, struct fum_error *err) {
    const char *name = t->params.output ? t->params.output : t->recipe->name;
    if (t->params.resume && !t->params.output) name = t->params.resume;
    t->dir = name;
    t->log_path = fum_path_join(t->arena, name, "log.jsonl");
    t->report_path = fum_path_join(t->arena, name, "report.html");
    char *state = fum_arena_printf(t->arena, "%s/checkpoint/state.safetensors", name);
    if (!state || !t->log_path || !t->report_path)
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a training");
    if (!fum_train_is_first(t)) return FUM_OK; // it writes no files
    enum fum_result result = fum_path_make_dirs(t->dir, err);
    if (!result) result = fum_file_check(state, err);
    if (!result) result = fum_file_check(t->log_path, err);
    if (!result) fum_file_clean_own(t->log_path);
    return result ? result : fum_train_trim_log(t, err);
}

// Opens everything that the run reads, up to the recipe's own settings.
static enum fum_result open_files(struct fum_training *t, struct fum_error *err) {
    enum fum_result result = find_recipe(t, err);
    if (!result && t->params.resume && t->params.init)
        result = fum_error_set(
            err, FUM_ERR_ARG,
            "--init gives the weights of step 0, and --resume later ones: choose one");
    if (!result) result = read_settings(t, err);
    if (!result) result = open_model(t, err);
    if (!result && t->params.init) result = fum_loader_open(&t->initial, t->params.init, err);
    if (!result) result = open_data(t, err);
    return result ? result : t->recipe->configure(t, err);
}

// Closes the files of the first weights, which the parameters have now. An open checkpoint that the
// run replaces would keep its room on the disk.
static void close_first_weights(struct fum_training *t) {
    fum_loader_close(&t->initial);
    fum_loader_close(&t->resumed);
}

static enum fum_result open_training(struct fum_training *t, struct fum_error *err) {
    enum fum_result result = open_files(t, err);
    if (!result) result = prepare_folder(t, err);
    if (!result && t->recipe->prepare) result = t->recipe->prepare(t, err);
    if (!result) result = fum_train_compile(t, err);
    close_first_weights(t);
    if (!result) result = fum_train_open_history(t, err);
    if (!result && t->params.resume) fum_train_list_samples(t);
    if (!result) result = fum_train_compare_ranks(t, err);
    return result ? result : fum_train_start_data(t, err);
}

// Creates a training that has nothing but its parameters.
static enum fum_result create_empty(fum_training **out, fum_device *device,
                                    const struct fum_training_params *params,
                                    const struct fum_training_ranks *ranks, struct fum_error *err) {
    struct fum_training *t = *out = fum_calloc(1, sizeof *t);
    if (t) t->arena = fum_arena_create();
    if (!t || !t->arena) {
        fum_free(t);
        *out = NULL;
        return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a training");
    }
    t->device = device;
    t->counters.loss_scale = first_loss_scale;
    t->ranks = ranks ? *ranks : (struct fum_training_ranks){.count = 1};
    return copy_params(t, params, err);
}

enum fum_result fum_training_create(fum_training **training, fum_device *device,
                                    const struct fum_training_params *params,
                                    struct fum_error *err) {
    return fum_training_create_ranked(training, device, params, NULL, err);
}

enum fum_result fum_training_create_ranked(fum_training **training, fum_device *device,
                                           const struct fum_training_params *params,
                                           const struct fum_training_ranks *ranks,
                                           struct fum_error *err) {
    enum fum_result result = create_empty(training, device, params, ranks, err);
    if (!result) result = open_training(*training, err);
    if (result) fum_training_destroy(training);
    return result;
}

enum fum_result fum_training_measure(struct fum_training_size *size, fum_device *device,
                                     const struct fum_training_params *params,
                                     struct fum_error *err) {
    fum_training *t = NULL;
    *size = (struct fum_training_size){0};
    enum fum_result result = create_empty(&t, device, params, NULL, err);
    if (!result) result = open_files(t, err);
    if (!result) result = fum_train_plan_largest(t, size, err);
    fum_training_destroy(&t);
    return result;
}

void fum_training_destroy(fum_training **training) {
    struct fum_training *t = training ? *training : NULL;
    if (!t) return;
    fum_train_free_recordings(t);
    fum_weights_destroy(&t->weights);
    fum_parameters_destroy(&t->parameters);
    fum_train_close_prior(t);
    fum_data_feed_stop(&t->batches);
    fum_data_close(&t->data);
    fum_model_destroy(&t->model);
    fum_loader_close(&t->replay);
    fum_loader_close(&t->initial);
    fum_loader_close(&t->resumed);
    fum_settings_free(&t->settings);
    fum_free(t->history);
    fum_arena_destroy(&t->arena);
    fum_free(t);
    *training = NULL;
}

const char *fum_training_folder(const fum_training *t) {
    return t->dir;
}

// ---- running ----

// Saves the checkpoint and the model.
static enum fum_result save_all(struct fum_training *t, struct fum_error *err) {
    if (!fum_train_is_first(t)) return FUM_OK;
    char *model = fum_path_join(t->arena, t->dir, "model");
    if (!model) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a model");
    enum fum_result result = fum_train_save_checkpoint(t, err);
    if (!result) t->saved = t->step;
    return result ? result : t->recipe->save(t, model, err);
}

// Keeps what can be kept of a run that fails, and adds to the error where it can go on. Steps that
// no checkpoint has are saved if the host failed: a device that failed has no weights to read.
static enum fum_result end_failed(struct fum_training *t, enum fum_result result,
                                  struct fum_error *err) {
    struct fum_error other;
    if (!fum_train_is_first(t)) return result;
    bool readable = result == FUM_ERR_IO || result == FUM_ERR_NO_SPACE || result == FUM_ERR_NOMEM;
    if (readable && t->saved < t->step && !fum_train_save_checkpoint(t, &other)) t->saved = t->step;
    if (t->saved)
        fum_error_append(err, "; --resume %s goes on from step %lld", t->dir, (long long)t->saved);
    else
        fum_error_append(err, "; no step was saved");
    t->failure = err ? err->text : "";
    fum_train_write_report(t, &other);
    t->failure = NULL;
    return result;
}

// The numbers of a step, as the device reported them.
struct report {
    float numbers[FUM_TRAIN_MAX_TERMS + 2];
    double values[FUM_TRAIN_MAX_TERMS];
    const char *names[FUM_TRAIN_MAX_TERMS];
    struct fum_training_step step;
};

// Stores a step's numbers. terms[0] is the loss itself.
static void fill_report(const struct fum_training *t, struct report *r, double seconds) {
    const struct fum_train_options *o = &t->options;
    for (int i = 1; i < t->now->num_terms; i++) {
        r->names[i - 1] = t->now->terms[i].name;
        r->values[i - 1] = r->numbers[i];
    }
    r->step = (struct fum_training_step){.step = t->step,
                                         .steps = o->steps,
                                         .loss = r->numbers[0],
                                         .num_terms = t->now->num_terms - 1,
                                         .terms = r->names,
                                         .values = r->values,
                                         .lr = r->numbers[t->now->num_terms],
                                         .gradient_norm = r->numbers[t->now->num_terms + 1],
                                         .seconds = seconds,
                                         .samples_per_second = (double)o->batch * o->accumulate /
                                                               fmax(seconds, 1e-9)};
}

// Reports the first tensor with a value that is no number.
static enum fum_result fail_nonfinite(struct fum_training *t, int64_t step, struct fum_error *err) {
    const char *node = NULL;
    enum fum_result result =
        fum_executable_first_nonfinite(t->now->executable, FUM_STAGE_STEP, &node, err);
    if (result) return result;
    return fum_error_set(err, FUM_ERR_DEVICE,
                         "step %lld: the loss or its gradient is no number, first in %s (a lower "
                         "train.lr or train.clip may help)",
                         (long long)step, node ? node : "an unknown tensor");
}

// Runs one update and fills the report.
static enum fum_result run_step(struct fum_training *t, struct report *r, struct fum_error *err) {
    double begin = fum_time_now();
    enum fum_result result = fum_train_feed(t, err);
    if (!result && fum_train_is_ranked(t)) {
        result = fum_train_run_gradients(t, err);
        if (!result) result = fum_executable_run(t->now->executable, FUM_STAGE_SHORT, err);
    } else if (!result) {
        result = fum_executable_run(t->now->executable, FUM_STAGE_STEP, err);
    }
    if (!result)
        result = fum_executable_read(t->now->executable, t->now->report, r->numbers,
                                     (size_t)t->now->num_terms + 2, err);
    if (result) return result;
    // A norm that is no number shrinks the scale of the loss and leaves the weights as they are.
    bool fails = !isfinite(r->numbers[0]) ||
                 (!isfinite(r->numbers[t->now->num_terms + 1]) && !t->now->loss_scale);
    if (fails) return fail_nonfinite(t, t->step + 1, err);
    t->step++;
    fill_report(t, r, fum_time_now() - begin);
    fum_train_remember(t, &r->step);
    bool logged = t->step % t->options.log_every == 0 || t->step == t->options.steps;
    return logged && fum_train_is_first(t) ? fum_train_log(t, &r->step, err) : FUM_OK;
}

// Writes the page every few seconds, and whenever `always` is true.
static enum fum_result refresh_report(struct fum_training *t, bool always, struct fum_error *err) {
    static const double interval = 5;
    double now = fum_time_now();
    if (!always && now - t->reported < interval) return FUM_OK;
    t->reported = now;
    return fum_train_write_report(t, err);
}

// Returns true after every `every`-th step; 0: never.
static bool is_due(const struct fum_training *t, int64_t every) {
    return every && t->step % every == 0;
}

// Saves and draws what is due after a step, or at the end of the run.
static enum fum_result save_due(struct fum_training *t, bool ends, struct fum_error *err) {
    bool draws = is_due(t, t->options.sample_every) || (ends && t->options.sample_every);
    enum fum_result result = FUM_OK;
    if (ends || draws || is_due(t, t->options.save_every)) result = save_all(t, err);
    if (!fum_train_is_first(t)) return FUM_OK;
    if (!result && draws && !t->stopped) fum_train_draw_samples(t);
    return result ? result : refresh_report(t, ends || draws, err);
}

// Saves the model of a run that has no step left. It may have been killed before it did so.
static enum fum_result finish_resumed(struct fum_training *t, struct fum_error *err) {
    fum_log(t->params.log, FUM_LOG_WARN,
            "%s is at step %lld of %lld: no step is left (train.steps)", t->params.resume,
            (long long)t->step, (long long)t->options.steps);
    enum fum_result result = save_due(t, true, err);
    return result ? end_failed(t, result, err) : FUM_OK;
}

enum fum_result fum_training_run(fum_training *t, struct fum_error *err) {
    struct report report;
    enum fum_result result = FUM_OK;
    if (t->params.resume && t->step >= t->options.steps) return finish_resumed(t, err);
    while (t->step < t->options.steps && !t->stopped) {
        result = run_step(t, &report, err);
        if (result) return end_failed(t, result, err);
        if (t->params.on_step) t->wants_end = !t->params.on_step(t->params.user, &report.step);
        t->stopped = fum_train_is_ranked(t) ? t->ends : t->wants_end;
        bool ends = t->stopped || t->step == t->options.steps;
        result = save_due(t, ends, err);
        if (result) return end_failed(t, result, err);
    }
    fum_train_log_exchange(t);
    if (!t->stopped) return FUM_OK;
    return fum_error_set(err, FUM_ERR_CANCELLED,
                         "stopped after step %lld; everything is saved in %s", (long long)t->step,
                         t->dir);
}
