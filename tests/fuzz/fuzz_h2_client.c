/* The bytes of an HTTP/2 server, sent to a client with gRPC calls under way, over a Unix socket on
 * the same loop: every call is told once, within its bounds, whatever comes. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "lib/client_peer.h"

#define MAX_ANSWER 4096
#define CALLS      3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t input_len;

static void opened(struct client_peer_conn *pc)
{
    static const char settings[9] = {0, 0, 0, 4};

    client_peer_send(pc, settings, sizeof settings);
}

/* The calls are there when more came than preface and SETTINGS. */
static void on_read(struct client_peer_conn *pc)
{
    if (pc->in.len < 100 || pc->requests++ != 0)
        return;
    client_peer_send(pc, input, input_len);
    client_peer_close(pc);
}

static void check_answer(const struct client_sent *s)
{
    LEAT_CHECK(s->done == 1);
    LEAT_CHECK(s->body.len <= MAX_ANSWER);
    LEAT_CHECK(s->message.len <= 1024);
    LEAT_CHECK(s->details.len <= 4096);
    LEAT_CHECK((s->a.net == LEAT_NET_OK) == (s->a.why == NULL));
}

static void one(struct leat_loop *loop, struct client_peer *peer)
{
    static struct leat_client_conf conf = {.tls.insecure = true};
    struct leat_client_env env = {.loop = loop, .grpc = true, .max_answer = MAX_ANSWER};
    struct leat_client *c = leat_client_new(&conf, peer->endpoint, &env, NULL);
    struct client_sent s[CALLS];

    for (int i = 0; i < CALLS; i++) {
        client_sent_init(&s[i], "/p/m", "message");
        leat_client_send(c, &s[i].x);
    }
    for (int i = 0; i < CALLS; i++)
        CLIENT_UNTIL(loop, s[i].done);
    leat_client_free(c);
    for (int i = 0; i < CALLS; i++) {
        check_answer(&s[i]);
        client_sent_done(&s[i]);
    }
    client_peer_forget(peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct leat_loop *loop;
    static struct client_peer peer;
    static char folder[] = "/tmp/leat-fuzz-XXXXXX", path[64];

    if (loop == NULL) {
        loop = leat_loop_new(NULL);
        LEAT_CHECK(mkdtemp(folder) != NULL);
        snprintf(path, sizeof path, "%s/s", folder);
        peer.unix_path = path;
        peer.opened = opened;
        peer.read = on_read;
        client_peer_start(&peer, loop, NULL);
    }
    input = data;
    input_len = size;
    one(loop, &peer);
    return 0;
}
