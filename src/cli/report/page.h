// SPDX-License-Identifier: MIT
// Declares a page while it is written, and its drawings.
#ifndef FUM_CLI_REPORT_PAGE_H
#define FUM_CLI_REPORT_PAGE_H

#include "report.h"

struct cli_page {
    char *text;
    size_t bytes, capacity;
    bool failed; // out of memory: what follows is dropped
    const cJSON *const *reports;
    const char *const *names;
    int count; // of reports
};

void cli_page_put(struct cli_page *page, const char *fmt, ...) FUM_PRINTF(2, 3);
// Adds text in which nothing is markup.
void cli_page_text(struct cli_page *page, const char *text);

// Adds the legend of colours: kinds of operations, or with several reports the reports.
void cli_page_legend(struct cli_page *page);
// Adds the operations by intensity under the roofs of the device (or of each).
void cli_page_roofline(struct cli_page *page);
// Adds one bar for each case of an operation (and report): its share of the roofline. The lowest of
// the first report comes first.
void cli_page_bars(struct cli_page *page, const char *op);
// Adds a bar of where the time of a picture goes.
void cli_page_model(struct cli_page *page, const cJSON *model);

#endif
