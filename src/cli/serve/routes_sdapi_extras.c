// SPDX-License-Identifier: MIT
// A1111's routes that work on a picture without drawing: extra-single-image and png-info.
#include "../base64.h"
#include "api_pictures.h"
#include "enlarge.h"
#include "routes.h"
#include "sdapi.h"

#include <fumarole/metadata.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- png-info ----

static bool add_text(cJSON *object, const char *name, const char *text) {
    return cJSON_AddStringToObject(object, name, text) != NULL;
}

// Adds the fields under A1111's names, with the two numbers of the size.
static bool add_fields(cJSON *object, const struct fum_metadata *m) {
    int width = 0, height = 0;
    const char *size = fum_metadata_find(m, "Size");
    bool good = add_text(object, "Prompt", m->prompt) &&
                add_text(object, "Negative prompt", m->negative_prompt);
    for (size_t i = 0; i < m->num_fields && good; i++)
        if (strcmp(m->fields[i].key, "Size") != 0)
            good = add_text(object, m->fields[i].key, m->fields[i].value);
    if (!good || !size || sscanf(size, "%dx%d", &width, &height) != 2) return good;
    char text[2][16];
    snprintf(text[0], sizeof text[0], "%d", width);
    snprintf(text[1], sizeof text[1], "%d", height);
    return add_text(object, "Size-1", text[0]) && add_text(object, "Size-2", text[1]);
}

static cJSON *make_png_info(const struct fum_metadata *m) {
    cJSON *answer = cJSON_CreateObject();
    bool good = answer && add_text(answer, "info", m->parameters ? m->parameters : "");
    cJSON *items = good ? cJSON_AddObjectToObject(answer, "items") : NULL;
    good = items && (!m->parameters || add_text(items, "parameters", m->parameters)) &&
           (!m->request || add_text(items, "fumarole", m->request));
    cJSON *fields = good ? cJSON_AddObjectToObject(answer, "parameters") : NULL;
    good = fields && (!m->parameters || add_fields(fields, m));
    if (good) return answer;
    cJSON_Delete(answer);
    return NULL;
}

// Reads the picture that the request holds. Returns false with the call's error filled in.
static bool take_image(struct api_call *call, struct api_file *file) {
    const char *image = api_text(call, "image", "");
    if (!*image)
        return api_refuse(call, "image", "missing", "image is needed: a picture as base64");
    return api_decode_base64(call, "image", image, file);
}

static bool refuse_image(struct api_call *call, const struct fum_error *err) {
    return api_refuse(call, "image", "invalid_image", "image cannot be read: %s", err->text);
}

void route_sdapi_png_info(const struct http_request *request, struct http_response *response) {
    struct api_call call = {.request = request,
                            .response = response,
                            .table = sdapi_fields,
                            .route = SDAPI_PNG_INFO,
                            .given = request->json};
    struct api_file file = {0};
    struct fum_metadata *metadata = NULL;
    struct fum_error err = {0};
    bool good = api_begin(&call) && take_image(&call, &file);
    if (good && fum_metadata_decode(&metadata, file.data, file.bytes, "it", &err) != FUM_OK)
        good = refuse_image(&call, &err);
    if (good)
        http_answer_json(response, 200, make_png_info(metadata));
    else
        api_answer_refusal(&call);
    fum_metadata_destroy(&metadata);
    free(file.data);
    api_end(&call);
}

// ---- extra-single-image ----

// Decides the size of the result: a factor of the picture's, or a size that it fills.
static bool find_size(struct api_call *call, const struct fum_bitmap *bitmap,
                      struct enlarge_params *p) {
    enum { USUAL_SIDE = 512, MAX_FACTOR = 8 };
    double factor = api_number(call, "upscaling_resize", 2),
           mode = api_number(call, "resize_mode", 0);
    double width = api_number(call, "upscaling_resize_w", USUAL_SIDE),
           height = api_number(call, "upscaling_resize_h", USUAL_SIDE);
    if (mode != 0 && mode != 1)
        return api_refuse(call, "resize_mode", "out_of_range", "resize_mode must be 0 or 1");
    if (mode == 0 && !(factor > 0 && factor <= MAX_FACTOR))
        return api_refuse(call, "upscaling_resize", "out_of_range",
                          "upscaling_resize must lie above 0, up to %d", MAX_FACTOR);
    if (mode == 1 && !(width >= 1 && width <= FUM_MAX_SIDE))
        return api_refuse(call, "upscaling_resize_w", "out_of_range",
                          "upscaling_resize_w must lie in 1..%d", FUM_MAX_SIDE);
    if (mode == 1 && !(height >= 1 && height <= FUM_MAX_SIDE))
        return api_refuse(call, "upscaling_resize_h", "out_of_range",
                          "upscaling_resize_h must lie in 1..%d", FUM_MAX_SIDE);
    double across = width / bitmap->width, down = height / bitmap->height;
    bool crop = mode == 1 && api_flag(call, "upscaling_crop", true);
    if (mode == 1) factor = crop ? fmax(across, down) : fmin(across, down);
    p->width = (int)fmax(round(bitmap->width * factor), 1);
    p->height = (int)fmax(round(bitmap->height * factor), 1);
    p->crop_width = crop ? (int)width : p->width;
    p->crop_height = crop ? (int)height : p->height;
    return true;
}

