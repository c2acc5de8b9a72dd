// SPDX-License-Identifier: MIT
// Writes the parameters text of a picture as A1111's create_infotext lays it out. It is the prompt,
// the negative prompt, and a line of "key: value" pairs in a fixed order.
#include "io/image.h"

#include "base/number.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
    char *bytes;
    size_t used, size;
    bool failed;
};

static void add_bytes(struct text *t, const char *bytes, size_t n) {
    if (t->failed) return;
    if (t->size - t->used <= n) {
        size_t wanted = (t->used + n + 1) * 2;
        char *grown = fum_realloc(t->bytes, wanted, 1);
        if (!grown) {
            t->failed = true;
            return;
        }
        t->bytes = grown;
        t->size = wanted;
    }
    memcpy(t->bytes + t->used, bytes, n);
    t->used += n;
    t->bytes[t->used] = 0;
}

static void add_text(struct text *t, const char *text) {
    add_bytes(t, text, strlen(text));
}

// Adds a text as json.dumps(text, ensure_ascii=False) writes it.
static void add_json(struct text *t, const char *text) {
    add_text(t, "\"");
    for (const char *p = text; *p; p++) {
        char escape[8];
        if (*p == '"' || *p == '\\')
            snprintf(escape, sizeof escape, "\\%c", *p);
        else if (*p == '\n')
            snprintf(escape, sizeof escape, "\\n");
        else if (*p == '\r')
            snprintf(escape, sizeof escape, "\\r");
        else if (*p == '\t')
            snprintf(escape, sizeof escape, "\\t");
        else if ((unsigned char)*p < 0x20)
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*p);
        else
            snprintf(escape, sizeof escape, "%c", *p);
        add_text(t, escape);
    }
    add_text(t, "\"");
}

// Adds ", key: value", the value quoted where a reader could take it for more pairs. Leaves a NULL
// value out.
static void add_pair(struct text *t, const char *key, const char *value) {
    if (!value) return;
    if (t->used && t->bytes[t->used - 1] != '\n') add_text(t, ", ");
    add_text(t, key);
    add_text(t, ": ");
    if (strpbrk(value, ",:\n"))
        add_json(t, value);
    else
        add_text(t, value);
}

static void add_format(struct text *t, const char *key, const char *fmt, ...) FUM_PRINTF(3, 4);
static void add_format(struct text *t, const char *key, const char *fmt, ...) {
    char value[64];
    va_list args;
    va_start(args, fmt);
    vsnprintf(value, sizeof value, fmt, args);
    va_end(args);
    add_pair(t, key, value);
}

static void add_number(struct text *t, const char *key, double value) {
    char text[FUM_NUMBER_BYTES];
    add_pair(t, key, fum_number_shorten(text, value));
}

// Skips blanks at the front. create_infotext strips the whole text, so that an empty prompt leaves
// no empty line.
static const char *skip_blanks(const char *text) {
    return text + strspn(text, " \t\r\n\v\f");
}

char *fum_image_format_parameters(const struct fum_image_parameters *p) {
    struct text t = {0};
    add_text(&t, p->prompt ? skip_blanks(p->prompt) : "");
    if (p->negative && *p->negative) {
        add_text(&t, t.used ? "\nNegative prompt: " : "Negative prompt: ");
        add_text(&t, p->negative);
    }
    if (t.used) add_text(&t, "\n");
    add_format(&t, "Steps", "%d", p->steps);
    add_pair(&t, "Sampler", p->sampler);
    add_pair(&t, "Schedule type", p->schedule);
    add_number(&t, "CFG scale", p->cfg);
    add_format(&t, "Seed", "%" PRIu64, p->seed);
    add_format(&t, "Size", "%dx%d", p->width, p->height);
    add_pair(&t, "Model hash", p->model_hash);
    add_pair(&t, "Model", p->model);
    if (p->denoising > 0) add_number(&t, "Denoising strength", p->denoising);
    if (p->clip_skip > 1) add_format(&t, "Clip skip", "%d", p->clip_skip);
    if (p->eta_noise_seed_delta) add_format(&t, "ENSD", "%d", p->eta_noise_seed_delta);
    add_pair(&t, "RNG", p->rng);
    for (size_t i = 0; i < p->extra_count; i++) add_pair(&t, p->extra[i].key, p->extra[i].value);
    add_pair(&t, "Version", p->version);
    if (t.failed) {
        fum_free(t.bytes);
        return NULL;
    }
    return t.bytes;
}
