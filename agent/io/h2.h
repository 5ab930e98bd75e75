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
    size_t n, index, offset;    /* where the next byte comes from */
    bool no_end_stream;         /* something follows that the owner submits */
    const nghttp2_nv *trailers; /* submitted behind the last byte; NULL: none. They make
                                   no_end_stream superfluous */
    size_t ntrailers;
    /* More pieces will follow: run when these have been handed out. Whoever has put others in their
     * place calls nghttp2_session_resume_data(). NULL: these are all. */
    struct leat_task *hungry;
};

struct leat_h2;

/* The session's user_data must point at a struct whose first member is this struct leat_h2 *: the
 * callbacks find it there. Owns neither `conn` nor `session`. `failed` runs once, deferred, when
 * the session or the write failed, or when the session has nothing more to say or to hear (GOAWAY
 * and all streams done): the owner closes. `why` is never NULL. NULL: no memory. */
struct leat_h2 *leat_h2_new(struct leat_conn *conn, nghttp2_session *session,
                            void (*failed)(void *self, const char *why), void *self);
/* Takes NULL. To be called when the connection is closed: bodies that still wait to be flushed are
 * told now. */
void leat_h2_free(struct leat_h2 *h);
/* The data provider for nghttp2_submit_request/response/data over a body. */
nghttp2_data_provider leat_h2_provider(struct leat_h2_body *body);
/* The owner's nghttp2 callbacks object must have these three set: fills them in. */
void leat_h2_set_callbacks(nghttp2_session_callbacks *cbs);
/* Feeds received bytes. -1: the session is over; a GOAWAY is on its way, `failed` follows when it
 * is with the kernel; more bytes are ignored. The owner may also close at once. */
int leat_h2_read(struct leat_h2 *h, const uint8_t *data, size_t len);
/* Something was submitted: frames go out at the end of this turn. */
void leat_h2_flush(struct leat_h2 *h);
/* What nghttp2 said to something that must reach the peer (a reset, a window): without memory the
 * peer would wait for ever, so the session ends and `failed` follows. Other errors are none: the
 * stream is gone. */
void leat_h2_heed(struct leat_h2 *h, int rc);
/* RST_STREAM, heeded; it goes out at the end of this turn. */
void leat_h2_reset(struct leat_h2 *h, int32_t stream, uint32_t code);
/* Ends the session: GOAWAY with an error code and a word for the peer (static text; NULL: none),
 * then `failed`. */
void leat_h2_end(struct leat_h2 *h, uint32_t code, const char *word);
bool leat_h2_ending(const struct leat_h2 *h);
/* The connection's `written` event. */
void leat_h2_written(struct leat_h2 *h);
/* Runs `done` when every byte handed out so far is with the kernel (at once when nothing is
 * pending). */
void leat_h2_when_flushed(struct leat_h2 *h, struct leat_task *done);
/* Options for both sides against abuse: no automatic window updates on the server, bounded outbound
 * queue, settings, continuations and reset bursts (nghttp2_option_*). The caller ends it with
 * nghttp2_option_del(). NULL: no memory. */
nghttp2_option *leat_h2_options(bool server);

#endif
