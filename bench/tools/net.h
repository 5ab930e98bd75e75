/* Sockets, one epoll set, the clock and shared counters of the bench tools. They are no part of the
 * program: they may use what the program may not, end on the first error, and decode nothing. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Something with a descriptor in the epoll set. */
struct net_handler {
    int fd;
    uint32_t events;
    void (*ready)(struct net_handler *h, uint32_t events);
};

/* Prints "tool: message" and ends with 1. */
__attribute__((noreturn, format(printf, 1, 2))) void net_die(const char *fmt, ...);
extern const char *net_tool;

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t net_now(void);

/* A listening socket on 127.0.0.1; port 0: the kernel's choice, in *ret_port. */
int net_listen(int port, int *ret_port);
/* Connects to host:port (an IPv4 address) and makes the socket non-blocking. */
int net_connect(const char *target);
/* Accepts one, non-blocking and without delay; -1 when there is none. */
int net_accept(int fd);

void net_watch(struct net_handler *h, uint32_t events);
void net_unwatch(struct net_handler *h);
/* Serves what is ready; waits at most that long, negative: for ever. */
void net_wait(int64_t timeout_ns);

/* Numbers that another process reads while the tool runs: a file of uint64. */
uint64_t *net_counters(const char *path, size_t n);

/* Whole file, ended by a zero that is not counted. */
uint8_t *net_file(const char *path, size_t *ret_len);
/* The number behind an option; dies when it is none. */
double net_number(const char *text);
