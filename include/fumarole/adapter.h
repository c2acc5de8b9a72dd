// SPDX-License-Identifier: MIT
// Names the adapters that a picture is drawn with.
#ifndef FUMAROLE_ADAPTER_H
#define FUMAROLE_ADAPTER_H

#include <fumarole/core.h>

#ifdef __cplusplus
extern "C" {
#endif

// An adapter of a model's weights, such as a LoRA: a .safetensors file that training made.
struct fum_adapter {
    // The path of its file, or its name in a folder of adapters. The ending may be left out.
    const char *name;
    // What it adds is multiplied by these, for the UNet and for the text encoders. 1: as trained.
    float unet_weight, text_weight;
};

#ifdef __cplusplus
}
#endif

#endif
