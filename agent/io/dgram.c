/* Receives datagrams in batches, late enough that a batch is worth its call.
 *
 * UDP_GRO stays off: it would hand over what a sender bundled (UDP_SEGMENT) in one piece, but the
 * kernel counts a bundle that it drops as one packet, and the count of drops is to be exact. */
#include "io/dgram.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/listen_bind.h"
#include "io/loop_uv.h"

/* Taken from one socket before the others on the loop have their turn. */
#define PACKETS_PER_TURN 1024
#define BUFFER           ((uint64_t)4 << 20) /* what the kernel may hold, where nobody says */
/* While at least so many packets come within the window, the sockets are looked at by the clock
 * rather than for each packet, and until fewer come within so many ticks. */
#define HOT_PACKETS 32
#define HOT_WINDOW  8 /* ms */
#define COLD_TICKS  16
#define TICK_MAX    LEAT_MS
#define TICK_FIRST  (LEAT_MS / 5)
#define TICK_MIN    (LEAT_MS / 20)
/* Of the kernel's buffer: above this part the next look comes sooner, below that part later. */
#define FILL_HIGH 4
#define FILL_LOW  16
#define ASK_EVERY LEAT_SEC
/* At the end of a socket that cannot be told to take nothing more. */
#define FINISH_PACKETS ((size_t)1 << 20)
/* Slots lie apart by this, so that their beginnings do not fall into the same lines of the cache.
 */
#define SLOT_STRIDE (LEAT_DGRAM_MAX + 320)
#define SLOTS_SIZE  (LEAT_DGRAM_BATCH * SLOT_STRIDE)
#define SHALLOW     ((size_t)4096) /* packets that leave no more than a page of their slot behind */

union address {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
};

/* A handle of libuv; lives until it has closed. */
struct door {
    uv_poll_t poll;
    struct leat_dgram *dgram;
    int fd;
    size_t nth;
    uint32_t drops; /* as the kernel counted at the last look */
    bool busy;      /* the last turn brought something */
};

struct leat_dgram {
    struct leat_loop *loop;
    struct leat_dgram_events events;
    void *self;
    struct leat_bind bind;
    bool unix_socket, sources, hot, deep, finished;
    struct door *doors[LEAT_BIND_MAX];
    size_t ndoors;
    struct door *clock; /* a timerfd: finer than the loop's timers */
    int64_t tick;
    unsigned ticks, tick_packets; /* hot: since the last count */
    uint64_t window;              /* cold: since when (ms of the loop) … */
    size_t in_window;             /* … so many came */
    struct leat_timer *ask;
    uint8_t *slots;
    char *text;
    unsigned dirty; /* messages of which the kernel has set the address's length */
    struct mmsghdr msgs[LEAT_DGRAM_BATCH];
    struct iovec pieces[LEAT_DGRAM_BATCH];
    union address from[LEAT_DGRAM_BATCH];
    struct leat_packet packets[LEAT_DGRAM_BATCH];
};

/* --- what the kernel says of a socket */

/* Counts the drops since the last look; how full the buffer is, in parts of `whole`. */
static uint32_t look(struct leat_dgram *d, struct door *s, uint32_t whole)
{
    uint32_t mem[SK_MEMINFO_VARS] = {0}, lost;
    socklen_t len = sizeof mem;

    if (getsockopt(s->fd, SOL_SOCKET, SO_MEMINFO, mem, &len) != 0 ||
        len <= SK_MEMINFO_DROPS * sizeof *mem)
        return 0;
    lost = mem[SK_MEMINFO_DROPS] - s->drops; /* it wraps */
    s->drops = mem[SK_MEMINFO_DROPS];
    if (lost > 0 && d->events.dropped != NULL)
        d->events.dropped(d->self, s->nth, lost);
    return mem[SK_MEMINFO_RCVBUF] == 0
               ? 0
               : (uint32_t)((uint64_t)mem[SK_MEMINFO_RMEM_ALLOC] * whole / mem[SK_MEMINFO_RCVBUF]);
}

void leat_dgram_ask(struct leat_dgram *d)
{
    for (size_t i = 0; i < d->ndoors; i++)
        look(d, d->doors[i], 1);
}

static void on_ask(void *arg)
{
    leat_dgram_ask(arg);
}

/* --- receiving */

static struct leat_bytes ip_of(const union address *a)
{
    if (a->any.sa_family == AF_INET)
        return leat_bytes(&a->in4.sin_addr, 4);
    if (a->any.sa_family != AF_INET6)
        return leat_bytes(NULL, 0);
    if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
        return leat_bytes(a->in6.sin6_addr.s6_addr + 12, 4);
    return leat_bytes(&a->in6.sin6_addr, 16);
}

static void renew_lengths(struct leat_dgram *d)
{
    for (unsigned i = 0; i < d->dirty; i++)
        d->msgs[i].msg_hdr.msg_namelen = sizeof d->from[i];
    d->dirty = 0;
}

