// SPDX-License-Identifier: MIT
#include "base/number.h"

#include <stdio.h>
#include <string.h>

void fum_number_set_point(char *text) {
    size_t before = strspn(text, "+-0123456789"), bytes = strcspn(text + before, "0123456789");
    // an exponent, or no digits at all
    bool ends = !text[before] || strchr("einf", text[before] | 0x20);
    if (ends || !bytes) return;
    text[before] = '.';
    memmove(text + before + 1, text + before + bytes, strlen(text + before + bytes) + 1);
}

const char *fum_number_format(char text[FUM_NUMBER_BYTES], int digits, double value) {
    snprintf(text, FUM_NUMBER_BYTES, "%.*g", digits, value);
    fum_number_set_point(text);
    return text;
}
