// SPDX-License-Identifier: MIT
// Names tensors of TAESD and its kin, as their own files and other programs' do. The original
// numbers count the decoder's clamp as its first layer.
#include "model/names_layout.h"

#include "base/macros.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct fum_tiny_style styles[] = {
    {"decoder.layers.", "encoder.layers.", 0},
    {"taesd_decoder.", "taesd_encoder.", 1},
    {"decoder.", "encoder.", 1},
    {"", NULL, 1}, // a file of the decoder alone
};

const struct fum_tiny_style *fum_tiny_find_style(const fum_loader *loader) {
    for (size_t i = 0; i < FUM_COUNT(styles); i++) {
        const struct fum_tiny_style *s = &styles[i];
        // The first convolution has a bias, the first block follows the activation.
        if (fum_loader_dim(loader, s->decoder, 0, "%d.bias", s->shift) &&
            fum_loader_dim(loader, s->decoder, 0, "%d.conv.0.weight", s->shift + 2))
            return s;
    }
    return NULL;
}

// Renames decoder.layers.3.… to 4.… and the like.
static bool rename_tiny(const fum_names *names, const char *name, struct fum_file_name *out) {
    const struct fum_tiny_style *style = fum_tiny_find_style(names->loader);
    const char *rest = fum_name_below(name, "decoder.layers");
    const char *head = rest && style ? style->decoder : NULL;
    int shift = head ? style->shift : 0;
    if (!rest && style && (rest = fum_name_below(name, "encoder.layers"))) head = style->encoder;
    if (!head) return false;
    size_t digits = strspn(rest, "0123456789");
    if (!digits || digits > 4 || rest[digits] != '.') return false;
    int n =
        snprintf(out->text, sizeof out->text, "%s%d%s", head, atoi(rest) + shift, rest + digits);
    return n > 0 && (size_t)n < sizeof out->text;
}

const struct fum_names_layout fum_layout_tiny = {.rename = rename_tiny};
