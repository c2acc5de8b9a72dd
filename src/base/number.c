// SPDX-License-Identifier: MIT
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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

const char *fum_number_shorten(char text[FUM_NUMBER_BYTES], double value) {
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, FUM_NUMBER_BYTES, "%.*g", digits, value);
        if ((float)strtod(text, NULL) == (float)value) break; // both of the program's locale
    }
    fum_number_set_point(text);
    return text;
}

double fum_number_widen(float value) {
    char text[FUM_NUMBER_BYTES];
    double number = (double)value;
    fum_number_parse(fum_number_shorten(text, (double)value), &number);
    return number;
}

bool fum_number_parse(const char *text, double *value) {
    char local[FUM_NUMBER_BYTES * 2];
    const char *point = localeconv()->decimal_point, *dot = strchr(text, '.');
    int before = dot ? (int)(dot - text) : (int)strlen(text);
    int length = snprintf(local, sizeof local, "%.*s%s%s", before, text, dot ? point : "",
                          dot ? dot + 1 : "");
    if (length <= 0 || (size_t)length >= sizeof local || text[strspn(text, "+-.0123456789eE")])
        return false;
    char *end = NULL;
    double number = strtod(local, &end);
    if (end == local || *end || !isfinite(number)) return false;
    *value = number;
    return true;
}
