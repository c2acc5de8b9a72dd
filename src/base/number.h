// SPDX-License-Identifier: MIT
// Formats numbers for other programs to read. printf and strtod follow the locale of the program
// that uses the library, in which the decimal point may be a comma.
#ifndef FUM_BASE_NUMBER_H
#define FUM_BASE_NUMBER_H

#include <fumarole/core.h>

enum { FUM_NUMBER_BYTES = 32 };

// Writes the value as "%.*g" does in the C locale, and returns `text`.
const char *fum_number_format(char text[FUM_NUMBER_BYTES], int digits, double value);
// Reads a text that is one finite decimal number and nothing else, with "." as its separator.
// Returns false for any other text.
bool fum_number_parse(const char *text, double *value);
// Replaces a number's decimal separator, whatever it is, by ".".
void fum_number_set_point(char *text);

#endif
