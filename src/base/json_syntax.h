// True if the text begins with a value that cJSON accepts, however much memory there is.
#ifndef FUM_BASE_JSON_SYNTAX_H
#define FUM_BASE_JSON_SYNTAX_H

#include <fumarole/core.h>

bool fum_json_well_formed(const char *text, size_t bytes);

#endif
