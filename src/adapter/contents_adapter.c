// SPDX-License-Identifier: MIT
// Describes an adapter's file: its kinds, ranks and modules, and the models that it is made for.
#include "adapter/contents.h"

#include "adapter/file.h"
#include "adapter/kind.h"
#include "base/macros.h"
#include "model/family.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// Names of the kinds for people, in the order of kinds.def.
static const char *const titles[] = {
    "LoRA", "LoRA", "LoHa", "LoKr", "IA3", "IA3", "full difference", "full difference"};

struct survey {
    int kinds[FUM_COUNT(titles)];
    int unet, text, dora, unknown; // modules
    double least_rank, most_rank, least_alpha, most_alpha;
    int context; // width of the text that the UNet's modules attend to; 0: unknown
};

static void widen(double value, double *least, double *most) {
    *least = fmin(*least, value);
    *most = fmax(*most, value);
}

// Reads the rank off the factors that have it as their first dimension.
static void read_rank(struct survey *s, const struct fum_adapter_group *g) {
    static const enum fum_adapter_role roles[] = {FUM_ADAPTER_DOWN, FUM_ADAPTER_HADA_W1_B,
                                                  FUM_ADAPTER_LOKR_W1_B, FUM_ADAPTER_LOKR_W2_B};
    for (size_t i = 0; i < FUM_COUNT(roles); i++) {
        const struct fum_loader_tensor *t = g->tensors[roles[i]];
        if (!t || t->view.rank < 2) continue;
        widen((double)t->view.dim[0], &s->least_rank, &s->most_rank);
        return;
    }
}

static void read_alpha(struct survey *s, const struct fum_adapter_group *g) {
    const struct fum_loader_tensor *t = g->tensors[FUM_ADAPTER_ALPHA];
    float alpha;
    if (t && fum_view_count(&t->view) == 1 && t->view.dtype != FUM_DTYPE_UNKNOWN &&
        !fum_view_read_f32(&t->view, &alpha, NULL))
        widen((double)alpha, &s->least_alpha, &s->most_alpha);
}

static void read_kind(struct survey *s, const struct fum_adapter_group *g) {
    struct fum_adapter_layer layer = {0};
    memcpy(layer.tensors, g->tensors, sizeof layer.tensors);
    for (size_t i = 0; i < FUM_COUNT(titles) && fum_adapter_kinds[i]; i++) {
        layer.kind = fum_adapter_kinds[i];
        if (!layer.kind->present(&layer)) continue;
        s->kinds[i]++;
        return;
    }
    s->unknown++;
}

static void read_group(struct survey *s, const struct fum_adapter_group *g) {
    bool text = strstr(g->module, "lora_te") || strstr(g->module, "text_encoder") ||
                strstr(g->module, "text_model");
    if (text)
        s->text++;
    else
        s->unet++;
    s->dora += g->tensors[FUM_ADAPTER_DORA] || g->tensors[FUM_ADAPTER_MAGNITUDE];
    read_kind(s, g);
    read_rank(s, g);
    read_alpha(s, g);
    const struct fum_loader_tensor *down = g->tensors[FUM_ADAPTER_DOWN];
    if (!text && down && down->view.rank >= 2 && strstr(g->module, "attn2_to_k"))
        s->context = (int)down->view.dim[1];
}

// Lists how many modules each kind changes: "LoRA 192, IA3 4".
static void add_kinds(fum_contents *c, const struct survey *s) {
    char list[160] = "";
    int best = 0;
    for (size_t i = 0; i < FUM_COUNT(titles); i++) {
        size_t used = strlen(list);
        if (s->kinds[i] > s->kinds[best]) best = (int)i;
        if (s->kinds[i])
            snprintf(list + used, sizeof list - used, "%s%s %d", used ? ", " : "", titles[i],
                     s->kinds[i]);
    }
    c->info.title = s->dora && best == 0 ? "DoRA" : titles[best];
    if (!*list) c->info.title = "adapter of an unknown kind";
    if (*list) fum_contents_add(c, "kinds", "%s", list);
}

// Adds texts that trainers write about the model.
static void add_origin(fum_contents *c) {
    static const char *const keys[][2] = {{"ss_base_model_version", "trained on"},
                                          {"modelspec.architecture", "architecture"},
                                          {"ss_sd_model_name", "base model"},
                                          {"modelspec.trigger_phrase", "trigger"}};
    for (size_t i = 0; i < FUM_COUNT(keys); i++) {
        const char *value = fum_loader_metadata(c->loader, keys[i][0]);
        if (value && *value) fum_contents_add(c, keys[i][1], "%s", value);
    }
}

static void add_survey(fum_contents *c, const struct survey *s) {
    add_kinds(c, s);
    fum_contents_add_range(c, "rank", s->least_rank, s->most_rank);
    fum_contents_add_range(c, "alpha", s->least_alpha, s->most_alpha);
    fum_contents_add(c, "unet modules", "%d", s->unet);
    fum_contents_add(c, "text modules", "%d", s->text);
    if (s->dora) fum_contents_add(c, "dora modules", "%d", s->dora);
    if (s->unknown) fum_contents_add(c, "unknown modules", "%d", s->unknown);
    fum_contents_add_family(c, s->context);
    add_origin(c);
}

static bool recognise_adapter(fum_contents *c) {
    struct survey s = {.least_rank = INFINITY,
                       .most_rank = -INFINITY,
                       .least_alpha = INFINITY,
                       .most_alpha = -INFINITY};
    struct fum_adapter_file file;
    struct fum_error err = {0};
    bool known = !fum_adapter_file_open(&file, c->arena, NULL, c->info.path, &err);
    fum_contents_note(c, &err);
    for (size_t i = 0; known && i < file.count; i++) read_group(&s, &file.groups[i]);
    fum_adapter_file_close(&file);
    if (known) add_survey(c, &s);
    return known;
}

const struct fum_contents_kind fum_contents_adapter = {"adapter", recognise_adapter};
