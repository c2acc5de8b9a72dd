// SPDX-License-Identifier: MIT
#define _POSIX_C_SOURCE 200809L

#include "remote.h"

#include "message.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

// A rank of another machine that is silent for so long is taken for gone: each reports every
// second that it lives.
static const double SILENCE = 120; // seconds

enum standing { STANDING_NEW, STANDING_WAITS, STANDING_DRAWS, STANDING_GONE };

struct remote {
    enum standing standing;
    struct work_unit unit;
    int worker;   // its number among all workers
    double heard; // when it sent something last
};

struct remotes {
    struct ranks *ranks;
    struct work *work;
    int count;
    struct remote *list; // by rank; the first is not used
};

struct remotes *remotes_create(struct ranks *ranks, struct work *work) {
    struct remotes *remotes = calloc(1, sizeof *remotes);
    if (!remotes) return NULL;
    *remotes = (struct remotes){.ranks = ranks, .work = work, .count = ranks_count(ranks)};
    remotes->list = calloc((size_t)remotes->count, sizeof *remotes->list);
    if (!remotes->list) {
        free(remotes);
        return NULL;
    }
    for (int i = 0; i < remotes->count; i++) remotes->list[i].heard = fum_time_now();
    return remotes;
}

void remotes_destroy(struct remotes **destroyed) {
    struct remotes *remotes = *destroyed;
    if (!remotes) return;
    for (int i = 1; i < remotes->count; i++)
        message_send(remotes->ranks, i, &(struct message){.kind = MESSAGE_STOP});
    free(remotes->list);
    free(remotes);
    *destroyed = NULL;
}

int remotes_active(const struct remotes *remotes) {
    int active = 0;
    for (int i = 1; i < remotes->count; i++) active += remotes->list[i].standing != STANDING_GONE;
    return active;
}

// ---- on rank 0 ----

// Takes a rank out, and its pictures back.
static void lose_rank(struct remotes *remotes, int rank, const char *why) {
    struct remote *remote = &remotes->list[rank];
    if (remote->standing == STANDING_GONE) return;
    cli_fail("rank %d draws no more: %s", rank, why);
    if (remote->standing == STANDING_DRAWS) work_give_back(remotes->work, &remote->unit);
    if (remote->standing != STANDING_NEW) work_leave(remotes->work, remote->worker);
    remote->standing = STANDING_GONE;
}

// Takes a picture, which may come late from a rank that was taken for gone.
static void take_picture(struct remotes *remotes, int rank, const struct message *message) {
    const struct work_picture drawn = {.row = {.line = message->line,
                                               .index = message->first,
                                               .seed = message->seed,
                                               .seconds = message->seconds,
                                               .device = message->text,
                                               .rank = rank,
                                               .sha256 = message->sha256,
                                               .png = message->data,
                                               .bytes = message->bytes},
                                       .worker = remotes->list[rank].worker,
                                       .width = message->width,
                                       .height = message->height};
    if (remotes->list[rank].standing != STANDING_NEW) work_add(remotes->work, &drawn);
}

// Takes the report that a unit has ended.
static void take_end(struct remotes *remotes, int rank, const struct message *message) {
    struct remote *remote = &remotes->list[rank];
    enum fum_result result = (enum fum_result)message->result;
    if (remote->standing != STANDING_DRAWS) return;
    if (result == FUM_ERR_DEVICE) {
        lose_rank(remotes, rank, message->text);
        return;
    }
    if (result == FUM_ERR_CANCELLED)
        work_give_back(remotes->work, &remote->unit);
    else if (result != FUM_OK)
        work_fail_line(remotes->work, remote->unit.line, message->text);
    remote->standing = STANDING_WAITS;
}

static void take_message(struct remotes *remotes, int rank, const struct message *message) {
    struct remote *remote = &remotes->list[rank];
    remote->heard = fum_time_now();
    if (message->kind == MESSAGE_READY && remote->standing == STANDING_NEW &&
        (remote->worker = work_join(remotes->work)) >= 0)
        remote->standing = STANDING_WAITS;
    if (message->kind == MESSAGE_PICTURE) take_picture(remotes, rank, message);
    if (message->kind == MESSAGE_END) take_end(remotes, rank, message);
    if (message->kind == MESSAGE_FAILED) lose_rank(remotes, rank, message->text);
}

// Hands out pictures to a rank that waits.
static void hand_out(struct remotes *remotes, int rank) {
    struct remote *remote = &remotes->list[rank];
    if (remote->standing != STANDING_WAITS ||
        !work_take(remotes->work, remote->worker, &remote->unit))
        return;
    const struct message message = {.kind = MESSAGE_WORK,
                                    .line = remote->unit.line->number,
                                    .first = remote->unit.first,
                                    .end = remote->unit.end,
                                    .text = remote->unit.line->fields};
    remote->standing = STANDING_DRAWS;
    remote->heard = fum_time_now();
    if (!message_send(remotes->ranks, rank, &message)) lose_rank(remotes, rank, "it is gone");
}

