// SPDX-License-Identifier: MIT
// Turns OpenAI's fields into those of a job.
#include "openai.h"

#include "../base64.h"
#include "api_names.h"

#include <fumarole/bitmap.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PICTURES = 10, MAX_PARTIALS = 3 };

// ---- how pictures are sent ----

static const char *find_choice(const char *text, const char *const *choices) {
    for (; *choices; choices++)
        if (strcmp(*choices, text) == 0) return *choices;
    return NULL;
}

// Reads a text that is one of a few. NULL: the call's error is filled in.
static const char *read_choice(struct api_call *call, const char *name,
                               const char *const *choices) {
    char list[100] = "";
    const char *found = find_choice(api_text(call, name, choices[0]), choices);
    if (found) return found;
    for (size_t i = 0, used = 0; choices[i] && used < sizeof list; i++)
        used +=
            (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", choices[i]);
    api_refuse(call, name, "invalid_value", "%s must be one of %s", name, list);
    return NULL;
}

static bool read_compression(struct openai_call *o) {
    double value = api_number(&o->call, "output_compression", 0);
    if (!api_get(&o->call, "output_compression")) return true;
    if (value < 0 || value > 100)
        return api_refuse(&o->call, "output_compression", "out_of_range",
                          "output_compression must lie in 0..100");
    o->format.quality = value < 1 ? 1 : (int)value;
    return true;
}

static bool read_format(struct openai_call *o) {
    static const char *const ways[] = {"b64_json", "url", NULL};
    static const char *const formats[] = {"png", "jpeg", "webp", NULL};
    static const char *const backgrounds[] = {"auto", "opaque", NULL};
    struct api_call *call = &o->call;
    const char *way = read_choice(call, "response_format", ways);
    o->format.name = way ? read_choice(call, "output_format", formats) : NULL;
    if (!o->format.name || !read_choice(call, "background", backgrounds) || !read_compression(o))
        return false;
    o->url = strcmp(way, "url") == 0;
    if (o->url && strcmp(o->format.name, "png") != 0)
        return api_refuse(call, "output_format", "unsupported",
                          "output_format must be png with response_format url, since a picture is "
                          "kept as a PNG");
    if (o->url && api_flag(call, "stream", false))
        return api_refuse(call, "response_format", "unsupported",
                          "response_format must be b64_json in a stream");
    return true;
}

static bool read_stream(struct openai_call *o) {
    double partials = api_number(&o->call, "partial_images", 0);
    if (partials < 0 || partials > MAX_PARTIALS)
        return api_refuse(&o->call, "partial_images", "out_of_range",
                          "partial_images must lie in 0..%d", MAX_PARTIALS);
    bool stream = api_flag(&o->call, "stream", false);
    o->partials = stream ? (int)partials : 0;
    return o->partials || api_set_text(&o->call, "preview", "none");
}

// ---- what is drawn ----

// True for OpenAI's own models, in whose place the default one draws.
static bool is_theirs(const char *name) {
    static const char *const begins[] = {"gpt-image-", "dall-e-", "chatgpt-image-"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(name, begins[i], strlen(begins[i])) == 0) return true;
    return false;
}

static bool set_model(struct api_call *call) {
    struct server *server = call->request->server;
    const char *name = api_text(call, "model", "");
    const struct catalogue *catalogue = server_catalogue(server);
    bool offered = *name && catalogue_find(catalogue, CATALOGUE_MODEL, name);
    server_catalogue_done(server);
    return !*name || (!offered && is_theirs(name)) || api_set_text(call, "model", name);
}

static bool set_count(struct api_call *call) {
    double n = api_number(call, "n", 1);
    if (n < 1 || n > MAX_PICTURES)
        return api_refuse(call, "n", "out_of_range", "n must lie in 1..%d", MAX_PICTURES);
    return api_set_number(call, "batch_count", n);
}

static bool set_sides(struct api_call *call, int width, int height) {
    return api_set_number(call, "width", width) && api_set_number(call, "height", height);
}

// Sets the size of an edit that gives none: the model's own, unless the picture has another shape,
// which then keeps its size.
static bool set_size_of_picture(struct openai_call *o, const struct fum_bitmap *picture) {
    struct api_model model;
    if (!api_find_model(&o->call, &model)) return true; // the job is refused for it
    bool same =
        (long long)model.width * picture->height == (long long)model.height * picture->width;
    return !same || set_sides(&o->call, model.width, model.height);
}

static bool set_size(struct openai_call *o, const struct fum_bitmap *picture) {
    struct api_call *call = &o->call;
    const char *text = api_text(call, "size", "auto");
    int width = 0, height = 0, end = 0;
    if (strcmp(text, "auto") == 0) return !picture->width || set_size_of_picture(o, picture);
    bool good = strspn(text, "0123456789x") == strlen(text) && *text != 'x' &&
                sscanf(text, "%5dx%5d%n", &width, &height, &end) == 2 && !text[end];
    if (!good)
        return api_refuse(call, "size", "invalid_value",
                          "size must be auto, or width and height such as 512x512, not \"%s\"",
                          cli_show(text).text);
    return set_sides(call, width, height);
}

// ---- pictures that are given ----

static bool set_base64(struct api_call *call, const char *field, const void *data, size_t bytes) {
    char *text = cli_base64_encode(data, bytes);
    bool good = text ? api_set_text(call, field, text) : api_refuse_memory(call);
    free(text);
    return good;
}

static bool set_image(struct openai_call *o, struct fum_bitmap *size) {
    struct fum_error err = {0};
    const struct fum_bitmap_file file = {.data = o->image, .bytes = o->image_bytes, .name = "it"};
    if (!o->image)
        return api_refuse(&o->call, "image", "missing", "image is needed: a picture as a file");
    if (fum_bitmap_measure(size, &file, &err) != FUM_OK)
        return api_refuse(&o->call, "image", "invalid_image", "image cannot be read: %s", err.text);
    return set_base64(&o->call, "init_img", o->image, o->image_bytes);
}

// Makes a mask as jobs have it, white where the picture may change, from one that is transparent
// there.
static void invert_alpha(struct fum_bitmap *mask) {
    size_t count = (size_t)mask->width * (size_t)mask->height, channels = (size_t)mask->channels;
    for (size_t i = 0; i < count; i++)
        mask->pixels[i] = (uint8_t)(255 - mask->pixels[i * channels + channels - 1]);
    mask->channels = 1;
}

static bool set_mask(struct openai_call *o) {
    struct fum_bitmap mask = {0};
    struct fum_bytes png = {0};
    struct fum_error err = {0};
    const struct fum_bitmap_file file = {.data = o->mask, .bytes = o->mask_bytes, .name = "it"};
    if (!o->mask) return true;
    enum fum_result result = fum_bitmap_decode(&mask, &file, &err);
    bool opaque = mask.channels == 1 || mask.channels == 3;
    if (result == FUM_OK && !opaque) {
        invert_alpha(&mask);
        result = fum_bitmap_encode(&mask, &(struct fum_bitmap_format){.name = "png"}, &png, &err);
    }
    bool good = result == FUM_OK && !opaque && set_base64(&o->call, "mask", png.data, png.count);
    if (result != FUM_OK)
        api_refuse(&o->call, "mask", "invalid_image", "mask cannot be read: %s", err.text);
    else if (opaque)
        api_refuse(&o->call, "mask", "invalid_image",
                   "mask has no transparency, which marks what is to change");
    fum_bytes_free(&png);
    fum_bitmap_free(&mask);
    return good;
}

bool openai_translate(struct openai_call *o) {
    struct api_call *call = &o->call;
    struct fum_bitmap picture = {0}; // its size alone
    bool given = call->route != OPENAI_GENERATE;
    if (!api_get(call, "prompt") && call->route != OPENAI_VARY)
        return api_refuse(call, "prompt", "missing", "prompt is needed");
    if (!api_get(call, "seed") && !api_set_number(call, "seed", -1)) return false;
    return read_format(o) && read_stream(o) && set_model(call) && api_fit_prompts(call) &&
           set_count(call) && (!given || (set_image(o, &picture) && set_mask(o))) &&
           set_size(o, &picture) &&
           api_set_sampling(call, api_text(call, "sampler", NULL),
                            api_text(call, "scheduler", NULL));
}
