/* HTTP/1.1: one request at a time per connection. A body of known length is read by the connection
 * straight into its final buffer. */
#include "io/server_h1.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

/* Empty lines before a request line (RFC 9112 section 2.2 asks to ignore at least one). */
#define BLANKS_MAX 4
/* What chunks may cost besides their bytes: so much, and so many bytes for each byte of body. */
#define CHUNK_OVERHEAD_MAX ((uint64_t)16 * 1024)
#define CHUNK_OVERHEAD_PER 16
/* A read that may bring the headers of a request brings no more of its body, which is copied then;
 * the rest is read into its place. */
#define HEAD_READ  ((size_t)16 * 1024)
#define REPLY_HEAD 512 /* what the headers of a reply usually need */
#define REPLY_MAX  ((size_t)4 * 1024 * 1024)
#define REPLY_KEPT ((size_t)2 * 1024) /* room that an idle connection keeps for replies */

static void feed(struct leat_h1 *h, const uint8_t *data, size_t len);

/* --- between requests */

static void set_paused(struct leat_h1 *h, bool paused)
{
    if (paused == h->paused)
        return;
    h->paused = paused;
    if (paused)
        leat_conn_pause(h->p->conn);
    else
        leat_conn_resume(h->p->conn);
}

static void drop_stash(struct leat_h1 *h)
{
    leat_buf_unref(h->stash);
    h->stash = NULL;
    h->stash_at = 0;
}

static void begin_idle(struct leat_h1 *h)
{
    struct leat_server *s = h->p->server;

    h->phase = LEAT_H1_IDLE;
    h->since = leat_clock_mono();
    h->line = h->head = h->blanks = 0;
    h->prev = 0;
    h->wire = 0;
    h->complete = h->direct = h->last = false;
    if (s != NULL && s->conf->idle_timeout > 0)
        leat_peer_due(h->p, h->since + s->conf->idle_timeout);
}

/* The connection takes what was written along, and gives the peer time to read it. */
static void end(struct leat_h1 *h)
{
    h->phase = LEAT_H1_OVER;
    leat_conn_close(h->p->conn);
}

/* The reply, or this piece of it, is with the kernel. */
static void reply_written(struct leat_h1 *h)
{
    struct leat_call *c = h->call;

    h->writing = false;
    if (c->made != NULL && !c->made->over && h->p->server != NULL) {
        leat_stream_wait(c);
        return;
    }
    h->call = NULL;
    h->answered = true;
    if (h->reply.cap > REPLY_KEPT)
        leat_text_done(&h->reply);
    leat_call_free(c);
    if (h->p->server == NULL)
        return;
    if (h->last || h->p->server->draining) {
        end(h);
        return;
    }
    begin_idle(h);
    if (!h->feeding)
        leat_loop_defer(leat_conn_loop(h->p->conn), &h->again);
}

/* Goes on with what came behind the request that is answered now. */
static void carry_on(struct leat_task *t)
{
    struct leat_h1 *h = LEAT_OWNER(t, struct leat_h1, again);

    if (h->phase != LEAT_H1_IDLE || h->p->server == NULL)
        return;
    h->kept = false;
    if (h->stash != NULL)
        feed(h, h->stash->data + h->stash_at, h->stash->len - h->stash_at);
    if (!h->kept)
        drop_stash(h);
    if (h->phase == LEAT_H1_ANSWER || h->p->server == NULL)
        return;
    if (h->ended && h->phase != LEAT_H1_OVER)
        end(h);
    else
        set_paused(h, false);
}

static void stash_rest(struct leat_h1 *h, const uint8_t *data, size_t len)
{
    if (h->stash != NULL) { /* we are just reading it */
        h->stash_at = h->stash->len - len;
        h->kept = true;
        return;
    }
    h->stash = leat_buf_new(leat_peer_budget(h->p), len);
    h->stash_at = 0;
    if (h->stash == NULL) { /* the answer still goes out; the client repeats what follows */
        h->last = true;
        return;
    }
    memcpy(h->stash->data, data, len);
    h->stash->len = len;
}

/* --- replies */

