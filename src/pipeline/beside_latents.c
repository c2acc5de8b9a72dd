// SPDX-License-Identifier: MIT
#include "pipeline/beside_latents.h"

#include "base/error.h"
#include "graph/graph.h"

#include <string.h>

int fum_beside_channels(const fum_pipeline *pipe) {
    return pipe->view->unet.in_channels - pipe->view->vae.latent_channels;
}

void fum_beside_add(const fum_pipeline *pipe, fum_graph *graph, struct fum_denoiser *d) {
    const struct fum_attr axis[] = {{"axis", 3}, {0}};
    bool doubles = pipe->view->traits.doubles;
    int shorter = doubles ? 2 : 1;
    const struct fum_shape shape = {4,
                                    {(int64_t)d->copies * d->batch, d->height / shorter,
                                     d->width / shorter, fum_beside_channels(pipe)}};
    d->given.beside = fum_graph_input(graph, "beside", shape, graph->storage, FUM_STAGE_STEP);
    fum_tensor *beside = d->given.beside;
    if (doubles && beside)
        beside = fum_graph_add(graph, "upsample", NULL, FUM_INPUTS(beside), NULL);
    if (d->unet.x)
        d->unet.x =
            fum_graph_add(graph, "concat", "unet_input", FUM_INPUTS(d->unet.x, beside), axis);
}

enum fum_result fum_beside_write(fum_pipeline *pipe, const float *values, int first,
                                 struct fum_error *err) {
    const struct fum_denoiser *d = &pipe->denoiser;
    size_t all = (size_t)fum_shape_count(&d->given.beside->desc.shape),
           copy = all / (size_t)d->copies;
    float *copies = fum_calloc(all, sizeof *copies);
    if (!copies) return fum_error_set(err, FUM_ERR_NOMEM, "no memory for a picture's latents");
    for (int k = first; k < d->copies; k++)
        memcpy(copies + (size_t)k * copy, values, copy * sizeof *copies);
    enum fum_result result =
        fum_executable_write(pipe->unet->compiled.exe, d->given.beside, copies, all, err);
    fum_free(copies);
    return result;
}
