/* What the kernel allows: takes datagrams in batches, coalesced, and only counts them.
 *
 * statsd_drain [--port PORT | --unix PATH] [--pause MICROSECONDS]
 *
 * Prints the port, and at SIGTERM what came. After a wake-up it sleeps before it reads: as many
 * packets as possible share a call. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

#define BATCH  64
#define PACKET 65536

static volatile sig_atomic_t stop;

static void on_signal(int n)
{
    (void)n;
    stop = 1;
}

static int bind_udp(int port, int *ret_port)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    socklen_t len = sizeof in;

    if (bind(fd, (struct sockaddr *)&in, sizeof in) != 0)
        net_die("cannot bind: %s", strerror(errno));
    getsockname(fd, (struct sockaddr *)&in, &len);
    *ret_port = ntohs(in.sin_port);
    return fd;
}

static int bind_unix(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    unlink(path);
    if (bind(fd, (struct sockaddr *)&un, sizeof un) != 0)
        net_die("cannot bind %s: %s", path, strerror(errno));
    return fd;
}

int main(int argc, char **argv)
{
    static uint8_t room[BATCH][PACKET];
    static struct mmsghdr msgs[BATCH];
    static struct iovec iov[BATCH];
    unsigned long long packets = 0, bytes = 0, calls = 0;
    int port = 0, fd, pause_us = 1000, size = 64 << 20;
    const char *path = NULL;
    struct pollfd p;

    net_tool = "statsd_drain";
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0)
            port = (int)net_number(argv[i + 1]);
        else if (strcmp(argv[i], "--unix") == 0)
            path = argv[i + 1];
        else if (strcmp(argv[i], "--pause") == 0)
            pause_us = (int)net_number(argv[i + 1]);
    }
    signal(SIGTERM, on_signal);
    fd = path != NULL ? bind_unix(path) : bind_udp(port, &port);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    for (size_t i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){room[i], PACKET};
        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
    }
    printf("{\"port\": %d}\n", port);
    fflush(stdout);
    p = (struct pollfd){fd, POLLIN, 0};
    while (!stop) {
        int n;
        if (poll(&p, 1, 100) <= 0)
            continue;
        if (pause_us > 0)
            usleep((useconds_t)pause_us);
        do {
            n = recvmmsg(fd, msgs, BATCH, MSG_DONTWAIT, NULL);
            calls++;
            for (int i = 0; i < n; i++)
                bytes += msgs[i].msg_len;
            packets += n > 0 ? (unsigned)n : 0;
        } while (n == BATCH);
    }
    printf("{\"packets\": %llu, \"bytes\": %llu, \"calls\": %llu}\n", packets, bytes, calls);
    return 0;
}
