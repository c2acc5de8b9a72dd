// SPDX-License-Identifier: MIT
#include "evaluate/features.h"

#include "evaluate/network.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/text.h"

#include <string.h>

static const struct fum_feature_kind *const kinds[] = {&fum_feature_inception,
                                                       &fum_feature_classifier};

static const char *kind_name(size_t index) {
    return index < FUM_COUNT(kinds) ? kinds[index]->name : NULL;
}

enum fum_result fum_features_open(struct fum_feature_network *network,
                                  const struct fum_evaluate_params *params, struct fum_error *err) {
    *network = (struct fum_feature_network){0};
    if (!params->features)
        return fum_error_set(err, FUM_ERR_ARG,
                             "pictures need a network for their features: give --features "
                             "inception:FILE with pytorch-fid's weights, or classifier:DIR");
    const char *colon = strchr(params->features, ':');
    size_t length = colon ? (size_t)(colon - params->features) : strlen(params->features);
    for (size_t i = 0; i < FUM_COUNT(kinds); i++) {
        const struct fum_feature_kind *kind = kinds[i];
        if (strlen(kind->name) != length || strncmp(kind->name, params->features, length)) continue;
        if (!colon || !colon[1])
            return fum_error_set(err, FUM_ERR_ARG, "features %s need %s: %s:PATH", kind->name,
                                 kind->what, kind->name);
        enum fum_result result = fum_device_network_create(network, err);
        if (!result) result = kind->open(network, colon + 1, params, err);
        if (result) fum_features_close(network);
        return result;
    }
    return fum_error_unknown(err, "kind of features", params->features, kind_name);
}

void fum_features_close(struct fum_feature_network *network) {
    if (network->close) network->close(network);
    *network = (struct fum_feature_network){0};
}
