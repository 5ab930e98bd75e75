/* An nghttp2 session on a connection: feeding it, and getting its frames out in one gathered write
 * per turn of the loop, DATA payload without a copy. Shared by server and client; knows no
 * requests. For io only. */
#ifndef LEAT_IO_H2_H
#define LEAT_IO_H2_H

#include <nghttp2/nghttp2.h>

#include "io/conn.h"

/* A body on its way out: pieces that stay valid until nghttp2's stream-close callback has run AND
 * the write that carried them is done: leat_h2_when_flushed() tells. */
struct leat_h2_body {
    const struct leat_bytes *pieces;
    size_t n, index, offset; /* where the next byte comes from */
    bool no_end_stream;      /* trailers follow */
};

struct leat_h2;

/* Owns neither `conn` nor `session`. `failed` runs (deferred) when the session or the write failed:
 * the owner closes. */
struct leat_h2 *leat_h2_new(struct leat_conn *conn, nghttp2_session *session,
                            void (*failed)(void *self, const char *why), void *self);
void leat_h2_free(struct leat_h2 *h); /* takes NULL */
/* The data provider for nghttp2_submit_request/response/data over a body. */
nghttp2_data_provider leat_h2_provider(struct leat_h2_body *body);
/* The owner's nghttp2 callbacks object must have these three set: fills them in. */
void leat_h2_set_callbacks(nghttp2_session_callbacks *cbs);
/* Feeds received bytes; -1: protocol error, flushed GOAWAY, the owner closes after `written`. */
int leat_h2_read(struct leat_h2 *h, const uint8_t *data, size_t len);
/* Something was submitted: frames go out at the end of this turn. */
void leat_h2_flush(struct leat_h2 *h);
/* The connection's `written` event. */
void leat_h2_written(struct leat_h2 *h);
/* Runs `done` when every byte handed out so far is with the kernel (at once when nothing is
 * pending). */
void leat_h2_when_flushed(struct leat_h2 *h, struct leat_task *done);
/* Options for both sides against abuse: no automatic window updates on the server, bounded outbound
 * queue, settings, continuations and reset bursts (nghttp2_option_*). The session's user_data must
 * be the struct leat_h2's owner. */
nghttp2_option *leat_h2_options(bool server);

#endif
