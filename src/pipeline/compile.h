// SPDX-License-Identifier: MIT
// Compiles graphs of components, within the memory budget and with the user's callbacks.
#ifndef FUM_PIPELINE_COMPILE_H
#define FUM_PIPELINE_COMPILE_H

#include "pipeline/component.h"

// Compiles `compiled->graph` with the component's weights, creating their store on first use.
enum fum_result fum_component_compile(struct fum_component *component,
                                      struct fum_compiled *compiled, struct fum_error *err);

// Reports a decoding to the run that it belongs to. False if the run cancels, true if it has no
// callback.
bool fum_pipeline_report_decode(const fum_pipeline *pipe, int done, int total);

#endif
