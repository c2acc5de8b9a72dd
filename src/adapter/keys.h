// SPDX-License-Identifier: MIT
// Reads the names of an adapter's tensors in all styles: those of kohya's scripts, LyCORIS,
// diffusers and PEFT.
#ifndef FUM_ADAPTER_KEYS_H
#define FUM_ADAPTER_KEYS_H

#include <stdbool.h>
#include <stddef.h>

// What a tensor is for.
enum fum_adapter_role {
    FUM_ADAPTER_DOWN, // LoRA: [rank, in]
    FUM_ADAPTER_UP,   // [out, rank]
    FUM_ADAPTER_MID,  // [rank, rank, height, width]
    FUM_ADAPTER_ALPHA,
    FUM_ADAPTER_ROLES, // number of them
};

enum { FUM_ADAPTER_NAME = 512 }; // bytes of a name, at most

// A tensor's name, taken apart.
struct fum_adapter_key {
    enum fum_adapter_role role;
    size_t stem; // bytes of the name before the role
    // The module as kohya's scripts name it, with "_" for every dot, and the style's prefix.
    char module[FUM_ADAPTER_NAME];
};

// Takes a name apart. False: no adapter has such a tensor.
bool fum_adapter_key_parse(struct fum_adapter_key *key, const char *name);

// Replaces dots by "_".
void fum_adapter_flatten(char *name);

#endif
