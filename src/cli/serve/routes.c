// SPDX-License-Identifier: MIT
// The table of routes.
#include "routes.h"

const struct http_route http_routes[] = {
#define HTTP_ROUTE(method, path, dialect, body, handle, summary) \
    {method, path, dialect, body, handle, summary},
#include "routes.def"
#undef HTTP_ROUTE
    {0},
};
