/* Sends StatsD lines as fast as asked and measures the CPU time of who receives them.
 *
 * statsd_load --to 127.0.0.1:PORT | --unix PATH [--kind plain|dog] [--lines PER_PACKET]
 *             [--series N] [--distinct] [--rate PACKETS_PER_SECOND] [--seconds S] [--count PACKETS]
 *             [--pid P]… [--core N]
 *
 * The packets are made beforehand: counters of N series in turn, always by one. --distinct: no
 * series comes twice. It prints what went out and what the processes spent meanwhile. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "meter.h"
#include "net.h"

#define BATCH      64
#define PIDS_MAX   8
#define PACKET_MAX 65000
#define POOL_MAX   65536 /* packets made beforehand */

static struct {
    const char *to, *path;
    bool dog, distinct;
    size_t lines, series, count;
    double rate, seconds;
    int pids[PIDS_MAX], core;
    size_t npids;
} opt = {.lines = 1, .series = 3000, .seconds = 3, .core = -1};

static struct packet {
    char *data;
    size_t len;
} pool[POOL_MAX];
static size_t npool;
static uint64_t next_series, sent_packets, sent_bytes, busy_calls;

static size_t make_line(char *to, size_t room, uint64_t series)
{
    int n = opt.dog ? snprintf(to, room,
                               "shop.checkout.requests.%06llu:1|c|#env:production,service:checkout,"
                               "region:eu-west-1,version:2.7.1,host:node-17",
                               (unsigned long long)series)
                    : snprintf(to, room, "shop.checkout.requests.host17.%06llu:1|c",
                               (unsigned long long)series);
    if (n < 0 || (size_t)n >= room)
        net_die("the packet is too long");
    return (size_t)n;
}

static size_t make_packet(char *to, size_t room)
{
    size_t len = 0;

    for (size_t i = 0; i < opt.lines; i++) {
        if (i > 0)
            to[len++] = '\n';
        len += make_line(to + len, room - len, next_series++);
        if (!opt.distinct && next_series >= opt.series)
            next_series = 0;
    }
    return len;
}

/* As many packets as it takes to name every series equally often. */
static void make_pool(void)
{
    static char scratch[PACKET_MAX];

    do {
        struct packet *p = &pool[npool++];
        p->len = make_packet(scratch, sizeof scratch);
        p->data = malloc(p->len);
        if (p->data == NULL)
            net_die("no memory");
        memcpy(p->data, scratch, p->len);
    } while (next_series != 0 && npool < POOL_MAX);
}

static int open_socket(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(opt.path ? AF_UNIX : AF_INET, SOCK_DGRAM, 0), size = 8 << 20, failed;

    if (opt.path != NULL) {
        snprintf(un.sun_path, sizeof un.sun_path, "%s", opt.path);
        failed = connect(fd, (struct sockaddr *)&un, sizeof un);
    } else {
        in.sin_port = htons((uint16_t)atoi(strrchr(opt.to, ':') + 1));
        failed = connect(fd, (struct sockaddr *)&in, sizeof in);
    }
    if (failed != 0)
        net_die("cannot connect: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return fd;
}

static void send_batch(int fd, size_t n)
{
    static char fresh[BATCH][2048];
    static size_t turn;
    struct mmsghdr msgs[BATCH];
    struct iovec iov[BATCH];
    size_t done = 0;

    memset(msgs, 0, sizeof msgs);
    for (size_t i = 0; i < n; i++) {
        struct packet *p = &pool[turn++ % (npool ? npool : 1)];
        if (opt.distinct)
            iov[i] = (struct iovec){fresh[i], make_packet(fresh[i], sizeof fresh[i])};
        else
            iov[i] = (struct iovec){p->data, p->len};
        msgs[i].msg_hdr.msg_iov = &iov[i];
        msgs[i].msg_hdr.msg_iovlen = 1;
    }
    while (done < n) {
        int k = sendmmsg(fd, msgs + done, (unsigned)(n - done), 0);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            net_die("cannot send: %s", strerror(errno));
        busy_calls++;
        for (int i = 0; i < k; i++)
            sent_bytes += msgs[done + (size_t)i].msg_len;
        done += (size_t)k;
    }
    sent_packets += n;
}

/* Sleeps until the schedule asks for more. */
static void wait_until(int64_t due)
{
    int64_t now = net_now();

    if (due > now + 20000) {
        struct timespec ts = {(due - now) / 1000000000, (due - now) % 1000000000};
        nanosleep(&ts, NULL);
    }
}

static void run(int fd)
{
    int64_t begin = net_now(), end = begin + (int64_t)(opt.seconds * 1e9);

    while (net_now() < end && (opt.count == 0 || sent_packets < opt.count)) {
        size_t n = BATCH;
        if (opt.rate > 0) {
            wait_until(begin + (int64_t)((double)sent_packets / opt.rate * 1e9));
            n = opt.rate < 1000 ? 1 : BATCH;
        }
        if (opt.count != 0 && opt.count - sent_packets < n)
            n = opt.count - sent_packets;
        send_batch(fd, n);
    }
}

static void options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(name, "--distinct") == 0) {
            opt.distinct = true;
            continue;
        }
        i++;
        if (strcmp(name, "--to") == 0)
            opt.to = value;
        else if (strcmp(name, "--unix") == 0)
            opt.path = value;
        else if (strcmp(name, "--kind") == 0)
            opt.dog = strcmp(value, "dog") == 0;
        else if (strcmp(name, "--lines") == 0)
            opt.lines = (size_t)net_number(value);
        else if (strcmp(name, "--series") == 0)
            opt.series = (size_t)net_number(value);
        else if (strcmp(name, "--count") == 0)
            opt.count = (size_t)net_number(value);
        else if (strcmp(name, "--rate") == 0)
            opt.rate = net_number(value);
        else if (strcmp(name, "--seconds") == 0)
            opt.seconds = net_number(value);
        else if (strcmp(name, "--core") == 0)
            opt.core = (int)net_number(value);
        else if (strcmp(name, "--pid") == 0 && opt.npids < PIDS_MAX)
            opt.pids[opt.npids++] = (int)net_number(value);
        else
            net_die("unknown option %s", name);
    }
    if ((opt.to == NULL || strrchr(opt.to, ':') == NULL) && opt.path == NULL)
        net_die("--to HOST:PORT or --unix PATH");
}

int main(int argc, char **argv)
{
    struct meter_cpu before, after;
    int64_t begin;
    int fd;

    net_tool = "statsd_load";
    options(argc, argv);
    if (!opt.distinct)
        make_pool();
    fd = open_socket();
    begin = net_now();
    before = meter_read(opt.pids, opt.npids, opt.core);
    run(fd);
    /* What is still in the receiver's queue belongs to the bill. */
    usleep(200000);
    after = meter_read(opt.pids, opt.npids, opt.core);
    printf("{\"packets\": %llu, \"lines\": %llu, \"bytes\": %llu, \"calls\": %llu, \"pool\": %zu, "
           "\"wall_ns\": %lld, \"cpu_ns\": %lld, \"core_ticks\": %lld, \"busy_ticks\": %lld, "
           "\"steal_ticks\": %lld}\n",
           (unsigned long long)sent_packets, (unsigned long long)(sent_packets * opt.lines),
           (unsigned long long)sent_bytes, (unsigned long long)busy_calls, npool,
           (long long)(net_now() - begin), (long long)(after.run - before.run),
           (long long)(after.total - before.total), (long long)(after.busy - before.busy),
           (long long)(after.steal - before.steal));
    return 0;
}
