/* An nghttp2 session on a connection, with gathered writes. */
#include "io/h2.h"

#include "base/mem.h"
#include "io/loop_uv.h"

/* One write gathers at most this many bytes of frame headers and control frames, and this many
 * pieces; what does not fit goes with the next write of the same turn. A server has many
 * connections that send little; a client has few, and bodies of many pieces. One DATA frame covers
 * at most half of the pieces, so that it always fits an empty write. */
#define SERVER_CONTROL 2048
#define SERVER_PIECES  48
#define CLIENT_CONTROL 8192
#define CLIENT_PIECES  512
#define FRAME_MAX      ((size_t)256 * 1024)
/* Writes made in one turn before the other connections get theirs. */
#define WRITES_PER_TURN 32

#define FRAME_HEADER 9

/* Against floods (see also the server's own budget): answers a peer makes us queue, entries of one
 * SETTINGS frame, CONTINUATION frames of one header block, RST_STREAM frames in a burst and per
 * second. */
#define MAX_OUTBOUND_ACK  200
#define MAX_SETTINGS      32
#define MAX_CONTINUATIONS 8
#define RESET_BURST       1000
#define RESET_RATE        33

struct leat_h2 {
    struct leat_conn *conn; /* may be gone when this is freed */
    struct leat_loop *loop;
    nghttp2_session *session;
    void (*failed)(void *self, const char *why);
    void *self;
    const char *why;          /* not NULL: over, and told when all is written */
    bool told;                /* `failed` ran */
    bool dead;                /* the connection took its last write */
    bool writing;             /* a write is pending */
    struct leat_task task;    /* pump */
    struct leat_link waiting; /* tasks of leat_h2_when_flushed() */
    size_t npieces, control_len, max_pieces, max_control;
    uint8_t *control;
    struct leat_bytes *pieces; /* and then the bytes of `control`; NULL: nothing is gathered */
    struct leat_bytes own[];   /* a client's */
};
_Static_assert(SERVER_PIECES * sizeof(struct leat_bytes) + SERVER_CONTROL <= LEAT_WRITE_BLOCK,
               "what a server gathers fits the loop's block");

/* --- the block a write is gathered in */

/* A server's is the loop's, and goes back as soon as the kernel has taken all of it: an idle
 * connection has none. False: no memory. */
static bool have_block(struct leat_h2 *h)
{
    if (h->pieces == NULL)
        h->pieces = leat_loop_take_block(h->loop);
    if (h->pieces == NULL)
        return false;
    h->control = (uint8_t *)(h->pieces + h->max_pieces);
    return true;
}

static void return_block(struct leat_h2 *h)
{
    if (h->pieces == NULL || h->pieces == h->own)
        return;
    leat_loop_give_block(h->loop, h->pieces);
    h->pieces = NULL;
}

/* --- gathering */

static struct leat_h2 *of_user_data(void *user_data)
{
    return *(struct leat_h2 **)user_data;
}

/* Appends bytes to the control buffer; neighbours become one piece. */
static void add_control(struct leat_h2 *h, const uint8_t *data, size_t len)
{
    uint8_t *at = h->control + h->control_len;
    struct leat_bytes *last = h->npieces ? &h->pieces[h->npieces - 1] : NULL;

    memcpy(at, data, len);
    h->control_len += len;
    if (last != NULL && last->data + last->len == at)
        last->len += len;
    else
        h->pieces[h->npieces++] = leat_bytes(at, len);
}

static ssize_t on_send(nghttp2_session *session, const uint8_t *data, size_t len, int flags,
                       void *user_data)
{
    struct leat_h2 *h = of_user_data(user_data);
    size_t room = h->max_control - h->control_len;

    (void)session;
    (void)flags;
    if (h->npieces == h->max_pieces || room == 0)
        return NGHTTP2_ERR_WOULDBLOCK;
    if (len > room)
        len = room;
    add_control(h, data, len);
    return (ssize_t)len;
}

/* Moves a body forward by `len` bytes (at most what is left, in at most `max` pieces) and returns
 * how many; pieces go to `out` when it is not NULL. */
static size_t body_walk(struct leat_h2_body *b, size_t len, size_t max, struct leat_bytes *out,
                        size_t *ret_n)
{
    size_t done = 0, n = 0;

    while (done < len && b->index < b->n && n < max) {
        const struct leat_bytes *p = &b->pieces[b->index];
        size_t take = p->len - b->offset;

        if (take > len - done)
            take = len - done;
        if (take != 0) {
            if (out != NULL)
                out[n] = leat_bytes(p->data + b->offset, take);
            n++;
        }
        done += take;
        b->offset += take;
        if (b->offset == p->len) {
            b->index++;
            b->offset = 0;
        }
    }
    if (ret_n != NULL)
        *ret_n = n;
    return done;
}

