// SPDX-License-Identifier: MIT
// Declares the handlers that routes.def names.
#ifndef FUM_CLI_SERVE_ROUTES_H
#define FUM_CLI_SERVE_ROUTES_H

#include "http.h"

#define HTTP_ROUTE(method, path, dialect, body, handle, summary) \
    void handle(const struct http_request *request, struct http_response *response);
#include "routes.def"
#undef HTTP_ROUTE

#endif
