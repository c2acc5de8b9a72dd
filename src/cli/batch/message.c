// SPDX-License-Identifier: MIT
#include "message.h"

#include <stdlib.h>
#include <string.h>

// Packs the structure, the text with its NUL, and the data. All ranks run the same program, on
// machines of one kind.
bool message_send(struct ranks *ranks, int to, const struct message *message) {
    const char *text = message->text ? message->text : "";
    size_t text_bytes = strlen(text) + 1, bytes = sizeof *message + text_bytes + message->bytes;
    char *packed = malloc(bytes);
    if (!packed) return false;
    memcpy(packed, message, sizeof *message);
    memcpy(packed + sizeof *message, text, text_bytes);
    if (message->bytes)
        memcpy(packed + sizeof *message + text_bytes, message->data, message->bytes);
    bool sent = ranks_send(ranks, to, packed, bytes);
    free(packed);
    return sent;
}

bool message_receive(struct ranks *ranks, int *from, struct message *message) {
    void *memory = NULL;
    size_t bytes = 0;
    *message = (struct message){0};
    if (!ranks_receive(ranks, from, &memory, &bytes)) return false;
    const char *packed = memory, *text = packed + sizeof *message;
    const char *end = bytes > sizeof *message ? memchr(text, 0, bytes - sizeof *message) : NULL;
    if (end) memcpy(message, packed, sizeof *message);
    message->memory = memory;
    message->text = end ? text : "";
    message->data = end ? end + 1 : NULL;
    size_t rest = end ? (size_t)(packed + bytes - (end + 1)) : 0;
    if (message->bytes != rest) message->kind = MESSAGE_NONE;
    return true;
}

void message_free(struct message *message) {
    free(message->memory);
    *message = (struct message){0};
}
