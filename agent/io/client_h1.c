/* HTTP/1.1: answers as bytes, and one request after the other on a connection. */
#include "io/client_h1.h"

#include <string.h>

#include "io/client_parts.h"

/* Framing (chunk sizes, extensions, interim answers) may cost this much beside the body. */
#define OVERHEAD_FACTOR 8
#define OVERHEAD_BYTES  ((uint64_t)128 * 1024)

/* --- answers */

static struct leat_h1_answer *of(llhttp_t *parser)
{
    return LEAT_OWNER(parser, struct leat_h1_answer, parser);
}

static int on_begin(llhttp_t *parser)
{
    /* Before the headers: those of an interim answer are forgotten here. */
    return leat_incoming_status(of(parser)->in, 0) == 0 ? 0 : -1;
}

static int on_count(llhttp_t *parser, const char *at, size_t len)
{
    (void)at;
    return leat_incoming_count(of(parser)->in, len) == 0 ? 0 : HPE_USER;
}

static int on_field(llhttp_t *parser, const char *at, size_t len)
{
    struct leat_h1_answer *h = of(parser);

    for (size_t i = 0; i < len; i++, h->name_len++) {
        if (h->name_len < sizeof h->name)
            h->name[h->name_len] = at[i];
    }
    return on_count(parser, at, len);
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct leat_h1_answer *h = of(parser);

    for (size_t i = 0; i < len && h->value_len < sizeof h->value; i++)
        h->value[h->value_len++] = at[i];
    return on_count(parser, at, len);
}

static int on_value_complete(llhttp_t *parser)
{
    struct leat_h1_answer *h = of(parser);
    struct leat_bytes name = leat_bytes(h->name, h->name_len);
    struct leat_bytes value = leat_bytes(h->value, h->value_len);

    if (name.len > sizeof h->name)
        name.len = 0;
    h->name_len = h->value_len = 0;
    return leat_incoming_header(h->in, name, value) == 0 ? 0 : HPE_USER;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct leat_h1_answer *h = of(parser);

    if (leat_incoming_status(h->in, parser->status_code) != 0)
        return -1;
    return h->no_body ? 1 : 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    return leat_incoming_body(of(parser)->in, leat_bytes(at, len)) == 0 ? 0 : HPE_USER;
}

static int on_complete(llhttp_t *parser)
{
    struct leat_h1_answer *h = of(parser);

    if (parser->status_code >= 100 && parser->status_code < 200 && parser->status_code != 101)
        return 0;
    h->complete = true;
    h->keep_alive = llhttp_should_keep_alive(parser);
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_begin,
    .on_status = on_count,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

void leat_h1_answer_start(struct leat_h1_answer *h, struct leat_incoming *in, bool no_body)
{
    *h = (struct leat_h1_answer){.in = in, .no_body = no_body};
    llhttp_init(&h->parser, HTTP_RESPONSE, &settings);
}

static int bad(struct leat_h1_answer *h, const char *what, const char *detail)
{
    return leat_incoming_fail(h->in, LEAT_NET_FAILED, "%s: %s (%.100s)", h->in->peer, what, detail);
}

int leat_h1_answer_feed(struct leat_h1_answer *h, struct leat_bytes data)
{
    const char *text = (const char *)data.data;
    llhttp_errno_t e;

    if (h->complete) {
        h->keep_alive = false;
        return 0;
    }
    h->bytes += data.len;
    h->in->begun = true;
    e = llhttp_execute(&h->parser, text, data.len);
    if (h->complete && e == HPE_PAUSED) {
        if (h->in->status == 101)
            return bad(h, "switched protocols without being asked", "status 101");
        if (llhttp_get_error_pos(&h->parser) != text + data.len)
            h->keep_alive = false;
        return 0;
    }
    if (e == HPE_PAUSED_UPGRADE)
        return bad(h, "switched protocols without being asked", "upgrade");
    if (e != HPE_OK)
        return bad(h, "the answer is not HTTP/1.1", llhttp_get_error_reason(&h->parser));
    if (h->bytes > OVERHEAD_FACTOR * (uint64_t)h->in->max_body + OVERHEAD_BYTES)
        return leat_incoming_fail(h->in, LEAT_NET_TOO_LARGE,
                                  "%s: the answer's framing is larger than its bounds",
                                  h->in->peer);
    return 0;
}

int leat_h1_answer_eof(struct leat_h1_answer *h)
{
    llhttp_errno_t e = llhttp_finish(&h->parser);

    h->keep_alive = false;
    if (h->complete)
        return 0;
    if (!h->in->begun)
        return bad(h, "the connection was closed before the answer", "no byte of it came");
    return bad(h, "the connection was closed in the middle of the answer",
               e == HPE_OK ? "incomplete" : llhttp_get_error_reason(&h->parser));
}

/* --- requests */

static struct leat_client_call *current(struct leat_client_conn *cc)
{
    return leat_list_empty(&cc->calls) ? NULL
                                       : LEAT_OWNER(cc->calls.next, struct leat_client_call, link);
}

void leat_client_h1_start(struct leat_client_conn *cc, struct leat_client_call *call)
{
    struct leat_client *c = call->client;
    const char *method = call->x->method ? call->x->method : "POST";
    const char *origin = c->proxy.host != NULL && c->tls == NULL ? c->url.authority : NULL;

    leat_h1_answer_start(&cc->h1, &call->in, strcmp(method, "HEAD") == 0);
    if (leat_request_text(c->request, origin, c->no_keep_alive, &cc->head) != 0) {
        leat_incoming_fail(&call->in, LEAT_NET_FAILED, "%s: no memory for the request's head",
                           c->url.authority);
        leat_client_conn_drop(cc, call);
        return;
    }
    call->pieces[0] = leat_text_bytes(&cc->head);
    leat_conn_write(cc->conn, call->pieces, call->npieces); /* -1: `closed` comes */
}

/* The answer is there. The connection goes on when both sides have said all they had to. */
static void complete(struct leat_client_conn *cc, struct leat_client_call *call)
{
    struct leat_client *c = cc->client;
    bool pending = leat_conn_pending(cc->conn);

    leat_incoming_end(&call->in, &c->codecs);
    cc->h1.in = NULL;
    if (pending || !cc->h1.keep_alive || c->no_keep_alive)
        leat_client_conn_retire(cc);
    if (pending) {
        /* It answered before it had the whole request and may never read the rest. */
        call->state = LEAT_CALL_ENDING;
        leat_client_conn_abort(cc, NULL);
        return;
    }
    leat_client_call_over(call);
    leat_client_conn_rest(cc);
}

void leat_client_h1_read(struct leat_client_conn *cc, struct leat_bytes data)
{
    struct leat_client_call *call = current(cc);

    if (call == NULL || call->state != LEAT_CALL_SENT) {
        leat_client_conn_abort(cc, "bytes came that nobody asked for");
        return;
    }
    if (leat_h1_answer_feed(&cc->h1, data) != 0)
        leat_client_conn_drop(cc, call);
    else if (cc->h1.complete)
        complete(cc, call);
}

void leat_client_h1_ended(struct leat_client_conn *cc)
{
    struct leat_client_call *call = current(cc);

    if (call != NULL && call->state == LEAT_CALL_SENT && call->in.begun) {
        if (leat_h1_answer_eof(&cc->h1) == 0)
            complete(cc, call);
        else
            leat_client_conn_drop(cc, call);
    } else {
        leat_client_conn_abort(cc, "the peer closed the connection");
    }
}
