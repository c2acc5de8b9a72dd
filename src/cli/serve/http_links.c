// SPDX-License-Identifier: MIT
// Watches connections: libmicrohttpd's own timeout is one of silence, which a byte now and then
// evades.
#define _GNU_SOURCE

#include "condition.h"
#include "http_inner.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#if defined(__linux__)
#include <linux/tcp.h>
#endif

static const double TICK_SECONDS = 0.2;

struct http_links {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t watch;
    struct http_link *first; // the newest
    int count;               // of those that are not ended
    bool stop;
    void (*on_timeout)(void *user);
    void *user;
};

// Sends an error beside libmicrohttpd, if the client takes it at once.
static bool send_error(int fd, int status, const char *message) {
    char answer[1024], body[512];
    snprintf(body, sizeof body,
             "{\"error\":{\"message\":\"%s\",\"type\":\"invalid_request_error\",\"param\":null,"
             "\"code\":null},\"detail\":\"%s\"}",
             message, message);
    int bytes = snprintf(answer, sizeof answer,
                         "HTTP/1.1 %d %s\r\nConnection: close\r\n"
                         "X-Content-Type-Options: nosniff\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zu\r\n\r\n%s",
                         status, MHD_get_reason_phrase_for((unsigned)status), strlen(body), body);
    return send(fd, answer, (size_t)bytes, MSG_DONTWAIT | MSG_NOSIGNAL) == bytes;
}

// Stores how many bytes a connection has received. Returns false if the system does not report it.
static bool count_bytes(int fd, uint64_t *bytes) {
#if defined(__linux__)
    struct tcp_info info;
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size)) return false;
    *bytes = info.tcpi_bytes_received;
    return size >= offsetof(struct tcp_info, tcpi_bytes_received) + sizeof *bytes;
#else
    (void)fd, (void)bytes;
    return false;
#endif
}

// Begins the phase of headers once a silent connection has sent something. Without a report of the
// system it begins at once.
static void hear(struct http_link *link) {
    uint64_t bytes;
    if (count_bytes(link->fd, &bytes) && bytes == link->bytes) return;
    link->phase = HTTP_HEADERS;
    link->since = fum_time_now();
}

static void end_link(struct http_links *links, struct http_link *link) {
    link->ended = true;
    links->count--;
    shutdown(link->fd, SHUT_RDWR);
}

static bool is_late(const struct http_link *link, double now) {
    static const double limits[] = {[HTTP_SILENT] = HTTP_SILENT_SECONDS,
                                    [HTTP_HEADERS] = HTTP_HEADER_SECONDS,
                                    [HTTP_BODY] = HTTP_BODY_SECONDS};
    return link->phase < HTTP_BUSY && now - link->since > limits[link->phase];
}

// Ends the connections that exceed their deadline. Those amid a request get a 408 if it fits.
static void end_late(struct http_links *links, double now) {
    for (struct http_link *link = links->first; link; link = link->next) {
        if (link->ended) continue;
        if (link->phase == HTTP_SILENT) hear(link);
        if (!is_late(link, now)) continue;
        bool waits = link->phase != HTTP_SILENT;
        if (waits && send_error(link->fd, 408, "the request took too long to arrive"))
            links->on_timeout(links->user);
        end_link(links, link);
    }
}

// Returns the connection that has been in a phase up to `last` for longest; NULL: there is none.
static struct http_link *find_oldest(const struct http_links *links, enum http_phase last) {
    struct http_link *oldest = NULL;
    for (struct http_link *link = links->first; link; link = link->next) {
        if (link->ended || link->phase > last || link->phase == HTTP_BUSY) continue;
        if (!oldest || link->since <= oldest->since) oldest = link;
    }
    return oldest;
}

// Ends the connection that has waited longest for its client: first for a request, else with an
// answer. Returns false if none waits.
static bool make_room(struct http_links *links) {
    struct http_link *oldest = find_oldest(links, HTTP_BODY);
    if (!oldest) oldest = find_oldest(links, HTTP_SENDING);
    if (oldest) end_link(links, oldest);
    return oldest != NULL;
}

static void *watch(void *user) {
    struct http_links *links = user;
    pthread_mutex_lock(&links->lock);
    while (!links->stop) {
        if (!links->first) {
            pthread_cond_wait(&links->changed, &links->lock);
            continue;
        }
        end_late(links, fum_time_now());
        condition_wait(&links->changed, &links->lock, TICK_SECONDS);
    }
    pthread_mutex_unlock(&links->lock);
    return NULL;
}

