/* Accepts connections on the sockets of one endpoint. */
#include "io/listen.h"

#include <errno.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/conn_internal.h"
#include "io/listen_bind.h"

#define ACCEPTS_PER_TURN 64 /* so that those who are connected already get their turn */
#define ACCEPT_PAUSE     (100 * LEAT_MS)
/* Descriptors that no accepted connection may have: exporters' connections, files and look-ups
 * need some when a flood has taken the rest. An eighth of the limit (ulimit -n) within these
 * bounds, and never more than half of what was free when listening began. */
#define KEPT_PART 8
#define KEPT_MIN  16
#define KEPT_MAX  512
/* Connections closed for want of descriptors before accepting pauses. */
#define TURNED_AWAY_MAX 64

/* One socket. Lives until libuv has closed its handle; `listener` is NULL from the moment the
 * listener is gone. */
struct door {
    uv_poll_t poll;
    struct leat_listener *listener;
    int fd;
};

struct leat_listener {
    struct leat_loop *loop;
    struct leat_tls *tls;
    uint32_t max_conns;
    int most_fd; /* an accepted socket's number is below */
    bool unix_socket;
    void (*accept)(void *self, struct leat_conn *c);
    void *self;
    struct leat_bind bind;
    struct door *doors[LEAT_BIND_MAX];
    size_t ndoors;
    struct leat_timer *pause;
    bool short_of_files; /* said so; not again before an accept has worked */
    int turned_away;     /* since the last pause */
    struct leat_seat *seat;
    uint64_t refused;
    char *text;
};

static void on_readable(uv_poll_t *poll, int status, int events);

static void resume(void *arg)
{
    struct leat_listener *l = arg;

    l->turned_away = 0;
    for (size_t i = 0; i < l->ndoors; i++)
        uv_poll_start(&l->doors[i]->poll, UV_READABLE, on_readable);
}

static void pause_accepting(struct leat_listener *l)
{
    for (size_t i = 0; i < l->ndoors; i++)
        uv_poll_stop(&l->doors[i]->poll);
    leat_timer_start(l->pause, ACCEPT_PAUSE, 0);
}

static void say_short(struct leat_listener *l, int error)
{
    if (l->short_of_files)
        return;
    l->short_of_files = true;
    leat_error(NULL, "cannot accept connections on %s for now: %s%s", l->text, uv_strerror(-error),
               error == EMFILE ? "; raise the limit of open files (ulimit -n)" : "");
}

static void refuse(struct leat_listener *l, int fd)
{
    close(fd);
    l->refused++;
    leat_warn(NULL, "a connection to %s was refused: %u are open, which is the limit", l->text,
              l->max_conns);
}

/* A connection that this seat has counted. */
static void welcome(void *self, int fd, const struct sockaddr *addr)
{
    struct leat_listener *l = self;
    struct leat_conn *c = leat_conn_new(l->loop, leat_conn_address(addr));

    if (c == NULL) {
        close(fd);
        l->refused++;
        leat_seat_leave(l->seat);
        return;
    }
    c->client = leat_conn_client_of(addr);
    c->seat = l->seat;
    if (leat_conn_adopt(c, fd, l->unix_socket) == 0) {
        leat_conn_connected(c, l->tls, true, NULL);
    } else {
        close(fd);
        leat_conn_fail(c, "no memory for a connection from %s", c->peer);
    }
    l->accept(l->self, c);
}

/* --- descriptors */

/* The kernel gives the lowest number that is free, so the number says how many are in use. */
static int most_fd(int first)
{
    struct rlimit r;
    int64_t limit, kept;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur > INT_MAX)
        return INT_MAX;
    limit = (int64_t)r.rlim_cur;
    kept = limit / KEPT_PART;
    kept = kept < KEPT_MIN ? KEPT_MIN : kept > KEPT_MAX ? KEPT_MAX : kept;
    if (kept > (limit - first) / 2)
        kept = (limit - first) / 2;
    return (int)(limit - kept);
}

/* The limit may have been raised meanwhile. */
static bool within_limit(struct leat_listener *l, int fd)
{
    if (fd >= l->most_fd)
        l->most_fd = most_fd(l->bind.fds[0]);
    return fd < l->most_fd;
}

/* Closing tells the peer at once. A few are told, then accepting pauses: whoever connects again and
 * again must not keep us busy. */
