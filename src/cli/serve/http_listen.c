// SPDX-License-Identifier: MIT
// Opens the socket that the server listens on.
#define _POSIX_C_SOURCE 200809L

#include "http_inner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// An address of either kind.
union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

// Parses an address in numbers. Returns its size, or 0 if the text is none.
static socklen_t parse_address(const char *ip, int port, union address *address) {
    *address = (union address){0};
    if (inet_pton(AF_INET, ip, &address->v4.sin_addr) == 1) {
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons((uint16_t)port);
        return sizeof address->v4;
    }
    if (inet_pton(AF_INET6, ip, &address->v6.sin6_addr) != 1) return 0;
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons((uint16_t)port);
    return sizeof address->v6;
}

bool http_is_loopback(const char *ip, bool *known) {
    union address address;
    *known = parse_address(ip, 0, &address) != 0;
    if (!*known) return false;
    if (address.any.sa_family == AF_INET)
        return ntohl(address.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return IN6_IS_ADDR_LOOPBACK(&address.v6.sin6_addr);
}

static int bind_socket(int fd, union address *address, socklen_t size) {
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, &address->any, size) || listen(fd, SOMAXCONN)) return -1;
    return getsockname(fd, &address->any, &size);
}

int http_listen(const char *ip, int *port) {
    union address address;
    socklen_t size = parse_address(ip, *port, &address);
    int fd = size ? socket(address.any.sa_family, SOCK_STREAM, 0) : -1;
    if (fd < 0 || bind_socket(fd, &address, size)) {
        cli_fail("cannot listen on %s, port %d: %s", ip, *port,
                 size ? strerror(errno) : "--listen-ip needs an address in numbers");
        if (fd >= 0) close(fd);
        return -1;
    }
    *port = ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
    return fd;
}