static void write_reply(struct leat_h1 *h)
{
    int taken;

    if (leat_conn_pending(h->p->conn)) /* "100 Continue" is on its way */
        return;
    h->writing = true;
    taken = leat_conn_write(h->p->conn, &h->out, 1);
    h->out = leat_bytes(NULL, 0);
    if (taken > 0)
        reply_written(h);
}

/* No memory for the reply: the client sees the connection end and tries again. */
static void give_up(struct leat_h1 *h)
{
    h->phase = LEAT_H1_OVER;
    leat_conn_abort(h->p->conn);
}

static void add_line(struct leat_text *t, const char *name, const char *value)
{
    leat_text_str(t, name);
    leat_text_str(t, ": ");
    leat_text_str(t, value);
    leat_text_str(t, "\r\n");
}

static void write_head(struct leat_h1 *h, const struct leat_reply *r, struct leat_text *t)
{
    struct leat_pair heads[LEAT_REPLY_HEADS];
    char scratch[64];
    size_t n = leat_reply_heads(h->call, r, heads, scratch);

    leat_text_reserve(t, REPLY_HEAD + r->body.len);
    leat_text_str(t, "HTTP/1.1 ");
    leat_text_uint(t, r->status);
    leat_text_char(t, ' ');
    leat_text_str(t, leat_http_reason(r->status));
    leat_text_str(t, "\r\n");
    if (r->content_type != NULL)
        add_line(t, "content-type", r->content_type);
    if (r->source != NULL && h->parser.http_minor != 0) {
        leat_text_str(t, "transfer-encoding: chunked\r\n");
    } else if (r->source == NULL && r->status >= 200 && r->status != 204 && r->status != 304) {
        leat_text_str(t, "content-length: ");
        leat_text_uint(t, r->body.len);
        leat_text_str(t, "\r\n");
    }
    for (size_t i = 0; i < n; i++)
        add_line(t, heads[i].key, heads[i].value);
    if (h->last)
        leat_text_str(t, "connection: close\r\n");
    else if (h->parser.http_minor == 0)
        leat_text_str(t, "connection: keep-alive\r\n");
    leat_text_str(t, "\r\n");
    if (!h->call->head_only && r->source == NULL && r->status != 204 && r->status != 304)
        leat_text_add(t, r->body.data, r->body.len);
}

/* The next piece of a body that is made while it is sent. */
static void go_on(struct leat_call *c)
{
    struct leat_h1 *h = c->peer->session;

    if (leat_stream_fill(c, h->parser.http_minor != 0) == LEAT_REPLY_CUT) {
        give_up(h);
        return;
    }
    h->write_since = leat_clock_mono();
    h->out = leat_text_bytes(&c->made->piece);
    if (h->out.len == 0) {
        reply_written(h);
        return;
    }
    leat_peer_due(h->p, h->write_since + leat_server_write_timeout(h->p->server));
    write_reply(h);
}

static bool open_source(struct leat_h1 *h, const struct leat_reply_source *source)
{
    if (h->call->head_only) {
        source->done(source->self);
        return true;
    }
    if (h->parser.http_minor == 0)
        h->last = true; /* the end of the connection is the end of the body */
    return leat_stream_open(h->call, source, go_on) == 0;
}

static void h1_reply(struct leat_call *c, const struct leat_reply *r)
{
    struct leat_h1 *h = c->peer->session;

    h->phase = LEAT_H1_ANSWER;
    h->write_since = c->window_at;
    if (!h->complete || h->p->server->draining || !h->p->server->conf->keep_alives_enabled ||
        !llhttp_should_keep_alive(&h->parser))
        h->last = true;
    if (r->source != NULL && !open_source(h, r->source)) {
        give_up(h);
        return;
    }
    leat_text_clear(&h->reply);
    write_head(h, r, &h->reply);
    if (!leat_text_ok(&h->reply)) {
        give_up(h);
        return;
    }
    h->out = leat_text_bytes(&h->reply);
    write_reply(h);
}

/* --- bytes in */

static void refuse_bytes(struct leat_h1 *h, uint32_t status, const char *text)
{
    h->last = true;
    h->complete = false;
    leat_call_refuse(h->call, LEAT_REFUSED_MALFORMED, status, "%s", text);
}

