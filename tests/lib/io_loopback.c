/* Two ends of a connection on one loop. */
#include "lib/io_loopback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_opened(void *self)
{
    struct io_end *e = self;

    e->opened++;
    if (e->on_opened)
        e->on_opened(e);
}

static void on_read(void *self, const uint8_t *data, size_t len)
{
    struct io_end *e = self;

    if (e->room_len > 0) {
        if (e->room != NULL ? data != e->room : len > e->room_len)
            abort();
        e->room_reads++;
    }
    leat_text_add(&e->in, data, len);
    if (e->on_read)
        e->on_read(e);
}

static struct leat_conn_room on_room(void *self)
{
    struct io_end *e = self;

    return (struct leat_conn_room){e->room, e->room_len};
}

static void on_ended(void *self)
{
    struct io_end *e = self;

    e->ended++;
}

static void on_written(void *self)
{
    struct io_end *e = self;

    e->written++;
}

static void on_closed(void *self, const char *why)
{
    struct io_end *e = self;

    e->closed++;
    e->has_why = why != NULL;
    snprintf(e->why, sizeof e->why, "%s", why ? why : "");
    e->conn = NULL;
}

const struct leat_conn_events io_end_events = {
    .opened = on_opened,
    .read = on_read,
    .room = on_room,
    .ended = on_ended,
    .written = on_written,
    .closed = on_closed,
};
const struct leat_conn_events io_end_events_short = {
    .opened = on_opened, .read = on_read, .written = on_written, .closed = on_closed};

void io_end_init(struct io_end *e)
{
    memset(e, 0, sizeof *e);
    leat_text_init(&e->in, (size_t)64 << 20);
}

void io_end_done(struct io_end *e)
{
    leat_text_done(&e->in);
}

static void on_accept(void *self, struct leat_conn *c)
{
    struct io_pair *p = self;

    if (p->server.conn != NULL)
        abort(); /* one at a time */
    p->server.conn = c;
    leat_conn_handle(c, &io_end_events, &p->server);
}

void io_pair_listen(struct io_pair *p)
{
    struct leat_err err;

    p->loop = leat_loop_new(&err);
    io_end_init(&p->server);
    io_end_init(&p->client);
    if (p->listen.endpoint == NULL)
        p->listen.endpoint = "127.0.0.1:0";
    p->listener = leat_listen(p->loop, &p->listen, on_accept, p, &err);
    if (p->listener == NULL) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
}

void io_pair_open(struct io_pair *p)
{
    io_pair_listen(p);
    if (p->dial.host == NULL)
        p->dial.host = "127.0.0.1";
    p->dial.port = leat_listener_port(p->listener);
    p->client.conn = leat_dial(p->loop, &p->dial);
    leat_conn_handle(p->client.conn, &io_end_events, &p->client);
    IO_UNTIL(p->loop,
             (p->client.opened || p->client.closed) && (p->server.opened || p->server.closed));
}

void io_pair_done(struct io_pair *p)
{
    if (p->client.conn != NULL)
        leat_conn_abort(p->client.conn);
    if (p->server.conn != NULL)
        leat_conn_abort(p->server.conn);
    leat_listener_free(p->listener);
    leat_loop_free(p->loop);
    io_end_done(&p->server);
    io_end_done(&p->client);
}

int io_write(struct io_end *e, const char *text)
{
    struct leat_bytes piece = leat_bytes_str(text);

    return leat_conn_write(e->conn, &piece, 1);
}
