/* The life of a connection: reading, gathered writing, and an orderly end. */
#include "io/conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/conn_internal.h"

#define WRITE_BATCH 256 /* pieces in one writev */
/* Read from one connection before the others have their turn. */
#define TURN_BYTES      ((size_t)2 << 20)
#define KEEPALIVE_S     60              /* idle time before TCP asks whether the peer still lives */
#define HANDSHAKE_LIMIT (10 * LEAT_SEC) /* of a client that has connected to us */
/* A closed connection whose peer takes nothing for this long is dropped. */
#define FLUSH_TICK (10 * LEAT_SEC)
/* After our end was sent: time for the peer to end too, so that a reset does not destroy what we
 * wrote last. */
#define LINGER LEAT_SEC

static char no_words[] = "no memory to say why"; /* for `why` */

enum {
    DUE_OPENED = 1,
    DUE_FEED = 2,
    DUE_GONE = 4,
};

static void defer(struct leat_conn *c, unsigned what)
{
    c->due |= what;
    leat_loop_defer(c->loop, &c->task);
}

void leat_conn_defer_feed(struct leat_conn *c)
{
    defer(c, DUE_FEED);
}

/* --- the end */

static void hold(struct leat_conn *c)
{
    if (!c->held)
        leat_loop_hold(c->loop);
    c->held = true;
}

/* Tells the owner and frees: nothing refers to the connection any more. */
static void bury(struct leat_conn *c)
{
    if (c->events != NULL)
        c->events->closed(c->self, c->why);
    leat_task_cancel(&c->task);
    leat_filter_free(c->filter);
    leat_seat_leave(c->seat);
    leat_loop_release(c->loop);
    leat_free(c->peer);
    if (c->why != no_words)
        leat_free(c->why);
    leat_free(c);
}

static void on_closed(uv_handle_t *h)
{
    struct leat_conn *c = h->data;

    c->live = false;
    if (c->state == LEAT_CONN_GONE)
        bury(c);
    else
        leat_dialing_reset(c);
}

void leat_conn_drop_handle(struct leat_conn *c)
{
    uv_close(&c->uv.handle, on_closed);
}

static void finish(struct leat_conn *c)
{
    if (c->state == LEAT_CONN_GONE)
        return;
    c->state = LEAT_CONN_GONE;
    hold(c);
    c->reading = false;
    leat_conn_stop_timer(c);
    leat_dialing_free(c);
    if (!c->live)
        defer(c, DUE_GONE);
    else if (!uv_is_closing(&c->uv.handle))
        leat_conn_drop_handle(c);
}

__attribute__((format(printf, 2, 0))) static void set_why(struct leat_conn *c, const char *fmt,
                                                          va_list ap)
{
    struct leat_err err;

    if (c->why != NULL || c->state == LEAT_CONN_GONE)
        return;
    vsnprintf(err.text, sizeof err.text, fmt, ap);
    c->why = leat_try_strdup(err.text);
    if (c->why == NULL)
        c->why = no_words;
}

void leat_conn_fail(struct leat_conn *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set_why(c, fmt, ap);
    va_end(ap);
    finish(c);
}

