/* Makes connections: looks the name up, tries its addresses in turn, and says why none would have
 * us. */
#include "io/dial.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/conn_internal.h"
#include "io/tls_internal.h"

#define ADDRESSES   16  /* of one name; more are not tried */
#define REASONS_MAX 384 /* bytes of the sentence about them */

/* libuv cannot always stop a look-up, so it has a life of its own. */
struct lookup {
    uv_getaddrinfo_t req;
    struct leat_loop *loop;
    struct leat_conn *conn; /* NULL: nobody waits for it any more */
};

struct leat_dialing {
    char *host, *sni;
    uint16_t port;
    bool unix_socket;
    struct leat_tls *tls;
    int64_t deadline; /* monotonic; 0: none */
    uint32_t rotate;
    struct lookup *lookup;
    struct sockaddr_storage addrs[ADDRESSES];
    size_t naddrs, tried; /* the attempt under way is number tried - 1 */
    int reason;           /* of all attempts so far, where it is the same one */
    bool reasons_differ;
    struct leat_text reasons; /* "address: reason; address: reason" */
};

static void try_next(struct leat_conn *c);

static int64_t time_left(const struct leat_dialing *d)
{
    int64_t left = d->deadline - leat_clock_mono();

    return left > 0 ? left : 0;
}

static const struct sockaddr *current(const struct leat_dialing *d)
{
    size_t i = (d->tried - 1 + d->rotate) % d->naddrs;

    return (const struct sockaddr *)&d->addrs[i];
}

static void note_reason(struct leat_dialing *d, int reason)
{
    char *where = d->unix_socket ? leat_try_strdup(d->host) : leat_conn_address(current(d));

    if (d->tried == 1)
        d->reason = reason;
    else if (d->reason != reason)
        d->reasons_differ = true;
    leat_text_printf(&d->reasons, "%s%s: %s", d->tried > 1 ? "; " : "",
                     where ? where : "an address", uv_strerror(reason));
    leat_free(where);
}

static void fail_all(struct leat_conn *c)
{
    struct leat_dialing *d = c->dialing;

    leat_conn_fail(c, "cannot connect to %s: %s", c->peer,
                   d->reasons_differ ? leat_text_get(&d->reasons) : uv_strerror(d->reason));
}

/* This address is no good. The handle is used again for the next one, once it has closed. */
static void attempt_failed(struct leat_conn *c, int reason)
{
    struct leat_dialing *d = c->dialing;

    note_reason(d, reason);
    if (d->tried >= d->naddrs || (d->deadline != 0 && time_left(d) == 0))
        fail_all(c);
    else if (c->live)
        leat_conn_drop_handle(c);
    else
        try_next(c);
}

void leat_dialing_reset(struct leat_conn *c)
{
    try_next(c);
}

static void on_connect(uv_connect_t *req, int status)
{
    struct leat_conn *c = req->data;

    if (c->state != LEAT_CONN_NEW || uv_is_closing(&c->uv.handle))
        return;
    if (status != 0) {
        attempt_failed(c, status);
        return;
    }
    if (c->dialing->deadline == 0)
        leat_conn_stop_timer(c);
    else if (!leat_conn_set_timer(c, time_left(c->dialing)))
        return;
    leat_conn_connected(c, c->dialing->tls, false,
                        c->dialing->sni ? c->dialing->sni : c->dialing->host);
}

static int start_attempt(struct leat_conn *c)
{
    struct leat_dialing *d = c->dialing;
    int rc = leat_conn_adopt(c, -1, d->unix_socket);

    if (rc != 0)
        return rc;
    c->req.connect.data = c;
    if (!d->unix_socket)
        return uv_tcp_connect(&c->req.connect, &c->uv.tcp, current(d), on_connect);
    if (strlen(d->host) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return UV_ENAMETOOLONG;
    uv_pipe_connect(&c->req.connect, &c->uv.pipe, d->host, on_connect);
    return 0;
}

static void try_next(struct leat_conn *c)
{
    struct leat_dialing *d = c->dialing;
    size_t left = d->naddrs - d->tried;
    int rc;

    d->tried++;
    if (d->deadline != 0 && !leat_conn_set_timer(c, time_left(d) / (int64_t)left))
        return;
    rc = start_attempt(c);
    if (rc != 0)
        attempt_failed(c, rc);
}

void leat_dialing_timeout(struct leat_conn *c)
{
    struct leat_dialing *d = c->dialing;

    if (d->lookup != NULL)
        leat_conn_fail(c, "cannot connect to %s: looking up the name took too long", c->peer);
    else if (c->filter != NULL)
        leat_conn_fail(c, "TLS with %s failed: no answer in time", c->peer);
    else if (!uv_is_closing(&c->uv.handle))
        attempt_failed(c, UV_ETIMEDOUT);
}

/* --- looking up */

static void add_address(struct leat_dialing *d, const struct sockaddr *addr, size_t len)
{
    struct sockaddr_storage *a;

    if (d->naddrs == ADDRESSES || len > sizeof *a)
        return;
    a = &d->addrs[d->naddrs++];
    memcpy(a, addr, len);
    if (addr->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)a)->sin6_port = htons(d->port);
    else
        ((struct sockaddr_in *)a)->sin_port = htons(d->port);
}

