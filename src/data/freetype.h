// SPDX-License-Identifier: MIT
// FreeType's headers, and what errors call a build without them.
#ifndef FUM_DATA_FREETYPE_H
#define FUM_DATA_FREETYPE_H

#include "data/dataset_config.h"

#define FUM_NO_FREETYPE \
    "this build reads no fonts: it was built without FreeType (Debian: libfreetype-dev)"

#ifdef FUM_HAS_FREETYPE
#include <ft2build.h>

#include FT_FREETYPE_H
#include FT_OUTLINE_H
#include FT_TRUETYPE_TABLES_H
#endif

#endif
