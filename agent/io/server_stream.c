/* Bodies of replies that are made while they are sent: one piece at a time, one piece per turn of
 * the loop, so that a long body keeps neither memory nor the other connections waiting. */
#include <stdio.h>

#include "base/mem.h"
#include "io/loop.h"
#include "io/server_internal.h"

#define PIECE_MAX  ((size_t)8 * 1024 * 1024)
#define CHUNK_HEAD 10 /* "0000ffff\r\n": chunk-size may begin with zeros (RFC 9112 section 7.1) */

static void on_timer(void *arg)
{
    struct leat_call *c = arg;

    c->made->go_on(c);
}

int leat_stream_open(struct leat_call *c, const struct leat_reply_source *source,
                     void (*go_on)(struct leat_call *c))
{
    struct leat_stream *st = leat_try_zeroed(sizeof *st);

    if (st != NULL)
        st->timer = leat_timer_try_new(c->peer->server->env.loop, on_timer, c);
    if (st == NULL || st->timer == NULL) {
        leat_free(st);
        source->done(source->self);
        return -1;
    }
    st->source = *source;
    st->call = c;
    st->go_on = go_on;
    leat_text_init(&st->piece, PIECE_MAX);
    leat_list_init(&st->hungry.link);
    leat_list_init(&st->flushed.link);
    c->made = st;
    return 0;
}

void leat_stream_wait(struct leat_call *c)
{
    if (c->made->source.done != NULL)
        leat_timer_start(c->made->timer, 0, 0);
}

/* Around what the source appends behind the room for the head. */
static void frame(struct leat_stream *st)
{
    char head[CHUNK_HEAD + 1];
    size_t len = st->piece.len - CHUNK_HEAD;

    if (len == 0) {
        leat_text_clear(&st->piece);
    } else {
        snprintf(head, sizeof head, "%08zx\r\n", len);
        memcpy(st->piece.data, head, CHUNK_HEAD);
        leat_text_str(&st->piece, "\r\n");
    }
    if (st->over)
        leat_text_str(&st->piece, "0\r\n\r\n");
}

enum leat_reply_more leat_stream_fill(struct leat_call *c, bool chunked)
{
    struct leat_stream *st = c->made;
    enum leat_reply_more more;

    if (st->source.done == NULL)
        return LEAT_REPLY_CUT;
    leat_text_clear(&st->piece);
    if (chunked)
        leat_text_add(&st->piece, "0000000000", CHUNK_HEAD);
    more = leat_text_ok(&st->piece) ? st->source.next(st->source.self, &st->piece) : LEAT_REPLY_CUT;
    st->over = more == LEAT_REPLY_LAST;
    if (chunked && more != LEAT_REPLY_CUT && leat_text_ok(&st->piece))
        frame(st);
    if (!leat_text_ok(&st->piece))
        more = LEAT_REPLY_CUT;
    if (more != LEAT_REPLY_MORE)
        leat_stream_end(c);
    return more;
}

void leat_stream_end(struct leat_call *c)
{
    struct leat_stream *st = c->made;
    void (*done)(void *self);

    if (st == NULL || st->source.done == NULL)
        return;
    done = st->source.done;
    st->source.done = NULL;
    leat_timer_stop(st->timer);
    done(st->source.self);
}

void leat_stream_free(struct leat_call *c)
{
    struct leat_stream *st = c->made;

    if (st == NULL)
        return;
    leat_stream_end(c);
    c->made = NULL;
    leat_task_cancel(&st->hungry);
    leat_list_remove(&st->flushed.link);
    leat_timer_free(st->timer);
    leat_text_done(&st->piece);
    leat_free(st);
}
