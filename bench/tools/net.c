/* Sockets, one epoll set, the clock and shared counters of the bench tools. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256

const char *net_tool = "bench";
static int epoll = -1;

void net_die(const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", net_tool);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

int64_t net_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void make_quick(int fd)
{
    int one = 1;

    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
        net_die("fcntl: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

int net_listen(int port, int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof at;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 1024) < 0)
        net_die("cannot listen on port %d: %s", port, strerror(errno));
    getsockname(fd, (struct sockaddr *)&at, &len);
    *ret_port = ntohs(at.sin_port);
    make_quick(fd);
    return fd;
}

int net_connect(const char *target)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    const char *colon = strrchr(target, ':');
    char host[64];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (colon == NULL || (size_t)(colon - target) >= sizeof host)
        net_die("'%s' is not address:port", target);
    memcpy(host, target, (size_t)(colon - target));
    host[colon - target] = 0;
    to.sin_port = htons((uint16_t)net_number(colon + 1));
    if (inet_pton(AF_INET, host, &to.sin_addr) != 1)
        net_die("'%s' is not an IPv4 address", host);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        net_die("cannot connect to %s: %s", target, strerror(errno));
    make_quick(fd);
    return fd;
}

int net_accept(int fd)
{
    int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

    if (conn >= 0)
        make_quick(conn);
    return conn;
}

void net_watch(struct net_handler *h, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = h};

    if (epoll < 0)
        epoll = epoll_create1(EPOLL_CLOEXEC);
    if (h->events == events)
        return;
    if (epoll_ctl(epoll, h->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, h->fd, &e) < 0)
        net_die("epoll_ctl: %s", strerror(errno));
    h->events = events;
}

void net_unwatch(struct net_handler *h)
{
    if (h->events != 0)
        epoll_ctl(epoll, EPOLL_CTL_DEL, h->fd, NULL);
    h->events = 0;
}

void net_wait(int64_t timeout_ns)
{
    struct epoll_event events[EVENTS];
    struct timespec t = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    int n;

    if (epoll < 0)
        epoll = epoll_create1(EPOLL_CLOEXEC);
    n = epoll_pwait2(epoll, events, EVENTS, timeout_ns < 0 ? NULL : &t, NULL);
    if (n < 0 && errno != EINTR)
        net_die("epoll_pwait2: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct net_handler *h = events[i].data.ptr;
        h->ready(h, events[i].events);
    }
}

uint64_t *net_counters(const char *path, size_t n)
{
    void *at;
    int fd;

    if (path == NULL)
        return calloc(n, sizeof(uint64_t));
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, (off_t)(n * sizeof(uint64_t))) < 0)
        net_die("%s: %s", path, strerror(errno));
    at = mmap(NULL, n * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        net_die("%s: %s", path, strerror(errno));
    close(fd);
    return at;
}

uint8_t *net_file(const char *path, size_t *ret_len)
{
    struct stat s;
    uint8_t *data;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &s) < 0)
        net_die("%s: %s", path, strerror(errno));
    data = malloc((size_t)s.st_size + 1);
    if (data == NULL || read(fd, data, (size_t)s.st_size) != s.st_size)
        net_die("%s: cannot be read", path);
    data[s.st_size] = 0;
    *ret_len = (size_t)s.st_size;
    close(fd);
    return data;
}

double net_number(const char *text)
{
    char *end;
    double v = text == NULL ? -1 : strtod(text, &end);

    if (text == NULL || *text == 0 || *end != 0)
        net_die("'%s' is not a number", text == NULL ? "" : text);
    return v;
}
