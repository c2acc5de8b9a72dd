// SPDX-License-Identifier: MIT
// The models, LoRAs, embeddings and upscalers that a server offers by name.
#ifndef FUM_CLI_JOB_CATALOGUE_H
#define FUM_CLI_JOB_CATALOGUE_H

#include "../cli.h"

#include <fumarole/model.h>

enum catalogue_kind {
    CATALOGUE_MODEL,
    CATALOGUE_LORA,
    CATALOGUE_EMBEDDING,
    CATALOGUE_UPSCALER,
    CATALOGUE_CONTROL, // ControlNets and T2I-adapters
    CATALOGUE_KINDS,
};

struct catalogue_entry {
    const char *name; // the last part of the path, without the ending of a file
    const char *path;
    // A thread computes hashes of large models, so these two change once.
    const char *_Atomic hash;  // 64 hexadecimal digits of a model or LoRA; NULL: not known yet
    const char *_Atomic title; // "NAME [hash10]", or the name
    // The defaults of a model, read when it is listed. All zero for other kinds.
    int width, height, steps, size_multiple;
    float guidance;
    const char *sampler, *schedule;
    const char *const *schedules; // default for each sampler, as fum_sampler_name counts them; NULL
                                  // where the model does not run with that one
    bool takes_prompt;
    int scale; // of an upscaler: sides become so many times as long; 0: not known
};

// Never changes once it is made, so any number of threads may read it. Listing again makes another.
struct catalogue;

struct catalogue_params {
    const struct cli_list
        *models;            // of -m: paths or names of shipped models; the first is the default
    const char *models_dir; // NULL: none. Each model in it is offered, and each ControlNet
    const char *lora_dir, *embeddings_dir, *upscalers_dir; // NULL: none
    const struct fum_log *log;
};

// Lists everything. Returns 0, or prints the error and returns an exit status.
int catalogue_create(struct catalogue **catalogue, const struct catalogue_params *params);
void catalogue_destroy(struct catalogue **catalogue);
// Returns the index-th entry of a kind, in the order of names with the default model first. NULL
// past the last.
const struct catalogue_entry *catalogue_at(const struct catalogue *catalogue,
                                           enum catalogue_kind kind, size_t index);
// Returns the folder of a kind, as it was given; NULL: none.
const char *catalogue_folder(const struct catalogue *catalogue, enum catalogue_kind kind);
// Returns the entry with that name or title, in any case; NULL: there is none.
const struct catalogue_entry *catalogue_find(const struct catalogue *catalogue,
                                             enum catalogue_kind kind, const char *name);

#endif
