/* Two ends of a connection on one loop, and a record of what happened to each. */
#ifndef LEAT_TESTS_IO_LOOPBACK_H
#define LEAT_TESTS_IO_LOOPBACK_H

#include "base/text.h"
#include "io/conn.h"
#include "io/dial.h"
#include "io/listen.h"
#include "io/loop.h"

struct io_end {
    struct leat_conn *conn; /* NULL after `closed` */
    int opened, ended, written, closed;
    bool has_why;
    char why[512];
    struct leat_text in; /* what was read */
    void (*on_opened)(struct io_end *e);
    void (*on_read)(struct io_end *e);
    uint8_t *room; /* handed out by `room`, when its length is set */
    size_t room_len;
    int room_reads; /* reads that came into it */
};

void io_end_init(struct io_end *e);
void io_end_done(struct io_end *e);
/* Events with `ended`, and the same without. */
extern const struct leat_conn_events io_end_events, io_end_events_short;

struct io_pair {
    struct leat_loop *loop;
    struct leat_listener *listener;
    struct io_end server, client;
    struct leat_listen_conf listen;
    struct leat_dial_conf dial;
};

/* A listener on a free port of 127.0.0.1, and a dialled connection to it. What is set in `listen`
 * and `dial` before is kept. Waits for both ends to be open or closed. */
void io_pair_open(struct io_pair *p);
void io_pair_listen(struct io_pair *p); /* the listener only */
void io_pair_done(struct io_pair *p);   /* aborts what is still open */

/* Turns the loop until it holds; ctest's time limit is the way out. */
#define IO_UNTIL(loop, cond)                                                                       \
    do {                                                                                           \
        while (!(cond))                                                                            \
            leat_loop_turn(loop);                                                                  \
    } while (0)

/* One piece; the text must stay. */
int io_write(struct io_end *e, const char *text);

#endif
