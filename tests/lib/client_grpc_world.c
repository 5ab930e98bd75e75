/* An HTTP/2 peer and a client for it. */
#include "lib/client_grpc_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "io/tls.h"

void client_grpc_answer(struct client_peer_conn *pc, int32_t stream)
{
    struct client_grpc_world *w = pc->peer->arg;

    if (w->hold > 0 && w->hold-- > 0)
        return;
    client_peer_grpc(pc, stream, leat_bytes_str("answer"), w->status, w->more);
}

void client_grpc_reset(struct client_peer_conn *pc, int32_t stream, uint32_t code)
{
    struct client_grpc_world *w = pc->peer->arg;

    (void)stream;
    w->resets++;
    w->reset_code = code;
}

void client_grpc_open(struct client_grpc_world *w)
{
    struct leat_client_env env = {.loop = w->loop,
                                  .who = "test",
                                  .max_answer = MAX_ANSWER,
                                  .grpc = !w->http,
                                  .keep = {w->keep}};
    struct leat_err err = {""};

    w->client = leat_client_new(&w->conf, w->url, &env, &err);
    client_must(w->client, &err);
}

void client_grpc_start(struct client_grpc_world *w)
{
    client_peer_start(&w->peer, w->loop, w->tls);
    snprintf(w->url, sizeof w->url, "%s%s%s", w->tls && w->http ? "https://" : "", w->peer.endpoint,
             "");
    client_grpc_open(w);
}

int client_grpc_setup(void **state)
{
    struct client_grpc_world *w = calloc(1, sizeof *w);

    w->loop = leat_loop_new(NULL);
    w->peer.http2 = true;
    w->peer.request = client_grpc_answer;
    w->peer.reset = client_grpc_reset;
    w->peer.arg = w;
    w->status = "0";
    w->conf.tls.insecure = true;
    *state = w;
    return 0;
}

int client_grpc_teardown(void **state)
{
    struct client_grpc_world *w = *state;

    leat_clock_real(); /* also after a test that failed */
    leat_client_free(w->client);
    client_peer_stop(&w->peer);
    leat_tls_free(w->tls);
    leat_loop_free(w->loop);
    free(w);
    return 0;
}

void client_grpc_send_one(struct client_grpc_world *w, struct client_sent *s)
{
    client_sent_init(s, "/pkg.Service/Export", "message");
    leat_client_send(w->client, &s->x);
    LEAT_CHECK(s->done == 0);
}

void client_grpc_exchange(struct client_grpc_world *w, struct client_sent *s)
{
    client_grpc_send_one(w, s);
    CLIENT_UNTIL(w->loop, s->done);
}

void client_grpc_make_tls(struct client_grpc_world *w, const char *const *alpn)
{
    struct leat_tls_conf conf = {
        .cert_pem = client_cert_pem(), .key_pem = client_key_pem(), .min_version = "1.2"};
    struct leat_err err = {""};

    w->tls = leat_tls_server_new(&conf, alpn, &err);
    client_must(w->tls, &err);
    w->conf.tls.insecure = false;
    w->conf.tls.ca_pem = client_cert_pem();
    w->conf.tls.min_version = "1.2";
}
