// SPDX-License-Identifier: MIT
// Formats numbers for other programs to read. printf and strtod follow the locale of the program
// that uses the library, in which the decimal point may be a comma.
#ifndef FUM_BASE_NUMBER_H
#define FUM_BASE_NUMBER_H

#include <fumarole/core.h>

enum { FUM_NUMBER_BYTES = 32 };

// Writes the value as "%.*g" does in the C locale, and returns `text`.
const char *fum_number_format(char text[FUM_NUMBER_BYTES], int digits, double value);
// Writes the fewest digits that read back as this float ("7.5", "0.7", "1e-05"); returns `text`.
// All numbers of a picture's parameters go through it.
const char *fum_number_shorten(char text[FUM_NUMBER_BYTES], double value);
// Returns the double of these digits: of 0.7f, it is 0.7.
double fum_number_widen(float value);
// Reads a text that is one finite decimal number and nothing else, with "." as its separator.
// Returns false for any other text.
bool fum_number_parse(const char *text, double *value);
// Replaces a number's decimal separator, whatever it is, by ".".
void fum_number_set_point(char *text);

#endif
