// SPDX-License-Identifier: MIT
// Puts what fields name in its place: files of the catalogue for names, pictures for their texts.
#include "fields.h"

#include <fumarole/tokenizer.h>

#include <stdlib.h>
#include <string.h>

// Keeps a copy of a text, which may be NULL.
static bool keep_copy(struct job_reader *r, const char *text, const char **copy) {
    char *kept = text ? cli_copy(text) : NULL;
    *copy = kept;
    return !text || job_spec_own(r->spec, kept) || job_refuse_memory(r->error);
}

// Gives LoRAs the names of their files, which may be spelled otherwise.
static bool bind_adapters(struct job_reader *r) {
    struct cli_adapters *adapters = &r->spec->request.adapters;
    for (int i = 0; i < adapters->count; i++) {
        const struct catalogue_entry *entry =
            job_find_file(r, CATALOGUE_LORA, adapters->names[i], "lora");
        if (!entry) return false;
        char *name = cli_copy(entry->name);
        if (!name) return job_refuse_memory(r->error);
        free(adapters->names[i]);
        adapters->names[i] = name;
        adapters->list[i].name = name;
    }
    return true;
}

// Checks a name in a prompt's tag, which the library looks for as it is.
static bool check_tag(void *user, const char *name) {
    struct job_reader *r = user;
    const struct catalogue_entry *entry = job_find_file(r, CATALOGUE_LORA, name, "prompt");
    if (entry && strcmp(entry->name, name) != 0)
        job_refuse(r->error, "prompt", "not_found",
                   "prompt: there is no LoRA \"%s\" here; did you mean %s?", cli_show(name).text,
                   cli_show(entry->name).text);
    return r->error->refusal == JOB_ACCEPTED;
}

static bool check_tags(struct job_reader *r) {
    const char *prompt = r->options->picture.prompt;
    if (prompt && fum_prompt_each_lora(prompt, check_tag, r, NULL))
        return job_refuse_memory(r->error);
    return r->error->refusal == JOB_ACCEPTED;
}

static const struct job_picture *find_picture(const struct job_reader *r, const char *text) {
    for (int i = 0; i < r->num_pictures; i++)
        if (r->pictures[i].text == text) return &r->pictures[i];
    return NULL;
}

static bool bind_controls(struct job_reader *r) {
    struct cli_controls *controls = &r->spec->request.controls;
    for (int i = 0; i < controls->count; i++) {
        struct fum_control *control = &controls->list[i];
        const struct job_picture *picture = find_picture(r, control->image.path);
        const struct catalogue_entry *entry =
            job_find_file(r, CATALOGUE_CONTROL, control->path, "control_net");
        if (!entry || !picture || !keep_copy(r, entry->path, &control->path)) return false;
        control->image = (struct fum_image_source){.data = picture->data, .bytes = picture->bytes};
    }
    r->options->control.images.count = 0; // no picture holds another
    return true;
}

bool job_bind_files(struct job_reader *r) {
    const struct catalogue *catalogue = r->context->catalogue;
    return bind_adapters(r) && check_tags(r) && bind_controls(r) &&
           keep_copy(r, catalogue_folder(catalogue, CATALOGUE_LORA),
                     &r->options->picture.adapter_dir) &&
           (!r->model->takes_prompt ||
            keep_copy(r, catalogue_folder(catalogue, CATALOGUE_EMBEDDING),
                      &r->options->embeddings_dir));
}