/* Feeds the parser. Returns how many bytes it took; what was wrong has been answered. */
static size_t execute(struct leat_h1 *h, const uint8_t *data, size_t len)
{
    llhttp_errno_t err = llhttp_execute(&h->parser, (const char *)data, len);
    size_t taken = len;

    if (h->p->server == NULL || h->stopped)
        return len; /* answered: the rest of this request is of no interest */
    if (err == HPE_PAUSED) {
        const char *pos = llhttp_get_error_pos(&h->parser);

        taken = pos ? (size_t)(pos - (const char *)data) : len;
        llhttp_resume(&h->parser);
    } else if (err != HPE_OK) {
        const char *why = llhttp_get_error_reason(&h->parser);

        h->stopped = true;
        refuse_bytes(h, 0, why ? why : "not a valid HTTP/1.1 request");
        return len;
    }
    if (h->complete) {
        h->phase = LEAT_H1_ANSWER;
        leat_call_end(h->call);
    }
    return taken;
}

static size_t feed_head(struct leat_h1 *h, const uint8_t *data, size_t len)
{
    uint32_t status = 0;
    bool end;
    size_t n = leat_h1_scan(h, data, len, &end, &status);

    if (status == 0) {
        execute(h, data, n);
        return n;
    }
    h->stopped = true;
    refuse_bytes(h, status,
                 status == 414   ? "the request line is too long"
                 : status == 431 ? "the request headers are too long"
                                 : "malformed request headers");
    return len;
}

static size_t feed_body(struct leat_h1 *h, const uint8_t *data, size_t len)
{
    size_t taken = execute(h, data, len);

    if (h->phase != LEAT_H1_BODY || h->p->server == NULL)
        return taken;
    h->wire += taken;
    if (h->wire - h->call->got > CHUNK_OVERHEAD_MAX + CHUNK_OVERHEAD_PER * h->call->got) {
        h->stopped = true;
        refuse_bytes(h, 0, "the chunks of the body are not worth their framing");
        return len;
    }
    return taken;
}

/* There is no memory for so much as a call. */
static void refuse_request(struct leat_h1 *h)
{
    static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n"
                               "content-length: 0\r\nconnection: close\r\n\r\n";
    struct leat_bytes piece = leat_bytes(text, sizeof text - 1);

    leat_conn_write(h->p->conn, &piece, 1);
    end(h);
}

/* Skips empty lines; the first other byte begins a request. */
static size_t feed_idle(struct leat_h1 *h, const uint8_t *data, size_t len)
{
    size_t i = 0;

    while (i < len && data[i] == "\r\n"[h->blanks % 2] && h->blanks < 2 * BLANKS_MAX) {
        i++;
        h->blanks++;
    }
    if (i == len)
        return len;
    h->call = leat_call_new(h->p, false, 0);
    if (h->call == NULL) {
        refuse_request(h);
        return len;
    }
    llhttp_init(&h->parser, HTTP_REQUEST, &leat_h1_parser);
    h->parser.data = h;
    h->phase = LEAT_H1_HEAD;
    h->since = h->call->begun;
    h->lines = 0;
    h->colon = false;
    h->in_name = h->stopped = false;
    leat_peer_due(h->p, h->since + leat_server_header_timeout(h->p->server));
    return i;
}

static void feed(struct leat_h1 *h, const uint8_t *data, size_t len)
{
    h->feeding = true;
    while (len != 0 && h->p->server != NULL) {
        size_t n = len;

        if (h->skip != 0 && h->phase != LEAT_H1_OVER) {
            n = len < h->skip ? len : (size_t)h->skip;
            h->skip -= n;
            data += n;
            len -= n;
            continue;
        }
        switch (h->phase) {
        case LEAT_H1_IDLE:
            n = feed_idle(h, data, len);
            break;
        case LEAT_H1_HEAD:
            n = feed_head(h, data, len);
            break;
        case LEAT_H1_BODY:
            n = feed_body(h, data, len);
            break;
        case LEAT_H1_ANSWER:
            if (h->complete)
                stash_rest(h, data, len);
            set_paused(h, true);
            break;
        case LEAT_H1_OVER:
            break;
        }
        data += n;
        len -= n;
    }
    h->feeding = false;
    if (h->phase == LEAT_H1_ANSWER && h->p->server != NULL)
        set_paused(h, true);
}

