// SPDX-License-Identifier: MIT
// Prints the chunks of a prompt.
#ifndef FUM_CLI_TOKENIZE_PROMPT_H
#define FUM_CLI_TOKENIZE_PROMPT_H

#include <fumarole/tokenizer.h>

// Prints a line of JSON for each part of the prompt and each range of steps:
// {"weight": …, "until": …, "chunks": [{"ids": […], "weights": […]}]}. A weight of 1 and an end at
// the last step are left out. Returns an exit status.
int cli_print_prompt(const fum_tokenizer *tokenizer, const struct fum_prompt *prompt);

#endif
