// SPDX-License-Identifier: MIT
// Reads the names of an adapter's tensors in all styles: those of kohya's scripts, LyCORIS,
// diffusers and PEFT.
#ifndef FUM_ADAPTER_KEYS_H
#define FUM_ADAPTER_KEYS_H

#include <stdbool.h>
#include <stddef.h>

// What a tensor is for.
enum fum_adapter_role {
    FUM_ADAPTER_DOWN,    // LoRA: [rank, in]
    FUM_ADAPTER_UP,      // [out, rank]
    FUM_ADAPTER_MID,     // [rank, rank, height, width]
    FUM_ADAPTER_UP_BIAS, // PEFT: [out]
    FUM_ADAPTER_HADA_W1_A,
    FUM_ADAPTER_HADA_W1_B,
    FUM_ADAPTER_HADA_T1,
    FUM_ADAPTER_HADA_W2_A,
    FUM_ADAPTER_HADA_W2_B,
    FUM_ADAPTER_HADA_T2,
    FUM_ADAPTER_LOKR_W1,
    FUM_ADAPTER_LOKR_W1_A,
    FUM_ADAPTER_LOKR_W1_B,
    FUM_ADAPTER_LOKR_W2,
    FUM_ADAPTER_LOKR_W2_A,
    FUM_ADAPTER_LOKR_W2_B,
    FUM_ADAPTER_LOKR_T2,
    FUM_ADAPTER_IA3,   // LyCORIS: what is added to 1
    FUM_ADAPTER_IA3_L, // PEFT: the factor
    FUM_ADAPTER_ON_INPUT,
    FUM_ADAPTER_DIFF,
    FUM_ADAPTER_DIFF_BIAS,
    FUM_ADAPTER_ALPHA,
    FUM_ADAPTER_DORA,      // norms of the rows, or of the columns
    FUM_ADAPTER_MAGNITUDE, // PEFT: norms of the rows
    FUM_ADAPTER_ROLES,     // number of them
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
// True for a role by which a file is known to be an adapter. Other files have weights, too.
bool fum_adapter_role_tells(enum fum_adapter_role role);

// Replaces dots by "_".
void fum_adapter_flatten(char *name);

#endif
