// SPDX-License-Identifier: MIT
// Small files of a diffusers folder that a single file carries as texts (fum_convert). They go
// before what the file's tensors show.
#ifndef FUM_MODEL_EMBEDDED_H
#define FUM_MODEL_EMBEDDED_H

#include <fumarole/tokenizer.h>

#include "model/checkpoint.h"

// Key of a text: "fumarole.file.unet/config.json" is that file.
#define FUM_EMBEDDED_FILE "fumarole.file."
// Key of a text that is there if the names of a text encoder in the folder lack "text_model.".
#define FUM_EMBEDDED_BARE "fumarole.bare."

// Replaces the configurations that the file carries, and notes that it was a folder.
enum fum_result fum_embedded_configs(struct fum_checkpoint *checkpoint, const fum_loader *loader,
                                     struct fum_error *err);
// Replaces the configuration of a component by that which the file carries, if there is one.
enum fum_result fum_embedded_config(cJSON **config, const fum_loader *loader, const char *component,
                                    struct fum_error *err);
// Returns the folder's model_index.json, which is to be deleted. NULL: the file carries none.
cJSON *fum_embedded_index(const fum_loader *loader);
// Creates the tokenizer of a folder ("tokenizer"). NULL without an error: the file carries none.
enum fum_result fum_embedded_tokenizer(fum_tokenizer **tokenizer, const fum_loader *loader,
                                       const char *folder, struct fum_error *err);

#endif
