// SPDX-License-Identifier: MIT
// Caches of the whole UNet: a short step adds to its input what the network added in the last whole
// step. Both estimate the output's change from that of the input, after EasyCache (Zhou et al.
// 2025). They evaluate the network once the estimates add up to a threshold. ucache is sd-cli's
// variant for UNets. There a change is seen in relation to usual ones, too. It counts for more the
// longer the network was spared.
#include "nn/nn.h"
#include "pipeline/pipeline.h"

#include <math.h>

static fum_tensor *find(fum_graph *graph, const struct fum_unet_config *config,
                        const struct fum_denoiser *d) {
    fum_tensor *x = fum_graph_find(graph, "sampler_input"), *y = fum_graph_find(graph, "conv_out");
    (void)config, (void)d;
    if (!x || !y || !fum_shape_same(&x->desc.shape, &y->desc.shape)) return NULL;
    return y;
}

static fum_tensor *keep(fum_graph *graph, fum_tensor *from) {
    fum_tensor *x = fum_graph_find(graph, "sampler_input");
    return fum_graph_add(graph, "sub", NULL, FUM_INPUTS(from, x), NULL);
}

static fum_tensor *restore(fum_graph *graph, fum_tensor *from, fum_tensor *cache) {
    fum_tensor *x = fum_graph_find(graph, "sampler_input");
    (void)from;
    return fum_graph_add(graph, "add", NULL, FUM_INPUTS(x, cache), NULL);
}

static bool knows_rate(const struct fum_cache_track *t) {
    return t->has_input && t->input_change > 0 && t->rate > 0 && t->size > 0;
}

// Adds to the estimated error. True while it stays below the threshold; then the estimate starts
// anew.
static bool stays_below(struct fum_cache_track *t, double change, double threshold) {
    t->error += change;
    if (t->error < threshold) return true;
    t->error = 0;
    return false;
}

static bool decides_easy(const struct fum_cache_params *p, struct fum_cache_track *t) {
    return knows_rate(t) && stays_below(t, t->rate * t->input_change / t->size, p->threshold);
}

// Lowers the threshold in the first fifth of the steps and raises it in the last, as sd-cli does.
static double adapt_threshold(const struct fum_cache_params *p, const struct fum_cache_track *t) {
    double progress = (double)t->whole / fmax(t->program->evals, 1);
    if (progress < 0.2) return 0.5 * p->threshold;
    return progress > 0.8 ? 1.5 * p->threshold : p->threshold;
}

static bool decides_u(const struct fum_cache_params *p, struct fum_cache_track *t) {
    const double gain = 1.6, horizon = 0.5;
    if (!knows_rate(t)) return false;
    double usual = t->output_change > 0 ? gain * t->output_change : t->size;
    double change = t->rate * t->input_change / sqrt(t->size * usual);
    change *= 1 + horizon * t->short_steps;
    return stays_below(t, change, adapt_threshold(p, t));
}

const struct fum_step_cache fum_cache_easy = {.name = "easycache",
                                              .threshold = 0.2,
                                              .find = find,
                                              .keep = keep,
                                              .restore = restore,
                                              .decides = decides_easy},
                            fum_cache_u = {.name = "ucache",
                                           .threshold = 1,
                                           .find = find,
                                           .keep = keep,
                                           .restore = restore,
                                           .decides = decides_u};