struct http_links *http_links_create(void (*on_timeout)(void *user), void *user) {
    struct http_links *links = calloc(1, sizeof *links);
    if (!links) return NULL;
    links->on_timeout = on_timeout;
    links->user = user;
    if (pthread_mutex_init(&links->lock, NULL)) goto no_lock;
    if (!condition_init(&links->changed)) goto no_condition;
    if (pthread_create(&links->watch, NULL, watch, links) == 0) return links;
    pthread_cond_destroy(&links->changed);
no_condition:
    pthread_mutex_destroy(&links->lock);
no_lock:
    free(links);
    return NULL;
}

void http_links_destroy(struct http_links **links) {
    struct http_links *l = *links;
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->watch, NULL);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
    *links = NULL;
}

struct http_link *http_links_add(struct http_links *links, int fd) {
    struct http_link *link = calloc(1, sizeof *link);
    if (!link) return NULL;
    link->fd = fd;
    link->since = fum_time_now();
    pthread_mutex_lock(&links->lock);
    link->surplus = links->count >= HTTP_MAX_LINKS && !make_room(links);
    link->next = links->first;
    if (link->next) link->next->previous = link;
    links->first = link;
    links->count++;
    if (!link->next) pthread_cond_broadcast(&links->changed);
    pthread_mutex_unlock(&links->lock);
    return link;
}

void http_links_remove(struct http_links *links, struct http_link *link) {
    if (!link) return;
    pthread_mutex_lock(&links->lock);
    if (link->next) link->next->previous = link->previous;
    if (link->previous)
        link->previous->next = link->next;
    else
        links->first = link->next;
    if (!link->ended) links->count--;
    pthread_mutex_unlock(&links->lock);
    free(link);
}

bool http_links_enter(struct http_links *links, struct http_link *link, enum http_phase phase) {
    pthread_mutex_lock(&links->lock);
    bool alive = !link->ended;
    link->phase = phase;
    link->since = fum_time_now();
    if (phase == HTTP_SILENT) count_bytes(link->fd, &link->bytes);
    pthread_mutex_unlock(&links->lock);
    return alive;
}

void http_links_hear(struct http_links *links, struct http_link *link) {
    pthread_mutex_lock(&links->lock);
    link->heard = true;
    if (link->phase == HTTP_SILENT) {
        link->phase = HTTP_HEADERS;
        link->since = fum_time_now();
    }
    pthread_mutex_unlock(&links->lock);
}

struct http_link *http_links_find_first(struct http_links *links) {
    struct http_link *found = NULL;
    int count = 0;
    pthread_mutex_lock(&links->lock);
    for (struct http_link *link = links->first; link; link = link->next) {
        uint64_t bytes = 0;
        if (link->heard || link->spoiled || link->ended || !count_bytes(link->fd, &bytes) || !bytes)
            continue;
        found = link;
        count++;
    }
    pthread_mutex_unlock(&links->lock);
    return count == 1 ? found : NULL;
}

bool http_links_spoil(struct http_links *links, struct http_link *link, int status) {
    pthread_mutex_lock(&links->lock);
    bool sent = !link->ended && link->phase < HTTP_BUSY &&
                send_error(link->fd, status,
                           "the request is no valid HTTP, or its headers are "
                           "too large");
    if (sent) {
        link->spoiled = true;
        shutdown(link->fd, SHUT_WR);
    }
    pthread_mutex_unlock(&links->lock);
    return sent;
}

static bool is_busy(const struct http_links *links) {
    for (const struct http_link *link = links->first; link; link = link->next)
        if (link->phase >= HTTP_BUSY && !link->ended) return true;
    return false;
}

void http_links_drain(struct http_links *links, int milliseconds) {
    const int piece = 10;
    pthread_mutex_lock(&links->lock);
    for (int waited = 0; waited < milliseconds && is_busy(links); waited += piece) {
        pthread_mutex_unlock(&links->lock);
        nanosleep(&(struct timespec){.tv_nsec = piece * 1000000L}, NULL);
        pthread_mutex_lock(&links->lock);
    }
    pthread_mutex_unlock(&links->lock);
}
