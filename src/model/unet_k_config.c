// SPDX-License-Identifier: MIT
// Reads what config.json says of k-diffusion's levels. "attention_head_dim" is the size of a head
// here, unlike elsewhere.
#include "base/macros.h"
#include "model/unet_k.h"

#include <string.h>

enum { LEVEL_CHANNELS = 128, MAX_CHANNELS = 1 << 16, ROWS_PER_LAYER = 4 };

static const char *activation_op(struct fum_config *c, const char *key, const char *fallback) {
    static const char *const names[][2] = {
        {"silu", "silu"}, {"swish", "silu"}, {"gelu", "gelu"}, {"relu", "relu"}};
    const char *name = fum_config_string(c, key, fallback);
    for (size_t i = 0; i < FUM_COUNT(names) && name; i++)
        if (!strcmp(names[i][0], name)) return names[i][1];
    if (name) fum_config_unsupported(c, key);
    return NULL;
}

static void parse_time(struct fum_config *c, struct fum_unet_config *u) {
    if (strcmp(fum_config_string(c, "time_embedding_type", "positional"), "fourier"))
        fum_config_unsupported(c, "time_embedding_type");
    u->activation = activation_op(c, "act_fn", "silu");
    u->time_activation = activation_op(c, "timestep_post_act", NULL);
    u->time_channels =
        fum_config_int(c, "time_embedding_dim", 2 * u->down[0].channels, 2, MAX_CHANNELS);
    if (u->time_channels % 2)
        fum_config_fail(c, "time_embedding_dim", "is %d, which is not even", u->time_channels);
    u->text_time = true;
    u->text_time_channels = LEVEL_CHANNELS;
    u->text_time_in = fum_config_int(c, "time_cond_proj_dim", 0, LEVEL_CHANNELS + 1, MAX_CHANNELS);
    if (!u->text_time_in)
        fum_config_fail(c, "time_cond_proj_dim", "is missing; K blocks are built with it alone");
}

// Checks what diffusers derives the kind of each block on the way up from.
static void check_levels(struct fum_config *c, const struct fum_unet_config *u) {
    int layers = 0, last = u->num_blocks - 1;
    for (int i = 0; i <= last; i++) {
        int channels = u->up[i].channels, next = u->up[FUM_MIN(i + 1, last)].channels;
        bool first = channels == next && channels == u->time_channels && u->up[i].attention;
        layers += u->up[i].layers;
        if (first != (i == 0))
            fum_config_fail(c, "block_out_channels",
                            "must end with two levels, and no more, of the time embedding's %d "
                            "channels",
                            u->time_channels);
        if (channels < 32 || channels % u->up[i].heads || next % u->up[i].heads)
            fum_config_fail(c, "attention_head_dim",
                            "is %d, which must divide all channels, and these be 32 or more",
                            u->up[i].heads);
    }
    if (!u->down[last].attention) fum_config_unsupported(c, "down_block_types");
    if (2 * layers * ROWS_PER_LAYER > FUM_NN_TIME_ROWS)
        fum_config_fail(c, "layers_per_block", "gives %d layers, more than %d", layers,
                        FUM_NN_TIME_ROWS / ROWS_PER_LAYER / 2);
}

void fum_unet_k_config(struct fum_config *c, struct fum_unet_config *u) {
    for (int i = 0; i < u->num_blocks; i++) u->up[i].layers = u->down[u->num_blocks - 1 - i].layers;
    u->scale_shift = true;
    if (u->groups) fum_config_unsupported(c, "norm_num_groups");
    if (u->mid != FUM_UNET_MID_NONE) fum_config_unsupported(c, "mid_block_type");
    parse_time(c, u);
    if (!c->result) check_levels(c, u);
}