static bool check_pixels(struct api_call *call, const struct enlarge_params *p) {
    long long most = call->request->server->context.max_pixels;
    if ((double)p->width * p->height <= (double)most) return true;
    return api_refuse(call, "upscaling_resize", "out_of_range",
                      "upscaling_resize makes %dx%d pixels; at most %lld are allowed", p->width,
                      p->height, most);
}

// Reads the enlarging of a request. Returns false with the call's error filled in.
static bool read_enlarging(struct api_call *call, const struct fum_bitmap *bitmap,
                           struct enlarge_params *p) {
    const char *name = api_text(call, "upscaler_1", "None");
    if (cli_same_word(name, "None")) { // which leaves the picture as it is
        p->width = p->crop_width = bitmap->width;
        p->height = p->crop_height = bitmap->height;
        return true;
    }
    if (!find_size(call, bitmap, p) || !check_pixels(call, p)) return false;
    p->nearest = cli_same_word(name, "Nearest");
    if (p->nearest || cli_same_word(name, "Lanczos")) return true;
    const struct catalogue *catalogue = server_catalogue(call->request->server);
    const struct catalogue_entry *entry = catalogue_find(catalogue, CATALOGUE_UPSCALER, name);
    if (entry) snprintf(p->network, sizeof p->network, "%s", entry->path);
    server_catalogue_done(call->request->server);
    return entry != NULL ||
           api_refuse(call, "upscaler_1", "invalid_value",
                      "upscaler_1: there is no upscaler \"%s\"; see /sdapi/v1/upscalers",
                      cli_show(name).text);
}

static cJSON *make_answer(const struct api_call *call, const struct fum_bytes *png,
                          const struct enlarge_params *p) {
    char info[300];
    char *text = cli_base64_encode(png->data, png->count);
    cJSON *answer = cJSON_CreateObject();
    const char *name = api_text(call, "upscaler_1", "None");
    // names that clients choose from a list, without signs of HTML
    snprintf(info, sizeof info, "<p>Postprocess upscaler: %.80s, Size: %dx%d</p>",
             strpbrk(name, "<>&\"") ? "" : name, p->crop_width, p->crop_height);
    bool good =
        text && answer && add_text(answer, "html_info", info) && add_text(answer, "image", text);
    free(text);
    if (good) return answer;
    cJSON_Delete(answer);
    return NULL;
}

// Writes the enlarged picture with the texts of the given one.
static enum fum_result encode(const struct fum_bitmap *bitmap, const struct api_file *given,
                              struct fum_bytes *png, struct fum_error *err) {
    struct fum_metadata *metadata = NULL;
    enum fum_result result =
        fum_metadata_decode(&metadata, given->data, given->bytes, "the picture", err);
    if (result == FUM_OK)
        result = fum_bitmap_encode(
            bitmap, &(struct fum_bitmap_format){.name = "png", .parameters = metadata->parameters},
            png, err);
    fum_metadata_destroy(&metadata);
    return result;
}

static void answer_failure(struct api_call *call, enum fum_result result,
                           const struct fum_error *err) {
    if (result == FUM_ERR_CANCELLED)
        http_answer_error(call->request, call->response, &(struct http_error){.status = 503},
                          "the server is going down");
    else
        http_answer_error(call->request, call->response, &(struct http_error){.status = 500}, "%s",
                          err->text);
}

static void enlarge(struct api_call *call, struct fum_bitmap *bitmap,
                    const struct api_file *given) {
    struct enlarge_params params = {.server = call->request->server};
    struct fum_bytes png = {0};
    struct fum_error err = {0};
    if (!read_enlarging(call, bitmap, &params)) {
        api_answer_refusal(call);
        return;
    }
    enum fum_result result = enlarge_bitmap(bitmap, &params, &err);
    if (result == FUM_OK) result = encode(bitmap, given, &png, &err);
    if (result == FUM_OK)
        http_answer_json(call->response, 200, make_answer(call, &png, &params));
    else
        answer_failure(call, result, &err);
    fum_bytes_free(&png);
}

void route_sdapi_extras(const struct http_request *request, struct http_response *response) {
    struct api_call call = {.request = request,
                            .response = response,
                            .table = sdapi_fields,
                            .route = SDAPI_EXTRAS,
                            .given = request->json};
    struct api_file file = {0};
    struct fum_bitmap bitmap = {0};
    struct fum_error err = {0};
    bool good = api_begin(&call) && take_image(&call, &file);
    const struct fum_bitmap_file picture = {.data = file.data, .bytes = file.bytes, .name = "it"};
    if (good && fum_bitmap_decode(&bitmap, &picture, &err) != FUM_OK)
        good = refuse_image(&call, &err);
    if (good)
        enlarge(&call, &bitmap, &file);
    else
        api_answer_refusal(&call);
    fum_bitmap_free(&bitmap);
    free(file.data);
    api_end(&call);
}