/* Everything is with the kernel: says that this was all, and waits for the peer's end. */
static void begin_linger(struct leat_conn *c)
{
    uv_os_fd_t fd;

    c->state = LEAT_CONN_LINGERING;
    if (c->eof || uv_fileno(&c->uv.handle, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        finish(c);
        return;
    }
    if (leat_conn_set_timer(c, LINGER))
        leat_conn_update_reading(c);
}

static void flush_step(struct leat_conn *c)
{
    if (c->sending || (c->filter != NULL && leat_filter_pending(c->filter)))
        return;
    if (c->filter != NULL)
        leat_filter_shutdown(c);
    if (c->state == LEAT_CONN_FLUSHING && !c->sending)
        begin_linger(c);
}

static void begin_flush(struct leat_conn *c)
{
    c->state = LEAT_CONN_FLUSHING;
    hold(c);
    leat_dialing_free(c);
    leat_conn_update_reading(c);
    c->unsent = SIZE_MAX;
    if (leat_conn_set_timer(c, FLUSH_TICK))
        flush_step(c);
}

void leat_conn_give_up(struct leat_conn *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set_why(c, fmt, ap);
    va_end(ap);
    if (c->state < LEAT_CONN_FLUSHING)
        begin_flush(c);
}

void leat_conn_close(struct leat_conn *c)
{
    if (c->state == LEAT_CONN_NEW)
        finish(c);
    else if (c->state == LEAT_CONN_OPEN)
        begin_flush(c);
}

void leat_conn_abort(struct leat_conn *c)
{
    finish(c);
}

/* --- time limits */

static void check_progress(struct leat_conn *c)
{
    size_t unsent = uv_stream_get_write_queue_size(&c->uv.stream);

    if (unsent >= c->unsent) {
        leat_conn_fail(c, "%s has taken no data for %d s", c->peer, (int)(FLUSH_TICK / LEAT_SEC));
        return;
    }
    c->unsent = unsent;
    leat_conn_set_timer(c, FLUSH_TICK);
}

static void on_timer(void *arg)
{
    struct leat_conn *c = arg;

    if (c->state == LEAT_CONN_NEW && c->dialing != NULL)
        leat_dialing_timeout(c);
    else if (c->state == LEAT_CONN_NEW)
        leat_conn_fail(c, "TLS with %s failed: no handshake within %d s", c->peer,
                       (int)(HANDSHAKE_LIMIT / LEAT_SEC));
    else if (c->state == LEAT_CONN_FLUSHING)
        check_progress(c);
    else
        finish(c);
}

bool leat_conn_set_timer(struct leat_conn *c, int64_t after)
{
    if (c->timer == NULL)
        c->timer = leat_timer_try_new(c->loop, on_timer, c);
    if (c->timer == NULL) {
        leat_conn_fail(c, "no memory for the connection with %s", c->peer);
        return false;
    }
    leat_timer_start(c->timer, after, 0);
    return true;
}

void leat_conn_stop_timer(struct leat_conn *c)
{
    leat_timer_free(c->timer);
    c->timer = NULL;
}

/* --- reading */

static bool should_read(const struct leat_conn *c)
{
    if (!c->live || c->eof)
        return false;
    if (c->state == LEAT_CONN_NEW)
        return c->filter != NULL;
    if (c->state == LEAT_CONN_OPEN)
        return !c->paused && (c->filter == NULL || leat_filter_wants_raw(c->filter));
    return c->state == LEAT_CONN_LINGERING;
}

/* Without room, libuv tells on_read() UV_ENOBUFS instead of reading. */
static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    struct leat_conn *c = h->data;
    struct leat_conn_room room = {NULL, 0};
    size_t left = c->turn_got < TURN_BYTES ? TURN_BYTES - c->turn_got : 0;

    (void)suggested;
    *buf = uv_buf_init(NULL, 0); /* libuv stops reading, and polls again */
    if (left == 0 || !should_read(c))
        return;
    if (c->state == LEAT_CONN_OPEN && c->filter == NULL && c->events->room != NULL)
        room = c->events->room(c->self);
    if (room.at == NULL) { /* without memory on_read() hears of UV_ENOBUFS */
        room.at = leat_loop_read_buffer(c->loop);
        room.len = room.len != 0 && room.len < LEAT_READ_BUFFER ? room.len : LEAT_READ_BUFFER;
    }
    *buf = uv_buf_init((char *)room.at, (unsigned)(room.len < left ? room.len : left));
}

void leat_conn_peer_ended(struct leat_conn *c)
{
    c->eof = true;
    leat_conn_update_reading(c);
    if (c->events->ended != NULL)
        c->events->ended(c->self);
    else
        leat_conn_fail(c, "%s has closed the connection", c->peer);
}

static void read_failed(struct leat_conn *c, int rc)
{
    if (rc != UV_EOF) {
        leat_conn_fail(c, "reading from %s failed: %s", c->peer, uv_strerror(rc));
        return;
    }
    c->eof = true;
    if (c->filter != NULL)
        leat_filter_eof(c);
    else
        leat_conn_peer_ended(c);
}

/* True when libuv wants to read and nobody wants the bytes now: only here does its reading end, but
 * not when it just asks again because the read before filled its buffer: no byte need have come. */
static bool refuse_read(struct leat_conn *c, ssize_t n)
{
    if (n != UV_ENOBUFS || (c->turn_got < TURN_BYTES && should_read(c)))
        return false; /* bytes, or no memory */
    if (c->turn_got == 0) {
        c->reading = false;
        uv_read_stop(&c->uv.stream);
    }
    return true;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct leat_conn *c = stream->data;
    bool refused = refuse_read(c, n);

    /* What fills its buffer is followed by another read at once. */
    c->turn_got = n > 0 && (size_t)n == buf->len ? c->turn_got + (size_t)n : 0;
    if (refused || n == 0 || c->state == LEAT_CONN_GONE)
        return;
    if (n > 0)
        c->bytes_in += (uint64_t)n;
    if (c->state >= LEAT_CONN_FLUSHING) {
        if (n < 0)
            finish(c);
    } else if (n < 0) {
        read_failed(c, (int)n);
    } else if (c->filter != NULL) {
        leat_filter_read(c, (const uint8_t *)buf->base, (size_t)n);
    } else {
        c->events->read(c->self, (const uint8_t *)buf->base, (size_t)n);
    }
}

