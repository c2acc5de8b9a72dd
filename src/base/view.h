// A tensor's bytes as a file holds them: what io yields and what weights are uploaded from.
#ifndef FUM_BASE_VIEW_H
#define FUM_BASE_VIEW_H

#include <fumarole/core.h>

enum { FUM_VIEW_MAX_DIMS = 8 };

// Row-major, dense, little-endian; `data` may be unaligned (a mapped file) and belongs to the file's owner.
struct fum_view {
    enum fum_dtype dtype;
    int rank;
    int64_t dim[FUM_VIEW_MAX_DIMS];
    const void *data;
};

// Where weights come from: asks for a tensor by the name the model's builder uses (diffusers' and transformers'
// names). False when there is none. Views stay valid as long as the source does.
struct fum_weight_source {
    bool (*find)(void *user, const char *name, struct fum_view *view);
    // Says that the tensor was uploaded and its bytes will not be read again soon, so that a mapped file stops counting
    // as resident memory. May be NULL.
    void (*release)(void *user, const char *name);
    void *user;
};

#endif
