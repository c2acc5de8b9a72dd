// SPDX-License-Identifier: MIT
// What the ranks of a batch send to each other.
#ifndef FUM_CLI_BATCH_MESSAGE_H
#define FUM_CLI_BATCH_MESSAGE_H

#include "../ranks/ranks.h"

#include <stdint.h>

enum message_kind {
    MESSAGE_NONE = 0, // no message that a rank of a batch sends
    MESSAGE_READY,    // a rank waits for pictures to draw
    MESSAGE_FAILED,   // a rank cannot draw; text: why
    MESSAGE_ALIVE,
    MESSAGE_PICTURE, // line, first: its index; seed, seconds, width, height, sha256; text: device
    MESSAGE_END,     // of a unit; result, text: why it failed
    MESSAGE_WORK,    // line, first, end; text: the fields
    MESSAGE_STOP,
};

struct message {
    enum message_kind kind;
    int line, first, end, width, height, result;
    uint64_t seed;
    double seconds;
    char sha256[65];
    const char *text; // NULL: ""
    const void *data; // of a picture
    size_t bytes;
    void *memory; // of a message that was received, where the texts lie
};

// Sends a message. Returns false if the rank is gone, or memory is out.
bool message_send(struct ranks *ranks, int to, const struct message *message);
// Takes the next message, to be freed. Returns false if there is none yet.
bool message_receive(struct ranks *ranks, int *from, struct message *message);
void message_free(struct message *message);

#endif