/* Reading that is not wanted any more goes on until bytes come: most pauses end before, and cost no
 * call of the kernel then. */
void leat_conn_update_reading(struct leat_conn *c)
{
    if (c->reading || !should_read(c))
        return;
    c->reading = true;
    uv_read_start(&c->uv.stream, on_alloc, on_read);
}

void leat_conn_pause(struct leat_conn *c)
{
    c->paused = true;
    leat_conn_update_reading(c);
}

void leat_conn_resume(struct leat_conn *c)
{
    c->paused = false;
    if (c->filter != NULL && c->state == LEAT_CONN_OPEN)
        leat_conn_defer_feed(c);
    leat_conn_update_reading(c);
}

/* --- writing */

static void on_sent(uv_write_t *write, int status)
{
    struct leat_conn *c = write->data;

    c->sending = false;
    if (c->state == LEAT_CONN_GONE)
        return;
    if (status < 0)
        leat_conn_fail(c, "writing to %s failed: %s", c->peer, uv_strerror(status));
    else if (c->filter != NULL)
        leat_filter_sent(c);
    else if (c->state == LEAT_CONN_OPEN)
        c->events->written(c->self);
    if (c->state == LEAT_CONN_FLUSHING)
        flush_step(c);
}

/* Fills `bufs` with what is left of the pieces after `skip` bytes of the first. */
static unsigned gather(uv_buf_t *bufs, size_t max, const struct leat_bytes *pieces, size_t n,
                       size_t skip, size_t *ret_total)
{
    unsigned filled = 0;

    *ret_total = 0;
    for (size_t i = 0; i < n && filled < max; i++, skip = 0) {
        size_t len = pieces[i].len - skip;

        if (len == 0)
            continue;
        bufs[filled].base = (char *)(uintptr_t)(pieces[i].data + skip);
        bufs[filled++].len = len;
        *ret_total += len;
    }
    return filled;
}

/* The kernel takes no more now: libuv sends the rest when it does. */
static int send_rest(struct leat_conn *c, const struct leat_bytes *pieces, size_t n, size_t skip)
{
    uv_buf_t *bufs = leat_try(n * sizeof *bufs);
    size_t total;
    unsigned filled;
    int rc = UV_ENOMEM;

    if (bufs != NULL) {
        filled = gather(bufs, n, pieces, n, skip, &total);
        c->req.write.data = c;
        rc = uv_write(&c->req.write, &c->uv.stream, bufs, filled, on_sent); /* copies the array */
        leat_free(bufs);
    }
    if (rc != 0) {
        leat_conn_fail(c, "writing to %s failed: %s", c->peer, uv_strerror(rc));
        return -1;
    }
    c->bytes_out += total;
    c->sending = true;
    return 0;
}

/* Steps over `sent` bytes. */
static void advance(const struct leat_bytes **pieces, size_t *n, size_t *skip, size_t sent)
{
    while (*n > 0 && sent >= (*pieces)->len - *skip) {
        sent -= (*pieces)->len - *skip;
        *skip = 0;
        ++*pieces;
        --*n;
    }
    *skip += sent;
}

int leat_conn_send(struct leat_conn *c, const struct leat_bytes *pieces, size_t n)
{
    uv_buf_t bufs[WRITE_BATCH];
    size_t skip = 0, total;

    for (;;) {
        unsigned filled;
        int rc;

        advance(&pieces, &n, &skip, 0);
        filled = gather(bufs, WRITE_BATCH, pieces, n, skip, &total);
        if (filled == 0)
            return 1;
        rc = uv_try_write(&c->uv.stream, bufs, filled);
        if (rc == UV_EAGAIN)
            return send_rest(c, pieces, n, skip);
        if (rc < 0) {
            leat_conn_fail(c, "writing to %s failed: %s", c->peer, uv_strerror(rc));
            return -1;
        }
        c->bytes_out += (uint64_t)rc;
        advance(&pieces, &n, &skip, (size_t)rc);
        if ((size_t)rc < total)
            return send_rest(c, pieces, n, skip);
    }
}