static const char *lookup_error(int rc)
{
    switch (rc) {
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
        return "no address is known for this name";
    case UV_EAI_AGAIN:
        return "the name server does not answer";
    default:
        return uv_strerror(rc);
    }
}

static void on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct lookup *lookup = LEAT_OWNER(req, struct lookup, req);
    struct leat_conn *c = lookup->conn;

    leat_loop_release(lookup->loop);
    leat_free(lookup);
    if (c != NULL) {
        c->dialing->lookup = NULL;
        for (struct addrinfo *a = list; a != NULL; a = a->ai_next)
            add_address(c->dialing, a->ai_addr, a->ai_addrlen);
        if (status == 0 && c->dialing->naddrs == 0)
            status = UV_EAI_NODATA;
        if (status != 0)
            leat_conn_fail(c, "cannot connect to %s: %s", c->peer, lookup_error(status));
        else
            try_next(c);
    }
    uv_freeaddrinfo(list);
}

static void look_up(struct leat_conn *c)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct leat_dialing *d = c->dialing;
    struct lookup *lookup = leat_try_zeroed(sizeof *lookup);
    int rc = UV_ENOMEM;

    if (lookup != NULL)
        rc = uv_getaddrinfo(leat_loop_uv(c->loop), &lookup->req, on_lookup, d->host, NULL, &hints);

    if (rc != 0) {
        leat_free(lookup);
        leat_conn_fail(c, "cannot connect to %s: %s", c->peer, lookup_error(rc));
        return;
    }
    lookup->loop = c->loop;
    lookup->conn = c;
    d->lookup = lookup;
    leat_loop_hold(c->loop);
    if (d->deadline != 0)
        leat_conn_set_timer(c, time_left(d));
}

static bool numeric(struct leat_dialing *d)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_in in4 = {.sin_family = AF_INET};

    if (inet_pton(AF_INET, d->host, &in4.sin_addr) == 1)
        add_address(d, (const struct sockaddr *)&in4, sizeof in4);
    else if (inet_pton(AF_INET6, d->host, &in6.sin6_addr) == 1)
        add_address(d, (const struct sockaddr *)&in6, sizeof in6);
    return d->naddrs > 0;
}

/* --- beginning and end */

/* False: no memory. What there is then, leat_dialing_free() frees. */
static bool dialing_new(struct leat_conn *c, const struct leat_dial_conf *conf)
{
    struct leat_dialing *d = c->dialing = leat_try_zeroed(sizeof *d);

    if (d == NULL)
        return false;
    leat_text_init(&d->reasons, REASONS_MAX);
    d->host = leat_try_strdup(conf->host);
    d->sni = conf->sni ? leat_try_strdup(conf->sni) : NULL;
    d->port = conf->port;
    d->unix_socket = conf->unix_socket;
    d->tls = conf->tls ? leat_tls_ref(conf->tls) : NULL;
    d->deadline =
        conf->timeout > 0 && conf->timeout < INT64_MAX / 2 ? leat_clock_mono() + conf->timeout : 0;
    d->rotate = conf->rotate % ADDRESSES;
    return d->host != NULL && (conf->sni == NULL || d->sni != NULL);
}

static char *peer_name(const struct leat_dial_conf *conf)
{
    if (conf->unix_socket)
        return leat_try_strdup(conf->host);
    return leat_try_format(strchr(conf->host, ':') ? "[%s]:%u" : "%s:%u", conf->host, conf->port);
}

struct leat_conn *leat_dial(struct leat_loop *l, const struct leat_dial_conf *conf)
{
    struct leat_conn *c = leat_conn_new(l, peer_name(conf));

    if (c == NULL)
        return NULL;
    if (!dialing_new(c, conf)) {
        leat_dialing_free(c);
        leat_free(c->peer);
        leat_free(c);
        return NULL;
    }
    if (conf->unix_socket)
        c->dialing->naddrs = 1;
    if (conf->unix_socket || numeric(c->dialing))
        try_next(c);
    else
        look_up(c);
    return c;
}

void leat_dialing_free(struct leat_conn *c)
{
    struct leat_dialing *d = c->dialing;

    if (d == NULL)
        return;
    c->dialing = NULL;
    if (d->lookup != NULL) {
        d->lookup->conn = NULL;
        uv_cancel((uv_req_t *)&d->lookup->req);
    }
    leat_tls_free(d->tls);
    leat_text_done(&d->reasons);
    leat_free(d->host);
    leat_free(d->sni);
    leat_free(d);
}
