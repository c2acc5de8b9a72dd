// SPDX-License-Identifier: MIT
#include "model/upscaler.h"

#include "base/error.h"
#include "base/macros.h"

#include <fumarole/file.h>

#include <stdio.h>

static const struct fum_upscaler_family *const families[] = {&fum_upscaler_rrdb,
                                                             &fum_upscaler_srvgg};

// What trainings put before the names, the best weights first.
static const char *const prefixes[] = {"params_ema.", "params.", ""};

static bool recognise(struct fum_upscaler_net *net) {
    for (size_t p = 0; p < FUM_COUNT(prefixes); p++)
        for (size_t f = 0; f < FUM_COUNT(families); f++) {
            *net = (struct fum_upscaler_net){
                .family = families[f], .loader = net->loader, .prefix = prefixes[p], .shuffle = 1};
            if (families[f]->recognise(net)) return true;
        }
    return false;
}

// Refuses what may be a diffusion model that enlarges, such as Stable Diffusion's x4 upscaler, and
// names the command that draws with one.
static enum fum_result refuse_model(const char *path, const char *what, struct fum_error *err) {
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "%s: %s, not a network such as an ESRGAN. A diffusion model that "
                         "enlarges draws by: fumarole generate -m MODEL -i IMAGE -p TEXT",
                         path, what);
}

enum fum_result fum_upscaler_net_read(struct fum_upscaler_net *net, struct fum_error *err) {
    if (recognise(net)) return FUM_OK;
    if (fum_loader_find(net->loader, "model.diffusion_model.time_embed.0.weight"))
        return refuse_model(fum_loader_path(net->loader), "a diffusion model", err);
    return fum_error_set(err, FUM_ERR_UNSUPPORTED,
                         "%s: not an upscaler that fumarole knows: ESRGAN (RRDB) or SRVGG compact",
                         fum_loader_path(net->loader));
}

enum fum_result fum_upscaler_net_open(struct fum_upscaler_net *net, const char *path,
                                      struct fum_error *err) {
    *net = (struct fum_upscaler_net){0};
    enum fum_file_kind kind = FUM_FILE_NONE;
    if (!fum_file_look(path, &kind, NULL) && kind == FUM_FILE_FOLDER)
        return refuse_model(path, "a folder", err);
    enum fum_result result = fum_loader_open(&net->loader, path, err);
    if (!result) result = fum_upscaler_net_read(net, err);
    if (result) fum_upscaler_net_close(net);
    return result;
}

void fum_upscaler_net_close(struct fum_upscaler_net *net) {
    fum_loader_close(&net->loader);
}

static bool find_weight(void *user, const char *name, struct fum_view *view) {
    const struct fum_upscaler_net *net = user;
    char full[512];
    int length = snprintf(full, sizeof full, "%s%s", net->prefix, name);
    if (length < 0 || (size_t)length >= sizeof full) return false;
    const struct fum_loader_tensor *tensor = fum_loader_find(net->loader, full);
    if (tensor) *view = tensor->view;
    return tensor != NULL;
}

struct fum_weight_source fum_upscaler_net_source(struct fum_upscaler_net *net) {
    return (struct fum_weight_source){.find = find_weight, .user = net};
}
