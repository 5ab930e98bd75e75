/* An HTTP/1.1 peer and a client for it. */
#ifndef LEAT_TESTS_CLIENT_HTTP_WORLD_H
#define LEAT_TESTS_CLIENT_HTTP_WORLD_H

#include "lib/client_peer.h"

#define MAX_ANSWER 65536
#define OK_ANSWER  "HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\r\nhello"

struct client_http_world {
    struct leat_loop *loop;
    struct client_peer peer;
    struct leat_client_conf conf;
    char url[256];
    const char *keep; /* a header of answers, NULL: none */
    struct leat_client *client;
    const struct leat_auth_finder *auth;
    const char *reply; /* to each request */
    size_t reply_len;  /* 0: strlen */
    bool then_close, then_abort;
    int hold; /* requests that get no answer, from the first */
};

void client_http_request(struct client_peer_conn *pc, int32_t stream);
void client_http_open(struct client_http_world *w);
int client_http_setup(void **state);
int client_http_teardown(void **state);
/* Sends one and waits for its end. */
void client_http_exchange(struct client_http_world *w, struct client_sent *s, const char *body);

#endif
