// SPDX-License-Identifier: MIT
// Writes the inputs of a case of a group norm: an image [..., c], and its scale and shift.
#ifndef FUM_CHECK_GROUP_NORM_CASES_H
#define FUM_CHECK_GROUP_NORM_CASES_H

#include "check/case.h"

#define IN(c, ...)                                                     \
    {                                                                  \
        {.shape = FUM_DIMS(__VA_ARGS__, c)}, {.shape = FUM_DIMS(c)}, { \
            .shape = FUM_DIMS(c)                                       \
        }                                                              \
    }
// Adds a second image of c1 channels, which is read as following those of the first.
#define TWO(c, c1, ...)                                                       \
    {                                                                         \
        {.shape = FUM_DIMS(__VA_ARGS__, c)}, {.shape = FUM_DIMS((c) + (c1))}, \
            {.shape = FUM_DIMS((c) + (c1))}, {                                \
            .shape = FUM_DIMS(__VA_ARGS__, c1)                                \
        }                                                                     \
    }
// Fills the image with values of a kind.
#define FILLED(kind, c, ...)                                                         \
    {                                                                                \
        {.shape = FUM_DIMS(__VA_ARGS__, c), .fill = kind}, {.shape = FUM_DIMS(c)}, { \
            .shape = FUM_DIMS(c)                                                     \
        }                                                                            \
    }

#endif