static void out_of_files(struct leat_listener *l, int fd)
{
    close(fd);
    l->refused++;
    say_short(l, EMFILE);
    if (++l->turned_away >= TURNED_AWAY_MAX)
        pause_accepting(l);
}

static void accepted(struct leat_listener *l, int fd, const struct sockaddr *addr)
{
    if (!within_limit(l, fd)) {
        out_of_files(l, fd);
        return;
    }
    l->short_of_files = false;
    switch (leat_seat_give(l->seat, fd, addr)) {
    case LEAT_SEAT_OWN:
        welcome(l, fd, addr);
        break;
    case LEAT_SEAT_AWAY:
        break;
    case LEAT_SEAT_FULL:
        refuse(l, fd);
        break;
    }
}

static bool passing(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENETDOWN ||
           error == ENOPROTOOPT || error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH ||
           error == EOPNOTSUPP || error == ENETUNREACH;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct door *d = poll->data;

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && d->listener != NULL; i++) {
        if (leat_timer_running(d->listener->pause))
            break;
        struct sockaddr_storage addr = {.ss_family = AF_UNIX};
        socklen_t len = sizeof addr;
        int fd = accept4(d->fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            accepted(d->listener, fd, (struct sockaddr *)&addr);
        } else if (errno == EAGAIN) {
            break;
        } else if (!passing(errno)) {
            say_short(d->listener, errno);
            pause_accepting(d->listener);
        }
    }
}

static void on_closed(uv_handle_t *poll)
{
    leat_free(poll->data);
}

static int open_doors(struct leat_listener *l, struct leat_err *err)
{
    for (size_t i = 0; i < l->bind.n; i++) {
        struct door *d = leat_new(sizeof *d);
        int rc = uv_poll_init(leat_loop_uv(l->loop), &d->poll, l->bind.fds[i]);

        if (rc != 0) {
            leat_free(d);
            return leat_fail(err, "cannot listen on %s: %s", l->text, uv_strerror(rc));
        }
        d->poll.data = d;
        d->fd = l->bind.fds[i];
        d->listener = l;
        l->doors[l->ndoors++] = d;
    }
    resume(l);
    return 0;
}

struct leat_listener *leat_listen(struct leat_loop *loop, const struct leat_listen_conf *conf,
                                  void (*accept)(void *self, struct leat_conn *c), void *self,
                                  struct leat_err *err)
{
    struct leat_bind_ask ask = {.endpoint = conf->endpoint,
                                .share = conf->share,
                                .type = SOCK_STREAM,
                                .family = conf->unix_socket ? AF_UNIX : conf->family,
                                .permissions = conf->permissions,
                                .buffer = conf->buffer};
    struct leat_bind bind;
    struct leat_listener *l;

    if (leat_bind(&bind, &ask, err) != 0)
        return NULL;
    l = leat_new(sizeof *l);
    l->loop = loop;
    l->tls = conf->tls;
    l->max_conns = conf->max_conns;
    l->unix_socket = conf->unix_socket;
    l->accept = accept;
    l->self = self;
    l->bind = bind;
    l->text = leat_bind_text(&bind);
    l->most_fd = most_fd(bind.fds[0]);
    l->pause = leat_timer_new(loop, resume, l);
    l->seat = leat_seat_new(loop, leat_bind_seats(&bind), conf->max_conns, welcome, l, err);
    if (l->seat == NULL || open_doors(l, err) != 0) {
        leat_listener_free(l);
        return NULL;
    }
    return l;
}

void leat_listener_free(struct leat_listener *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->ndoors; i++) {
        l->doors[i]->listener = NULL;
        uv_close((uv_handle_t *)&l->doors[i]->poll, on_closed);
    }
    leat_timer_free(l->pause);
    leat_seat_close(l->seat);
    leat_bind_done(&l->bind);
    leat_free(l->text);
    leat_free(l);
}

uint16_t leat_listener_port(const struct leat_listener *l)
{
    return l->bind.port;
}

const char *leat_listener_text(const struct leat_listener *l)
{
    return l->text;
}

uint64_t leat_listener_refused(const struct leat_listener *l)
{
    return l->refused;
}

uint32_t leat_listener_conns(const struct leat_listener *l)
{
    return leat_seat_conns(l->seat);
}
