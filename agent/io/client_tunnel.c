/* A tunnel through an HTTP proxy, for https:// endpoints: CONNECT, then TLS with the far end.
 *
 * Source: RFC 9110 section 9.3.6. */
#include <string.h>

#include "io/client_parts.h"

/* Bytes of the proxy's answer, headers included. */
#define ANSWER_MAX ((size_t)8 * 1024)

void leat_client_tunnel_start(struct leat_client_conn *cc)
{
    const struct leat_url *to = &cc->client->url;
    bool v6 = strchr(to->host, ':') != NULL;
    struct leat_bytes piece;

    cc->tunnel = LEAT_TUNNEL_ASKED;
    leat_text_init(&cc->tunnel_answer, ANSWER_MAX);
    leat_text_clear(&cc->head);
    for (int i = 0; i < 2; i++)
        leat_text_printf(&cc->head, "%s%s%s%s:%u%s", i == 0 ? "CONNECT " : "host: ", v6 ? "[" : "",
                         to->host, v6 ? "]" : "", to->port, i == 0 ? " HTTP/1.1\r\n" : "\r\n\r\n");
    if (!leat_text_ok(&cc->head)) {
        leat_client_conn_abort(cc, "no memory to ask the proxy for a tunnel");
        return;
    }
    piece = leat_text_bytes(&cc->head);
    leat_conn_write(cc->conn, &piece, 1); /* -1: `closed` comes */
}

static void refuse(struct leat_client_conn *cc, const char *what)
{
    char text[sizeof cc->why];

    snprintf(text, sizeof text, "the proxy %s %s", cc->client->proxy.authority, what);
    leat_client_conn_abort(cc, text);
}

/* "HTTP/1.1 200 …": its status; -1: not such a line. */
static int status_of(const char *line)
{
    int status = 0;

    if (strncmp(line, "HTTP/1.", 7) != 0 || line[7] == '\0' || line[8] != ' ')
        return -1;
    for (int i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9')
            return -1;
        status = status * 10 + line[i] - '0';
    }
    return line[12] == ' ' || line[12] == '\r' ? status : -1;
}

void leat_client_tunnel_read(struct leat_client_conn *cc, struct leat_bytes data)
{
    struct leat_client *c = cc->client;
    struct leat_text *in = &cc->tunnel_answer;
    const char *end, *name = c->conf->tls.server_name_override;
    char what[80];
    int status;

    leat_text_add(in, data.data, data.len);
    if (!leat_text_ok(in)) {
        refuse(cc, "answers with too many headers");
        return;
    }
    end = strstr(leat_text_get(in), "\r\n\r\n");
    if (end == NULL)
        return;
    status = status_of(leat_text_get(in));
    if (status < 200 || status > 299) {
        snprintf(what, sizeof what, "opens no tunnel: HTTP status %d", status);
        refuse(cc, status < 0 ? "does not answer in HTTP/1.1" : what);
    } else if (end + 4 != leat_text_get(in) + in->len || leat_conn_pending(cc->conn)) {
        refuse(cc, "sends bytes that nobody asked for");
    } else {
        leat_text_done(in);
        cc->tunnel = LEAT_TUNNEL_OPEN;
        leat_conn_start_tls(cc->conn, c->tls, name != NULL && *name != '\0' ? name : c->url.host,
                            c->peer);
    }
}
