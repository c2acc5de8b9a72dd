// SPDX-License-Identifier: MIT
// Lists the cases of the gradients of pools.
#ifndef FUM_CHECK_POOL_GRADIENT_CASES_H
#define FUM_CHECK_POOL_GRADIENT_CASES_H

#include "check/case.h"

#define FUM_POOL_ATTRS(kernel_, stride_, pad_, inside_, height_, width_)                         \
    {                                                                                            \
        {"kernel", kernel_}, {"stride", stride_}, {"pad", pad_}, {"count_include_pad", inside_}, \
            {"height", height_}, {                                                               \
            "width", width_                                                                      \
        }                                                                                        \
    }

// IN(image, gradient) makes the inputs of these two shapes.
// clang-format off
#define FUM_POOL_GRADIENT_CASES(IN) \
    {.name = "2x2, odd image", \
     .in = IN(FUM_DIMS(2, 7, 5, 9), FUM_DIMS(2, 3, 2, 9)), \
     .attrs = FUM_POOL_ATTRS(2, 0, 0, 1, 7, 5)}, \
    {.name = "3x3, stride 2", \
     .in = IN(FUM_DIMS(2, 9, 11, 6), FUM_DIMS(2, 4, 5, 6)), \
     .attrs = FUM_POOL_ATTRS(3, 2, 0, 1, 9, 11)}, \
    {.name = "3x3, stride 1, padding, inside alone", \
     .in = IN(FUM_DIMS(2, 6, 5, 8), FUM_DIMS(2, 6, 5, 8)), \
     .attrs = FUM_POOL_ATTRS(3, 1, 1, 0, 6, 5)}, \
    {.name = "3x3, stride 2, padding", \
     .in = IN(FUM_DIMS(2, 8, 7, 3), FUM_DIMS(2, 4, 4, 3)), \
     .attrs = FUM_POOL_ATTRS(3, 2, 1, 1, 8, 7)}, \
    {.name = "5x5, stride 3, padding 2", \
     .in = IN(FUM_DIMS(1, 10, 9, 4), FUM_DIMS(1, 4, 3, 4)), \
     .attrs = FUM_POOL_ATTRS(5, 3, 2, 0, 10, 9)}, \
    {.name = "stride above the kernel", \
     .in = IN(FUM_DIMS(1, 8, 9, 5), FUM_DIMS(1, 3, 3, 5)), \
     .attrs = FUM_POOL_ATTRS(2, 3, 0, 1, 8, 9)}, \
    {.name = "no images", \
     .in = IN(FUM_DIMS(0, 8, 8, 12), FUM_DIMS(0, 4, 4, 12)), \
     .attrs = FUM_POOL_ATTRS(2, 0, 0, 1, 8, 8)}, \
    {.name = "images in windows", \
     .in = IN(FUM_DIMS(5, 6, 6, 7), FUM_DIMS(5, 3, 3, 7)), \
     .attrs = FUM_POOL_ATTRS(2, 0, 0, 1, 6, 6), \
     .max_binding = 2048}, \
    {.name = "75x75, 64 channels", \
     .in = IN(FUM_DIMS(1, 75, 75, 64), FUM_DIMS(1, 37, 37, 64)), \
     .attrs = FUM_POOL_ATTRS(3, 2, 0, 1, 75, 75), \
     .bench = true}
// clang-format on

#endif
