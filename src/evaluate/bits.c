// SPDX-License-Identifier: MIT
#include "evaluate/bits.h"

#include "base/alloc.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/require.h"
#include "base/view.h"

#include <stdio.h>
#include <string.h>

enum { MAX_BATCH = 32 };

// ---- opening ----

static enum fum_result open_model(struct fum_bits_run *run, struct fum_error *err) {
    const struct fum_bits_params *p = run->params;
    const struct fum_model_params model = {.path = p->model, .log = p->log};
    const struct fum_device_params device = {.select = p->device, .log = p->log};
    enum fum_result result = fum_model_open(&run->model, &model, err);
    if (!result) result = fum_device_create(&run->device, &device, err);
    if (!result) run->view = fum_model_get_view(run->model);
    return result;
}

static enum fum_result open_data(struct fum_bits_run *run, struct fum_error *err) {
    const struct fum_bits_params *p = run->params;
    const struct fum_unet_config *unet = &run->view->unet;
    const struct fum_data_settings settings = {.path = p->data,
                                               .width = unet->sample_width,
                                               .height = unet->sample_height,
                                               .channels = unet->in_channels,
                                               .limit = p->count,
                                               .log = p->log};
    enum fum_result result = fum_data_open(&run->data, &settings, err);
    if (result) return result;
    const struct fum_data_info *info = fum_data_get_info(run->data);
    run->width = info->width;
    run->height = info->height;
    run->channels = info->channels;
    run->total = (size_t)info->count;
    run->batch = (int)FUM_MIN(run->total, (size_t)MAX_BATCH);
    run->numbers = (size_t)run->width * (size_t)run->height * (size_t)run->channels;
    return FUM_OK;
}

static enum fum_result allocate(struct fum_bits_run *run, struct fum_error *err) {
    size_t batch = (size_t)run->batch;
    run->x = fum_calloc(batch * run->numbers, sizeof *run->x);
    run->draws = fum_calloc(batch * run->numbers, sizeof *run->draws);
    run->labels = fum_calloc(batch, sizeof *run->labels);
    if (run->x && run->draws && run->labels) return FUM_OK;
    return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a batch of pictures");
}

enum fum_result fum_bits_open(struct fum_bits_run *run, const struct fum_bits_params *params,
                              bool slopes, struct fum_error *err) {
    *run = (struct fum_bits_run){.params = params};
    if (fum_require(params->model, "a model", err)) return FUM_ERR_ARG;
    if (fum_require(params->data, "a data set", err)) return FUM_ERR_ARG;
    fum_rng_init(&run->rng, FUM_RNG_CUDA, params->seed);
    enum fum_result result = open_model(run, err);
    if (!result) result = open_data(run, err);
    if (!result && params->replay) result = fum_loader_open(&run->replay, params->replay, err);
    if (!result) result = allocate(run, err);
    const struct fum_network_params network = {.device = run->device,
                                               .model = run->model,
                                               .batch = run->batch,
                                               .width = run->width,
                                               .height = run->height,
                                               .slopes = slopes};
    return result ? result : fum_network_create(&run->network, &network, err);
}

void fum_bits_close(struct fum_bits_run *run) {
    fum_network_destroy(&run->network);
    fum_loader_close(&run->replay);
    fum_data_close(&run->data);
    fum_device_destroy(&run->device);
    fum_model_destroy(&run->model);
    fum_free(run->x);
    fum_free(run->draws);
    fum_free(run->labels);
}

// ---- pictures ----

// Reorders a picture of [channels, height, width] to channels-last, times `mul` plus `add`.
static void take_planes(const struct fum_bits_run *run, const float *planes, float *to, float mul,
                        float add) {
    size_t channels = (size_t)run->channels, pixels = run->numbers / channels;
    for (size_t i = 0; i < run->numbers; i++)
        to[i] = planes[i % channels * pixels + i / channels] * mul + add;
}