static bool body_ended(struct leat_h2_body *b)
{
    while (b->index < b->n && b->offset == b->pieces[b->index].len) {
        b->index++;
        b->offset = 0;
    }
    return b->index == b->n;
}

static ssize_t on_read_body(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t len,
                            uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
    struct leat_h2_body *b = source->ptr, ahead = *b;
    size_t n = body_walk(&ahead, len, of_user_data(user_data)->max_pieces / 2, NULL, NULL);
    int err;

    (void)buf;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (!body_ended(&ahead))
        return (ssize_t)n;
    if (b->hungry != NULL && n == 0) {
        leat_loop_defer(of_user_data(user_data)->loop, b->hungry);
        return NGHTTP2_ERR_DEFERRED;
    }
    if (b->hungry != NULL)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (b->no_end_stream || b->trailers != NULL)
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    if (b->trailers != NULL) {
        err = nghttp2_submit_trailer(session, stream_id, b->trailers, b->ntrailers);
        if (err != 0)
            return nghttp2_is_fatal(err) ? NGHTTP2_ERR_CALLBACK_FAILURE
                                         : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)n;
}

static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *framehd,
                        size_t len, nghttp2_data_source *source, void *user_data)
{
    struct leat_h2 *h = of_user_data(user_data);
    struct leat_h2_body *b = source->ptr, ahead = *b;
    size_t n = 0;

    (void)session;
    (void)frame; /* we never pad */
    body_walk(&ahead, len, h->max_pieces, NULL, &n);
    if (n + 1 > h->max_pieces - h->npieces || FRAME_HEADER > h->max_control - h->control_len)
        return NGHTTP2_ERR_WOULDBLOCK;
    add_control(h, framehd, FRAME_HEADER);
    body_walk(b, len, h->max_pieces, h->pieces + h->npieces, &n);
    h->npieces += n;
    return 0;
}

static ssize_t on_read_length(nghttp2_session *session, uint8_t frame_type, int32_t stream_id,
                              int32_t session_window, int32_t stream_window, uint32_t max_frame,
                              void *user_data)
{
    size_t len = FRAME_MAX;

    (void)session;
    (void)frame_type;
    (void)stream_id;
    (void)user_data;
    if ((size_t)session_window < len)
        len = (size_t)session_window;
    if ((size_t)stream_window < len)
        len = (size_t)stream_window;
    return (ssize_t)(max_frame < len ? max_frame : len);
}

nghttp2_data_provider leat_h2_provider(struct leat_h2_body *body)
{
    return (nghttp2_data_provider){.source = {.ptr = body}, .read_callback = on_read_body};
}

void leat_h2_set_callbacks(nghttp2_session_callbacks *cbs)
{
    nghttp2_session_callbacks_set_send_callback(cbs, on_send);
    nghttp2_session_callbacks_set_send_data_callback(cbs, on_send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(cbs, on_read_length);
}

/* --- pumping */

static void tell_waiting(struct leat_h2 *h)
{
    struct leat_link *l;

    while ((l = leat_list_pop(&h->waiting)) != NULL) {
        struct leat_task *t = LEAT_OWNER(l, struct leat_task, link);

        t->run(t);
    }
}

static void fail(struct leat_h2 *h, const char *why)
{
    if (h->why == NULL)
        h->why = why;
}

/* Hands what was gathered to the connection. True: it may be filled again. */
static bool write_out(struct leat_h2 *h)
{
    int taken = leat_conn_write(h->conn, h->pieces, h->npieces);

    if (taken < 0) {
        h->dead = true;
        fail(h, "the connection failed while writing");
        return false;
    }
    h->writing = taken == 0;
    if (!h->writing)
        h->npieces = h->control_len = 0;
    return !h->writing;
}

/* Gathers and writes until nothing is left or the kernel takes no more. */
static void pump(struct leat_h2 *h)
{
    int err;

    if (!h->dead && !h->writing && !have_block(h)) {
        h->dead = true;
        fail(h, "no memory for a write");
    }
    for (int i = 0; !h->dead && !h->writing; i++) {
        if (i == WRITES_PER_TURN) {
            leat_loop_defer(h->loop, &h->task);
            return;
        }
        err = nghttp2_session_send(h->session);
        if (err != 0) {
            h->dead = true;
            fail(h, nghttp2_strerror(err));
            return;
        }
        if (h->npieces == 0)
            break;
        if (!write_out(h))
            return;
    }
}

static void pump_and_tell(struct leat_task *t)
{
    struct leat_h2 *h = LEAT_OWNER(t, struct leat_h2, task);

    pump(h);
    if (!h->writing && h->npieces == 0)
        return_block(h);
    if (h->dead || (!h->writing && h->npieces == 0))
        tell_waiting(h);
    if (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session))
        fail(h, "the HTTP/2 session is over");
    if (h->why == NULL || h->told || (!h->dead && (h->writing || t->queued)))
        return;
    h->told = true;
    h->failed(h->self, h->why); /* may free h */
}

