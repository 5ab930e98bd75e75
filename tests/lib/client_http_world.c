/* An HTTP/1.1 peer and a client for it. */
#include "lib/client_http_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "io/tls.h"

void client_http_request(struct client_peer_conn *pc, int32_t stream)
{
    struct client_http_world *w = pc->peer->arg;

    (void)stream;
    if (w->hold > 0 && w->hold-- > 0)
        return;
    if (w->reply != NULL)
        client_peer_send(pc, w->reply, w->reply_len ? w->reply_len : strlen(w->reply));
    if (w->then_close)
        client_peer_close(pc);
    if (w->then_abort)
        client_peer_abort(pc);
}

void client_http_open(struct client_http_world *w)
{
    struct leat_client_env env = {.loop = w->loop,
                                  .who = "test",
                                  .max_answer = MAX_ANSWER,
                                  .auth = w->auth,
                                  .keep = {w->keep}};
    struct leat_err err = {""};

    w->client = leat_client_new(&w->conf, w->url, &env, &err);
    client_must(w->client, &err);
}

int client_http_setup(void **state)
{
    struct client_http_world *w = calloc(1, sizeof *w);

    w->loop = leat_loop_new(NULL);
    w->peer.http1 = true;
    w->peer.request = client_http_request;
    w->peer.arg = w;
    w->reply = OK_ANSWER;
    w->conf.max_idle_conns = 100;
    w->conf.idle_conn_timeout = 90 * LEAT_SEC;
    client_peer_start(&w->peer, w->loop, NULL);
    snprintf(w->url, sizeof w->url, "http://%s/base", w->peer.endpoint);
    *state = w;
    return 0;
}

int client_http_teardown(void **state)
{
    struct client_http_world *w = *state;

    leat_clock_real(); /* also after a test that failed */
    leat_client_free(w->client);
    client_peer_stop(&w->peer);
    leat_loop_free(w->loop);
    free(w);
    return 0;
}

/* Sends one and waits for its end. */
void client_http_exchange(struct client_http_world *w, struct client_sent *s, const char *body)
{
    client_sent_init(s, "/v1/x", body);
    leat_client_send(w->client, &s->x);
    LEAT_CHECK(s->done == 0);
    CLIENT_UNTIL(w->loop, s->done);
    LEAT_CHECK(s->done == 1);
}