static void h1_read(struct leat_peer *p, const uint8_t *data, size_t len)
{
    feed(p->session, data, len);
}

static struct leat_conn_room h1_room(struct leat_peer *p)
{
    struct leat_h1 *h = p->session;

    if (h->phase <= LEAT_H1_HEAD)
        return (struct leat_conn_room){NULL, HEAD_READ};
    if (h->phase == LEAT_H1_BODY && h->direct)
        return leat_call_room(h->call, SIZE_MAX);
    return (struct leat_conn_room){NULL, 0};
}

/* --- events of the connection */

static void h1_ended(struct leat_peer *p)
{
    struct leat_h1 *h = p->session;

    h->ended = true;
    if (h->phase != LEAT_H1_ANSWER)
        end(h);
}

static void h1_written(struct leat_peer *p)
{
    struct leat_h1 *h = p->session;

    if (h->out.len != 0)
        write_reply(h);
    else if (h->writing)
        reply_written(h);
}

static int h1_open(struct leat_peer *p)
{
    struct leat_h1 *h = leat_try_zeroed(sizeof *h);

    if (h == NULL)
        return -1;
    h->p = p;
    h->again.run = carry_on;
    leat_list_init(&h->again.link);
    leat_text_init(&h->reply, REPLY_MAX + LEAT_HEAD_MAX);
    p->session = h;
    begin_idle(h);
    return 0;
}

static void h1_closed(struct leat_peer *p)
{
    struct leat_h1 *h = p->session;

    leat_task_cancel(&h->again);
    drop_stash(h);
    leat_text_done(&h->reply);
    leat_free(h);
}

static void h1_drain(struct leat_peer *p)
{
    struct leat_h1 *h = p->session;

    if (h->phase == LEAT_H1_IDLE && h->stash == NULL)
        end(h);
}

static int64_t tick_idle(struct leat_h1 *h, int64_t now)
{
    int64_t idle = h->p->server->conf->idle_timeout;
    int64_t due = idle > 0 ? h->since + idle : LEAT_NEVER;

    if (!h->answered && h->since + leat_server_header_timeout(h->p->server) < due)
        due = h->since + leat_server_header_timeout(h->p->server);
    if (now >= due)
        end(h);
    return due;
}

static int64_t tick_head(struct leat_h1 *h, int64_t now)
{
    int64_t due = h->since + leat_server_header_timeout(h->p->server);

    if (now < due)
        return due;
    h->stopped = h->last = true;
    leat_call_refuse(h->call, LEAT_REFUSED_TIMEOUT, 0, "the request headers did not come in time");
    return now;
}

static int64_t h1_tick(struct leat_peer *p, int64_t now)
{
    struct leat_h1 *h = p->session;
    int64_t due = LEAT_NEVER;

    switch (h->phase) {
    case LEAT_H1_IDLE:
        return tick_idle(h, now);
    case LEAT_H1_HEAD:
        return tick_head(h, now);
    case LEAT_H1_BODY:
        if (leat_call_in_time(h->call, now, &due))
            return due;
        h->stopped = true;
        return now;
    case LEAT_H1_ANSWER:
        if (!h->writing)
            return LEAT_NEVER;
        if (now >= h->write_since + leat_server_write_timeout(p->server)) {
            leat_server_count_ended(p->server, LEAT_ENDED_STALLED);
            leat_conn_abort(p->conn);
        }
        return h->write_since + leat_server_write_timeout(p->server);
    case LEAT_H1_OVER:
        return LEAT_NEVER;
    }
    return due;
}

const struct leat_session_kind leat_server_h1 = {
    .open = h1_open,
    .read = h1_read,
    .room = h1_room,
    .ended = h1_ended,
    .written = h1_written,
    .closed = h1_closed,
    .drain = h1_drain,
    .tick = h1_tick,
    .reply = h1_reply,
};