void leat_h2_flush(struct leat_h2 *h)
{
    leat_loop_defer(h->loop, &h->task);
}

void leat_h2_written(struct leat_h2 *h)
{
    h->writing = false;
    h->npieces = h->control_len = 0;
    tell_waiting(h);
    leat_h2_flush(h);
}

void leat_h2_when_flushed(struct leat_h2 *h, struct leat_task *done)
{
    if (h->dead || (!h->writing && h->npieces == 0))
        done->run(done);
    else
        leat_list_append(&h->waiting, &done->link);
}

static uint32_t code_of(ssize_t err)
{
    switch (err) {
    case NGHTTP2_ERR_FLOODED:
        return NGHTTP2_ENHANCE_YOUR_CALM;
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
    case NGHTTP2_ERR_PROTO:
        return NGHTTP2_PROTOCOL_ERROR;
    default:
        return NGHTTP2_INTERNAL_ERROR;
    }
}

int leat_h2_read(struct leat_h2 *h, const uint8_t *data, size_t len)
{
    ssize_t n;

    if (h->why != NULL)
        return -1;
    n = nghttp2_session_mem_recv(h->session, data, len);
    if (n < 0 && h->why == NULL) {
        leat_h2_heed(h, nghttp2_session_terminate_session(h->session, code_of(n)));
        fail(h, nghttp2_strerror((int)n));
    }
    leat_h2_flush(h);
    return h->why == NULL ? 0 : -1;
}

void leat_h2_heed(struct leat_h2 *h, int rc)
{
    if (rc == 0 || !nghttp2_is_fatal(rc))
        return;
    h->dead = true;
    fail(h, nghttp2_strerror(rc));
    leat_h2_flush(h);
}

void leat_h2_reset(struct leat_h2 *h, int32_t stream, uint32_t code)
{
    leat_h2_heed(h, nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, stream, code));
    leat_h2_flush(h);
}

void leat_h2_end(struct leat_h2 *h, uint32_t code, const char *word)
{
    if (h->why != NULL)
        return;
    leat_h2_heed(h, nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE,
                                          nghttp2_session_get_last_proc_stream_id(h->session), code,
                                          (const uint8_t *)word, word ? strlen(word) : 0));
    fail(h, word ? word : "the HTTP/2 session was ended");
    leat_h2_flush(h);
}

bool leat_h2_ending(const struct leat_h2 *h)
{
    return h->why != NULL;
}

/* --- life */

struct leat_h2 *leat_h2_new(struct leat_conn *conn, nghttp2_session *session,
                            void (*failed)(void *self, const char *why), void *self)
{
    bool server = nghttp2_session_check_server_session(session);
    size_t own = server ? 0 : CLIENT_PIECES * sizeof(struct leat_bytes) + CLIENT_CONTROL;
    struct leat_h2 *h = leat_try(sizeof *h + own);

    if (h == NULL)
        return NULL;
    memset(h, 0, sizeof *h);
    h->max_pieces = server ? SERVER_PIECES : CLIENT_PIECES;
    h->max_control = server ? SERVER_CONTROL : CLIENT_CONTROL;
    h->pieces = server ? NULL : h->own;
    h->conn = conn;
    h->loop = leat_conn_loop(conn);
    h->session = session;
    h->failed = failed;
    h->self = self;
    h->task.run = pump_and_tell;
    leat_list_init(&h->task.link);
    leat_list_init(&h->waiting);
    return h;
}

void leat_h2_free(struct leat_h2 *h)
{
    if (h == NULL)
        return;
    leat_task_cancel(&h->task);
    tell_waiting(h);
    return_block(h);
    leat_free(h);
}

nghttp2_option *leat_h2_options(bool server)
{
    nghttp2_option *o;

    if (nghttp2_option_new(&o) != 0)
        return NULL;
    nghttp2_option_set_no_auto_window_update(o, server);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_max_outbound_ack(o, MAX_OUTBOUND_ACK);
    nghttp2_option_set_max_settings(o, MAX_SETTINGS);
    nghttp2_option_set_max_continuations(o, MAX_CONTINUATIONS);
    nghttp2_option_set_stream_reset_rate_limit(o, RESET_BURST, RESET_RATE);
    return o;
}