/* One batch; how many, 0 when there is none or the kernel has an error to tell. */
static size_t receive(struct leat_dgram *d, struct door *s, bool *ret_empty)
{
    int n;

    renew_lengths(d);
    n = recvmmsg(s->fd, d->msgs, LEAT_DGRAM_BATCH, MSG_DONTWAIT, NULL);
    *ret_empty = true;
    if (n <= 0)
        return 0;
    if (d->sources)
        d->dirty = (unsigned)n;
    for (int i = 0; i < n; i++) {
        struct leat_packet *p = &d->packets[i];

        p->data.len = d->msgs[i].msg_len;
        p->truncated = (d->msgs[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        if (d->sources)
            p->from = ip_of(&d->from[i]);
        d->deep |= p->data.len > SHALLOW;
        *ret_empty &= p->data.len == 0;
    }
    d->events.packets(d->self, d->packets, (size_t)n);
    return (size_t)n;
}

/* Until there is nothing left, or `most` have come. */
static size_t drain(struct leat_dgram *d, struct door *s, size_t most)
{
    size_t total = 0, n;
    bool empty;

    do {
        n = receive(d, s, &empty);
        total += n;
        /* A Unix socket that was shut down gives empty packets for ever. */
    } while (n == LEAT_DGRAM_BATCH && total < most && !(d->finished && empty));
    s->busy = total > 0;
    if (s->busy && !leat_timer_running(d->ask))
        leat_timer_start(d->ask, ASK_EVERY, 0);
    return total;
}

/* --- cold: each packet wakes us; hot: the clock does */

static void on_readable(uv_poll_t *poll, int status, int events);
static void on_clock(uv_poll_t *poll, int status, int events);

static void set_clock(struct leat_dgram *d, int64_t after)
{
    struct itimerspec at = {.it_value = {.tv_nsec = (long)after}};

    timerfd_settime(d->clock->fd, 0, &at, NULL);
}

static void become_hot(struct leat_dgram *d)
{
    d->hot = true;
    d->tick = TICK_FIRST;
    d->ticks = d->tick_packets = 0;
    for (size_t i = 0; i < d->ndoors; i++)
        uv_poll_stop(&d->doors[i]->poll);
    uv_poll_start(&d->clock->poll, UV_READABLE, on_clock);
    set_clock(d, d->tick);
}

static void become_cold(struct leat_dgram *d)
{
    d->hot = false;
    d->in_window = 0;
    uv_poll_stop(&d->clock->poll);
    for (size_t i = 0; i < d->ndoors; i++)
        uv_poll_start(&d->doors[i]->poll, UV_READABLE, on_readable);
    if (d->deep) /* large packets have left much behind */
        leat_pages_rest(d->slots, SLOTS_SIZE);
    d->deep = false;
}

/* A Unix socket is emptied at once: its queue is short, and its senders wait. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct door *s = poll->data;
    struct leat_dgram *d = s->dgram;
    uint64_t now = uv_now(leat_loop_uv(d->loop));
    size_t n = drain(d, s, PACKETS_PER_TURN);

    (void)events;
    if (now - d->window > HOT_WINDOW) {
        d->window = now;
        d->in_window = 0;
    }
    d->in_window += n;
    if ((d->in_window >= HOT_PACKETS && !d->unix_socket) || (n == 0 && status != 0))
        become_hot(d); /* at an error, too: not to spin */
}

static void adapt(struct leat_dgram *d, uint32_t fill)
{
    if (fill > FILL_LOW / FILL_HIGH)
        d->tick = d->tick / 2 > TICK_MIN ? d->tick / 2 : TICK_MIN;
    else if (fill == 0)
        d->tick = d->tick * 2 < TICK_MAX ? d->tick * 2 : TICK_MAX;
}

static void on_clock(uv_poll_t *poll, int status, int events)
{
    struct leat_dgram *d = ((struct door *)poll->data)->dgram;
    uint32_t fullest = 0;
    bool more = false;

    (void)status;
    (void)events;
    for (size_t i = 0; i < d->ndoors; i++) {
        uint32_t fill = d->doors[i]->busy ? look(d, d->doors[i], FILL_LOW) : 0;
        size_t n = drain(d, d->doors[i], PACKETS_PER_TURN);

        fullest = fill > fullest ? fill : fullest;
        more |= n >= PACKETS_PER_TURN;
        d->tick_packets += (unsigned)n;
    }
    adapt(d, fullest);
    if (++d->ticks == COLD_TICKS) {
        if (d->tick_packets < HOT_PACKETS) {
            become_cold(d);
            return;
        }
        d->ticks = d->tick_packets = 0;
    }
    set_clock(d, more ? 1 : d->tick);
}

/* --- the beginning and the end */

static void on_closed(uv_handle_t *poll)
{
    leat_free(poll->data);
}

static struct door *open_door(struct leat_dgram *d, int fd, struct leat_err *err)
{
    struct door *s = leat_new(sizeof *s);
    int rc = uv_poll_init(leat_loop_uv(d->loop), &s->poll, fd);

    if (rc != 0) {
        leat_free(s);
        leat_fail(err, "cannot listen on %s: %s", d->text, uv_strerror(rc));
        return NULL;
    }
    s->poll.data = s;
    s->dgram = d;
    s->fd = fd;
    return s;
}

static int open_doors(struct leat_dgram *d, struct leat_err *err)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

    if (fd < 0)
        return leat_fail(err, "cannot listen on %s: no timer: %s", d->text, strerror(errno));
    d->clock = open_door(d, fd, err);
    if (d->clock == NULL) {
        close(fd);
        return -1;
    }
    for (; d->ndoors < d->bind.n; d->ndoors++) {
        struct door *s = open_door(d, d->bind.fds[d->ndoors], err);

        if (s == NULL)
            return -1;
        s->nth = d->ndoors;
        d->doors[d->ndoors] = s;
    }
    for (size_t i = 0; i < d->ndoors; i++)
        uv_poll_start(&d->doors[i]->poll, UV_READABLE, on_readable);
    return 0;
}