// Returns the label that the network is given. Without one it is the last, empty class.
static int32_t class_of(const struct fum_bits_run *run, int32_t label) {
    return label < 0 ? run->view->unet.class_count - 1 : label;
}

enum fum_result fum_bits_read(struct fum_bits_run *run, size_t first, struct fum_error *err) {
    enum fum_result result = FUM_OK;
    bool unit = run->view->traits.unit_pixels;
    float *planes = fum_alloc(run->numbers, sizeof *planes);
    if (!planes) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture");
    run->first = first;
    run->used = FUM_MIN(run->total - first, (size_t)run->batch);
    for (size_t i = 0; i < (size_t)run->batch && !result; i++) {
        struct fum_data_sample sample;
        int64_t index = (int64_t)(first + FUM_MIN(i, run->used - 1));
        result =
            fum_data_read(run->data, fum_data_pick_plain(run->data, index), planes, &sample, err);
        if (result) break;
        take_planes(run, planes, run->x + i * run->numbers, unit ? 1 : 2, unit ? 0 : -1);
        run->labels[i] = class_of(run, sample.label);
    }
    fum_free(planes);
    return result;
}

enum fum_result fum_bits_report(const struct fum_bits_run *run, struct fum_error *err) {
    const struct fum_bits_params *p = run->params;
    if (!p->on_picture || p->on_picture(p->user, p->data, run->first + run->used, run->total))
        return FUM_OK;
    return fum_error_set(err, FUM_ERR_CANCELLED, "stopped");
}

// ---- the replay ----

enum fum_result fum_bits_check(const struct fum_bits_run *run, struct fum_bits_tensor tensor,
                               struct fum_error *err) {
    if (!run->replay) return FUM_OK;
    const struct fum_loader_tensor *found = fum_loader_find(run->replay, tensor.name);
    const int64_t sizes[] = {tensor.count, (int64_t)run->total, run->channels, run->height,
                             run->width};
    int first = tensor.count ? 0 : 1;
    bool same = found && found->view.rank == 5 - first && found->view.dtype != FUM_DTYPE_UNKNOWN;
    for (int i = first; i < 5 && same; i++) {
        int64_t has = found->view.dim[i - first];
        same = i == 1 ? has >= sizes[i] : has == sizes[i];
    }
    if (same) return FUM_OK;
    char count[24] = "";
    if (tensor.count) snprintf(count, sizeof count, "%d, ", tensor.count);
    return fum_error_set(err, FUM_ERR_FORMAT, "%s: has no tensor %s of [%s%zu, %d, %d, %d]",
                         run->params->replay, tensor.name, count, run->total, run->channels,
                         run->height, run->width);
}

enum fum_result fum_bits_replay(struct fum_bits_run *run, struct fum_bits_tensor tensor, int index,
                                struct fum_error *err) {
    const struct fum_view *view = &fum_loader_find(run->replay, tensor.name)->view;
    size_t size = fum_dtype_size(view->dtype), pictures = (size_t)view->dim[tensor.count ? 1 : 0];
    char *raw = fum_alloc(run->numbers, size);
    float *planes = fum_alloc(run->numbers, sizeof *planes);
    enum fum_result result = FUM_OK;
    if (!raw || !planes) result = fum_error_set(err, FUM_ERR_NOMEM, "no memory for a replay");
    for (size_t i = 0; i < (size_t)run->batch && !result; i++) {
        size_t picture = (size_t)index * pictures + run->first + FUM_MIN(i, run->used - 1);
        uint64_t bytes = run->numbers * size;
        if ((result = fum_view_read(view, picture * bytes, bytes, raw, err))) break;
        fum_convert_to_f32(planes, raw, view->dtype, run->numbers);
        take_planes(run, planes, run->draws + i * run->numbers, 1, 0);
    }
    fum_free(raw);
    fum_free(planes);
    return result;
}