int leat_conn_write(struct leat_conn *c, const struct leat_bytes *pieces, size_t n)
{
    LEAT_CHECK(c->state != LEAT_CONN_NEW);
    if (c->state != LEAT_CONN_OPEN)
        return -1;
    LEAT_CHECK(!leat_conn_pending(c));
    return c->filter ? leat_filter_write(c, pieces, n) : leat_conn_send(c, pieces, n);
}

bool leat_conn_pending(const struct leat_conn *c)
{
    return c->filter ? leat_filter_pending(c->filter) : c->sending;
}

/* --- the beginning */

void leat_conn_open_now(struct leat_conn *c)
{
    LEAT_CHECK(c->events != NULL);
    c->state = LEAT_CONN_OPEN;
    leat_conn_stop_timer(c);
    leat_dialing_free(c);
    c->events->opened(c->self);
    leat_conn_update_reading(c);
}

static void on_task(struct leat_task *t)
{
    struct leat_conn *c = LEAT_OWNER(t, struct leat_conn, task);
    unsigned due = c->due;

    c->due = 0;
    if (due & DUE_GONE) {
        bury(c);
        return;
    }
    if ((due & DUE_OPENED) && c->state == LEAT_CONN_NEW)
        leat_conn_open_now(c);
    if ((due & DUE_FEED) && c->state == LEAT_CONN_OPEN && !c->paused)
        leat_filter_feed(c);
}

struct leat_conn *leat_conn_new(struct leat_loop *l, char *peer)
{
    struct leat_conn *c = peer != NULL ? leat_try_zeroed(sizeof *c) : NULL;

    if (c == NULL) {
        leat_free(peer);
        return NULL;
    }
    c->loop = l;
    c->task.run = on_task;
    c->peer = peer;
    return c;
}

int leat_conn_adopt(struct leat_conn *c, int fd, bool unix_socket)
{
    uv_loop_t *uv = leat_loop_uv(c->loop);
    int rc = unix_socket ? uv_pipe_init(uv, &c->uv.pipe, 0) : uv_tcp_init(uv, &c->uv.tcp);

    if (rc != 0)
        return rc;
    c->live = true;
    c->uv.handle.data = c;
    if (fd < 0)
        return 0;
    return unix_socket ? uv_pipe_open(&c->uv.pipe, fd) : uv_tcp_open(&c->uv.tcp, fd);
}

void leat_conn_connected(struct leat_conn *c, struct leat_tls *tls, bool server, const char *name)
{
    struct leat_err err;

    if (uv_handle_get_type(&c->uv.handle) == UV_TCP) {
        uv_tcp_nodelay(&c->uv.tcp, 1);
        uv_tcp_keepalive(&c->uv.tcp, 1, KEEPALIVE_S);
    }
    if (tls == NULL) {
        defer(c, DUE_OPENED);
        return;
    }
    c->filter = leat_filter_new(c, tls, server, name, &err);
    if (c->filter == NULL) {
        leat_conn_fail(c, "TLS with %s failed: %s", c->peer, err.text);
        return;
    }
    if (server && !leat_conn_set_timer(c, HANDSHAKE_LIMIT))
        return;
    leat_conn_update_reading(c);
    leat_filter_start(c);
}

void leat_conn_start_tls(struct leat_conn *c, struct leat_tls *tls, const char *name,
                         const char *peer)
{
    char *inner;

    if (c->state != LEAT_CONN_OPEN)
        return; /* `closed` will come */
    LEAT_CHECK(c->filter == NULL && !leat_conn_pending(c));
    c->state = LEAT_CONN_NEW;
    inner = leat_try_strdup(peer);
    if (inner != NULL) {
        leat_free(c->peer);
        c->peer = inner;
    } /* else it goes on under its old name */
    if (leat_conn_set_timer(c, HANDSHAKE_LIMIT))
        leat_conn_connected(c, tls, false, name);
}

void leat_conn_handle(struct leat_conn *c, const struct leat_conn_events *events, void *self)
{
    c->events = events;
    c->self = self;
}

struct leat_loop *leat_conn_loop(const struct leat_conn *c)
{
    return c->loop;
}

uint64_t leat_conn_client(const struct leat_conn *c)
{
    return c->client;
}

const char *leat_conn_alpn(const struct leat_conn *c)
{
    return c->filter ? leat_filter_alpn(c->filter) : NULL;
}

bool leat_conn_is_tls(const struct leat_conn *c)
{
    return c->filter != NULL;
}

uint64_t leat_conn_bytes_in(const struct leat_conn *c)
{
    return c->bytes_in;
}

uint64_t leat_conn_bytes_out(const struct leat_conn *c)
{
    return c->bytes_out;
}
