/* Accepts connections on the sockets of one endpoint. */
#include "io/listen.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/conn_internal.h"
#include "io/listen_bind.h"

#define ACCEPTS_PER_TURN 64 /* so that those who are connected already get their turn */
#define ACCEPT_PAUSE     (100 * LEAT_MS)

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
    bool unix_socket;
    void (*accept)(void *self, struct leat_conn *c);
    void *self;
    struct leat_bind bind;
    struct door *doors[LEAT_BIND_MAX];
    size_t ndoors;
    struct leat_timer *pause;
    bool short_of_files; /* said so; not again before an accept has worked */
    struct leat_conn_group *group;
    uint64_t refused;
    char *text;
};

static void on_readable(uv_poll_t *poll, int status, int events);

static void resume(void *arg)
{
    struct leat_listener *l = arg;

    for (size_t i = 0; i < l->ndoors; i++)
        uv_poll_start(&l->doors[i]->poll, UV_READABLE, on_readable);
}

static void pause_accepting(struct leat_listener *l, int error)
{
    for (size_t i = 0; i < l->ndoors; i++)
        uv_poll_stop(&l->doors[i]->poll);
    leat_timer_start(l->pause, ACCEPT_PAUSE, 0);
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

static void welcome(struct leat_listener *l, int fd, const struct sockaddr *addr)
{
    struct leat_conn *c;

    if (l->max_conns != 0 && l->group->conns >= l->max_conns) {
        refuse(l, fd);
        return;
    }
    c = leat_conn_new(l->loop, leat_conn_address(addr));
    if (c == NULL) {
        close(fd);
        l->refused++;
        return;
    }
    c->client = leat_conn_client_of(addr);
    c->group = l->group;
    l->group->conns++;
    l->group->refs++;
    if (leat_conn_adopt(c, fd, l->unix_socket) == 0) {
        leat_conn_connected(c, l->tls, true, NULL);
    } else {
        close(fd);
        leat_conn_fail(c, "no memory for a connection from %s", c->peer);
    }
    l->accept(l->self, c);
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
        struct sockaddr_storage addr = {.ss_family = AF_UNIX};
        socklen_t len = sizeof addr;
        int fd = accept4(d->fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            d->listener->short_of_files = false;
            welcome(d->listener, fd, (struct sockaddr *)&addr);
        } else if (errno == EAGAIN) {
            break;
        } else if (!passing(errno)) {
            pause_accepting(d->listener, errno);
            break;
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
    struct leat_bind bind;
    struct leat_listener *l;
    int rc = conf->unix_socket
                 ? leat_bind_unix(&bind, conf->endpoint, conf->permissions, conf->share, err)
                 : leat_bind_tcp(&bind, conf->endpoint, conf->share, err);

    if (rc != 0)
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
    l->group = leat_new(sizeof *l->group);
    l->group->refs = 1;
    l->pause = leat_timer_new(loop, resume, l);
    if (open_doors(l, err) != 0) {
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
    leat_bind_done(&l->bind);
    if (--l->group->refs == 0)
        leat_free(l->group);
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
    return l->group->conns;
}
