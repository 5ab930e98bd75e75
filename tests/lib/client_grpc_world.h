/* An HTTP/2 peer and a client for it. */
#ifndef LEAT_TESTS_CLIENT_GRPC_WORLD_H
#define LEAT_TESTS_CLIENT_GRPC_WORLD_H

#include "lib/client_peer.h"

#define MAX_ANSWER 65536

struct client_grpc_world {
    struct leat_loop *loop;
    struct client_peer peer;
    struct leat_client_conf conf;
    char url[256];
    bool http;        /* not gRPC */
    const char *keep; /* a header of answers, NULL: none */
    struct leat_client *client;
    struct leat_tls *tls;
    int hold; /* requests that get no answer, from the first */
    const char *status, *const *more;
    int resets;
    uint32_t reset_code;
};

void client_grpc_answer(struct client_peer_conn *pc, int32_t stream);
void client_grpc_reset(struct client_peer_conn *pc, int32_t stream, uint32_t code);
void client_grpc_open(struct client_grpc_world *w);
void client_grpc_start(struct client_grpc_world *w);
int client_grpc_setup(void **state);
int client_grpc_teardown(void **state);
void client_grpc_send_one(struct client_grpc_world *w, struct client_sent *s);
void client_grpc_exchange(struct client_grpc_world *w, struct client_sent *s);
void client_grpc_make_tls(struct client_grpc_world *w, const char *const *alpn);

#endif