void remotes_poll(struct remotes *remotes) {
    struct message message;
    int rank;
    while (message_receive(remotes->ranks, &rank, &message)) {
        if (rank > 0 && rank < remotes->count) take_message(remotes, rank, &message);
        message_free(&message);
    }
    for (int i = 1; i < remotes->count; i++) {
        struct remote *remote = &remotes->list[i];
        if (ranks_gone(remotes->ranks, i)) lose_rank(remotes, i, "it is gone");
        bool silent = fum_time_now() - remote->heard > SILENCE;
        if (silent && remote->standing == STANDING_DRAWS)
            lose_rank(remotes, i, "it has been silent for two minutes");
        hand_out(remotes, i);
    }
}

// ---- on the other ranks ----

struct servant {
    struct ranks *ranks;
    const struct remote_params *params;
    struct painter *painter;
    struct painter_state state;
    struct message unit;
    double reported; // when something was sent last
    bool stopped;    // rank 0 sent this rank away, or is gone
};

static bool send_message(struct servant *servant, const struct message *message) {
    servant->reported = fum_time_now();
    if (!message_send(servant->ranks, 0, message)) servant->stopped = true;
    return !servant->stopped;
}

static bool on_picture(void *user, const struct painter_picture *picture) {
    struct servant *servant = user;
    struct message message = {.kind = MESSAGE_PICTURE,
                              .line = servant->unit.line,
                              .first = picture->index,
                              .seed = picture->seed,
                              .seconds = picture->seconds,
                              .width = picture->width,
                              .height = picture->height,
                              .text = servant->state.name,
                              .data = picture->png,
                              .bytes = picture->bytes};
    memcpy(message.sha256, picture->sha256, sizeof message.sha256);
    return send_message(servant, &message) && picture->index + 1 < servant->unit.end;
}

// Reports every second that this rank lives, and looks whether it is to stop.
static bool is_cancelled(void *user) {
    struct servant *servant = user;
    struct message message;
    int from;
    if (fum_time_now() - servant->reported > 1) {
        send_message(servant, &(struct message){.kind = MESSAGE_ALIVE});
        while (message_receive(servant->ranks, &from, &message)) {
            if (message.kind == MESSAGE_STOP) servant->stopped = true;
            message_free(&message);
        }
    }
    return servant->stopped || cli_interrupted();
}

// Draws a unit and reports how that ended.
static void draw_unit(struct servant *servant) {
    const struct painter_events events = {
        .on_picture = on_picture, .cancelled = is_cancelled, .user = servant};
    struct fum_error err = {0};
    struct job_error refusal;
    struct job_spec job;
    enum fum_result result = FUM_ERR_ARG;
    if (work_read_job(&job, servant->unit.text, servant->params->defaults, &refusal))
        result = painter_draw(servant->painter, &job, servant->unit.first, &events, &err);
    else
        snprintf(err.text, sizeof err.text, "%s", refusal.message);
    job_spec_free(&job);
    // A unit that ends before its line does is stopped by on_picture.
    bool stopped = servant->stopped || cli_interrupted();
    if (result == FUM_ERR_CANCELLED && !stopped) result = FUM_OK;
    send_message(servant,
                 &(struct message){.kind = MESSAGE_END, .result = result, .text = err.text});
    if (result == FUM_ERR_DEVICE) servant->stopped = true;
}

// Waits for units and draws them.
static void serve(struct servant *servant) {
    const struct timespec pause = {.tv_nsec = 2000000};
    int from;
    while (!servant->stopped && !cli_interrupted()) {
        if (!message_receive(servant->ranks, &from, &servant->unit)) {
            if (ranks_gone(servant->ranks, 0)) servant->stopped = true;
            nanosleep(&pause, NULL);
            continue;
        }
        if (servant->unit.kind == MESSAGE_WORK) draw_unit(servant);
        if (servant->unit.kind == MESSAGE_STOP) servant->stopped = true;
        message_free(&servant->unit);
    }
}

int remote_run(struct ranks *ranks, const struct remote_params *params) {
    struct servant servant = {.ranks = ranks, .params = params};
    struct fum_error err = {0};
    const struct painter_params own = {params->device, params->log};
    if (painter_create(&servant.painter, &own, &err) != FUM_OK) {
        send_message(&servant, &(struct message){.kind = MESSAGE_FAILED, .text = err.text});
        return 0; // rank 0 reports it, and draws without this rank
    }
    painter_get_state(servant.painter, &servant.state);
    if (send_message(&servant, &(struct message){.kind = MESSAGE_READY})) serve(&servant);
    painter_destroy(&servant.painter);
    return cli_interrupted() ? cli_interrupted_status() : 0;
}