static void make_messages(struct leat_dgram *d)
{
    for (size_t i = 0; i < LEAT_DGRAM_BATCH; i++) {
        uint8_t *slot = d->slots + i * SLOT_STRIDE;

        d->pieces[i] = (struct iovec){slot, LEAT_DGRAM_MAX};
        d->msgs[i].msg_hdr = (struct msghdr){.msg_iov = &d->pieces[i], .msg_iovlen = 1};
        d->packets[i].data.data = slot;
        if (d->sources) {
            d->msgs[i].msg_hdr.msg_name = &d->from[i];
            d->msgs[i].msg_hdr.msg_namelen = sizeof d->from[i];
        }
    }
}

struct leat_dgram *leat_dgram_open(struct leat_loop *l, const struct leat_dgram_conf *conf,
                                   const struct leat_dgram_events *events, void *self,
                                   struct leat_err *err)
{
    struct leat_bind_ask ask = {.endpoint = conf->endpoint,
                                .share = conf->share,
                                .type = SOCK_DGRAM,
                                .family = conf->family,
                                .permissions = conf->permissions,
                                .buffer = conf->buffer ? conf->buffer : BUFFER};
    struct leat_bind bind;
    struct leat_dgram *d;

    if (leat_bind(&bind, &ask, err) != 0)
        return NULL;
    d = leat_new(sizeof *d);
    d->loop = l;
    d->events = *events;
    d->self = self;
    d->bind = bind;
    d->unix_socket = conf->family == AF_UNIX;
    d->sources = conf->sources && !d->unix_socket;
    d->text = leat_bind_text(&bind);
    d->slots = leat_new_pages(SLOTS_SIZE);
    make_messages(d);
    d->ask = leat_timer_new(l, on_ask, d);
    leat_timer_background(d->ask);
    if (open_doors(d, err) != 0) {
        leat_dgram_free(d);
        return NULL;
    }
    return d;
}

/* What comes from now on is counted as dropped (UDP), or the sender is told (Unix). */
static void shut(struct leat_dgram *d, int fd)
{
    struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {1, &none};

    if (d->unix_socket)
        shutdown(fd, SHUT_RD);
    else
        setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

void leat_dgram_finish(struct leat_dgram *d)
{
    if (d->finished)
        return;
    d->finished = true;
    uv_poll_stop(&d->clock->poll);
    for (size_t i = 0; i < d->ndoors; i++) {
        uv_poll_stop(&d->doors[i]->poll);
        shut(d, d->doors[i]->fd);
        drain(d, d->doors[i], FINISH_PACKETS);
        look(d, d->doors[i], 1);
    }
    leat_timer_stop(d->ask);
}

void leat_dgram_free(struct leat_dgram *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->ndoors; i++)
        uv_close((uv_handle_t *)&d->doors[i]->poll, on_closed);
    if (d->clock != NULL) {
        uv_close((uv_handle_t *)&d->clock->poll, on_closed);
        close(d->clock->fd);
    }
    leat_timer_free(d->ask);
    leat_bind_done(&d->bind);
    leat_free_pages(d->slots, SLOTS_SIZE);
    leat_free(d->text);
    leat_free(d);
}

/* --- questions */

uint16_t leat_dgram_port(const struct leat_dgram *d)
{
    return d->bind.port;
}

const char *leat_dgram_text(const struct leat_dgram *d)
{
    return d->text;
}

size_t leat_dgram_addresses(const struct leat_dgram *d)
{
    return d->ndoors;
}

char *leat_dgram_address(const struct leat_dgram *d, size_t nth)
{
    return leat_bind_address(&d->bind, nth);
}

/* The kernel doubles what it is asked for, for its own needs, and says the double. */
uint64_t leat_dgram_buffer(const struct leat_dgram *d)
{
    int bytes = 0;
    socklen_t len = sizeof bytes;

    if (getsockopt(d->bind.fds[0], SOL_SOCKET, SO_RCVBUF, &bytes, &len) != 0 || bytes < 0)
        return 0;
    return (uint64_t)bytes / 2;
}
