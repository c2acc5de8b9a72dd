// SPDX-License-Identifier: MIT
// A1111's routes that list what the server offers.
#include "api_names.h"
#include "options.h"
#include "routes.h"
#include "server.h"

#include <fumarole/contents.h>
#include <fumarole/sampler.h>

#include <stdlib.h>
#include <string.h>

// A list that is made; `good` is false once memory was refused.
struct list {
    cJSON *array;
    bool good;
};

static void put(struct list *list, cJSON *object, const char *name, cJSON *value) {
    list->good = cli_json_put(object, name, value) && list->good;
}

static void put_text(struct list *list, cJSON *object, const char *name, const char *text) {
    put(list, object, name, text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

// Adds an object to the list and returns it.
static cJSON *add_object(struct list *list) {
    cJSON *object = cJSON_CreateObject();
    if (object && cJSON_AddItemToArray(list->array, object)) return object;
    cJSON_Delete(object);
    list->good = false;
    return NULL;
}

static void answer(struct http_response *response, struct list *list) {
    if (!list->good) {
        cJSON_Delete(list->array);
        list->array = NULL;
    }
    http_answer_json(response, 200, list->array);
}

static struct list make_list(void) {
    return (struct list){cJSON_CreateArray(), true};
}

// ---- names ----

void route_sdapi_samplers(const struct http_request *request, struct http_response *response) {
    struct list list = make_list();
    (void)request;
    for (size_t i = 0; fum_sampler_name(i); i++) {
        const char *name = fum_sampler_name(i);
        cJSON *object = add_object(&list);
        put_text(&list, object, "name", fum_sampler_label(i));
        put(&list, object, "aliases", cJSON_CreateStringArray(&name, 1));
        put(&list, object, "options", cJSON_CreateObject());
    }
    answer(response, &list);
}

static void add_schedule(struct list *list, const char *name, const char *label,
                         const char *alias) {
    cJSON *object = add_object(list);
    bool renamed = alias && strcmp(alias, name) != 0;
    put_text(list, object, "name", name);
    put_text(list, object, "label", label);
    put(list, object, "aliases", renamed ? cJSON_CreateStringArray(&alias, 1) : cJSON_CreateNull());
    put(list, object, "default_rho", cJSON_CreateNumber(strcmp(name, "karras") == 0 ? 7 : -1));
    put(list, object, "need_inner_model", cJSON_CreateFalse());
}

void route_sdapi_schedulers(const struct http_request *request, struct http_response *response) {
    struct list list = make_list();
    (void)request;
    add_schedule(&list, "automatic", "Automatic", NULL);
    for (size_t i = 0; fum_schedule_name(i); i++)
        add_schedule(&list, api_schedule_name(i), fum_schedule_label(i), fum_schedule_name(i));
    answer(response, &list);
}

static void add_name(struct list *list, const char *name) {
    put_text(list, add_object(list), "name", name);
}

void route_sdapi_latent_upscale_modes(const struct http_request *request,
                                      struct http_response *response) {
    struct list list = make_list();
    (void)request;
    add_name(&list, "Latent");
    add_name(&list, "Latent (bicubic)");
    answer(response, &list);
}

// ---- files ----

// Answers with a list of the files of a kind.
static void answer_files(const struct http_request *request, struct http_response *response,
                         enum catalogue_kind kind,
                         void (*fill)(struct list *list, const struct catalogue_entry *entry)) {
    struct list list = make_list();
    const struct catalogue *catalogue = server_catalogue(request->server);
    const struct catalogue_entry *entry;
    for (size_t i = 0; (entry = catalogue_at(catalogue, kind, i)); i++) fill(&list, entry);
    server_catalogue_done(request->server);
    answer(response, &list);
}

static void fill_model(struct list *list, const struct catalogue_entry *entry) {
    enum { SHORT = 10 };
    const char *hash = entry->hash;
    char start[SHORT + 1] = "";
    cJSON *object = add_object(list);
    if (hash) snprintf(start, sizeof start, "%s", hash);
    put_text(list, object, "title", entry->title);
    put_text(list, object, "model_name", entry->name);
    put_text(list, object, "hash", hash ? start : NULL);
    put_text(list, object, "sha256", hash);
    put_text(list, object, "filename", entry->path);
    put(list, object, "config", cJSON_CreateNull());
}

void route_sdapi_models(const struct http_request *request, struct http_response *response) {
    answer_files(request, response, CATALOGUE_MODEL, fill_model);
}

// Returns a text of a file, or the object whose JSON it is, as A1111 lists them.
static cJSON *read_value(const char *text) {
    cJSON *object = text[0] == '{' ? cJSON_Parse(text) : NULL;
    return object ? object : cJSON_CreateString(text);
}

// Returns what a LoRA's file says of its training.
static cJSON *make_metadata(struct list *list, const char *path) {
    fum_contents *contents = NULL;
    struct fum_error err = {0};
    cJSON *object = cJSON_CreateObject();
    const char *key = NULL, *text;
    if (fum_contents_open(&contents, path, &err) == FUM_OK && contents)
        for (int i = 0; (text = fum_contents_metadata(contents, i, &key)); i++)
            put(list, object, key, read_value(text));
    fum_contents_close(&contents);
    return object;
}

static void fill_lora(struct list *list, const struct catalogue_entry *entry) {
    cJSON *object = add_object(list);
    put_text(list, object, "name", entry->name);
    put_text(list, object, "alias", entry->name);
    put_text(list, object, "path", entry->path);
    put(list, object, "metadata", make_metadata(list, entry->path));
}

void route_sdapi_loras(const struct http_request *request, struct http_response *response) {
    answer_files(request, response, CATALOGUE_LORA, fill_lora);
}

static void add_upscaler(struct list *list, const char *name, const char *path, double scale) {
    cJSON *object = add_object(list);
    put_text(list, object, "name", name);
    put_text(list, object, "model_name", path ? name : NULL);
    put_text(list, object, "model_path", path);
    put_text(list, object, "model_url", NULL);
    put(list, object, "scale", scale > 0 ? cJSON_CreateNumber(scale) : cJSON_CreateNull());
}

void route_sdapi_upscalers(const struct http_request *request, struct http_response *response) {
    enum { ANY_SCALE = 4 }; // as A1111 lists those that scale by any factor
    struct list list = make_list();
    const struct catalogue *catalogue = server_catalogue(request->server);
    const struct catalogue_entry *entry;
    add_upscaler(&list, "None", NULL, ANY_SCALE);
    add_upscaler(&list, "Lanczos", NULL, ANY_SCALE);
    add_upscaler(&list, "Nearest", NULL, ANY_SCALE);
    for (size_t i = 0; (entry = catalogue_at(catalogue, CATALOGUE_UPSCALER, i)); i++)
        add_upscaler(&list, entry->name, entry->path, entry->scale);
    server_catalogue_done(request->server);
    answer(response, &list);
}

// Adds what is known of an embedding's file, such as its number of vectors.
static void fill_embedding(struct list *list, cJSON *object, const char *path) {
    fum_contents *contents = NULL;
    struct fum_error err = {0};
    put(list, object, "step", cJSON_CreateNull());
    put(list, object, "sd_checkpoint", cJSON_CreateNull());
    put(list, object, "sd_checkpoint_name", cJSON_CreateNull());
    if (fum_contents_open(&contents, path, &err) == FUM_OK && contents) {
        const struct fum_contents_info *info = fum_contents_get_info(contents);
        for (int i = 0; i < info->num_facts; i++)
            if (info->facts[i].number)
                put(list, object, info->facts[i].name,
                    cJSON_CreateNumber(strtod(info->facts[i].text, NULL)));
    }
    fum_contents_close(&contents);
}

void route_sdapi_embeddings(const struct http_request *request, struct http_response *response) {
    struct list list = {cJSON_CreateObject(), true};
    cJSON *loaded = cJSON_CreateObject();
    const struct catalogue *catalogue = server_catalogue(request->server);
    const struct catalogue_entry *entry;
    for (size_t i = 0; (entry = catalogue_at(catalogue, CATALOGUE_EMBEDDING, i)); i++) {
        cJSON *object = cJSON_CreateObject();
        fill_embedding(&list, object, entry->path);
        put(&list, loaded, entry->name, object);
    }
    server_catalogue_done(request->server);
    put(&list, list.array, "loaded", loaded);
    put(&list, list.array, "skipped", cJSON_CreateObject());
    answer(response, &list);
}

// ---- kinds of files that the server does not offer ----

// Answers for hypernetworks, styles, VAEs to choose, and networks for faces.
void route_sdapi_none(const struct http_request *request, struct http_response *response) {
    struct list list = make_list();
    (void)request;
    answer(response, &list);
}

void route_sdapi_scripts(const struct http_request *request, struct http_response *response) {
    struct list list = {cJSON_CreateObject(), true};
    (void)request;
    put(&list, list.array, "txt2img", cJSON_CreateArray());
    put(&list, list.array, "img2img", cJSON_CreateArray());
    answer(response, &list);
}

void route_controlnet_models(const struct http_request *request, struct http_response *response) {
    struct list list = {cJSON_CreateObject(), true};
    cJSON *names = cJSON_CreateArray();
    const struct catalogue *catalogue = server_catalogue(request->server);
    const struct catalogue_entry *entry;
    for (size_t i = 0; (entry = catalogue_at(catalogue, CATALOGUE_CONTROL, i)); i++) {
        cJSON *name = cJSON_CreateString(entry->name);
        if (!name || !cJSON_AddItemToArray(names, name)) {
            cJSON_Delete(name);
            list.good = false;
        }
    }
    server_catalogue_done(request->server);
    put(&list, list.array, "model_list", names);
    answer(response, &list);
}

void route_controlnet_modules(const struct http_request *request, struct http_response *response) {
    static const char *const modules[] = {"none", "canny"};
    struct list list = {cJSON_CreateObject(), true};
    (void)request;
    put(&list, list.array, "module_list", cJSON_CreateStringArray(modules, 2));
    answer(response, &list);
}

void route_sdapi_refresh(const struct http_request *request, struct http_response *response) {
    if (server_refresh(request->server) == 0)
        http_answer_json(response, 200, cJSON_CreateObject());
    else
        http_answer_error(request, response, &(struct http_error){.status = 500},
                          "the files could not be listed; those from before are still offered");
}
