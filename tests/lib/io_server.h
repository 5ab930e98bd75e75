/* A server on a free port with a service that records what it takes, and raw sockets to talk to it
 * byte by byte. */
#ifndef LEAT_TESTS_IO_SERVER_H
#define LEAT_TESTS_IO_SERVER_H

#include "base/budget.h"
#include "base/meter.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/server.h"

struct io_served {
    struct leat_loop *loop;
    struct leat_server *server;
    struct leat_codecs *codecs;
    struct leat_meter *meter;
    struct leat_budget budget;
    struct leat_server_conf conf;
    struct leat_server_env env;
    struct leat_service service;
    /* what the service does */
    bool hold;       /* keeps calls until io_served_answer() */
    bool own_refuse; /* refuses with its own body ("refused: …") */
    struct leat_call *held[64];
    size_t nheld;
    /* what it saw */
    size_t taken, refused;
    struct leat_refusal last_refusal;
    char refusal_text[256];
    struct leat_text body; /* of the last call */
    char method[16], path[128], query[64], type[64], peer[64], host[64];
    uint32_t tag;
    bool grpc, http2, drained;
    size_t headers; /* how many leat_call_headers() gave */
};

/* Defaults: 127.0.0.1:0, budget of 64 MiB, max body 1 MiB, codecs; routes: POST /v1/traces (tag 1),
 * GET /health (tag 2, no body), gRPC /test.Service/Export (tag 3), POST /any/ and below (tag 4).
 * What is to differ is set between the two. */
void io_served_init(struct io_served *s);
void io_served_start(struct io_served *s);
void io_served_done(struct io_served *s);
void io_served_answer(struct io_served *s, size_t i, const struct leat_reply *r);
/* The usual answer: 200 "ok", gRPC OK with an empty message. */
extern const struct leat_reply io_served_ok;

/* A client's socket, never blocking. */
struct io_raw {
    int fd;
    bool closed; /* the server ended its side, or reset */
    struct leat_text in;
};
void io_raw_open(struct io_raw *r, uint16_t port);
void io_raw_done(struct io_raw *r);
/* Sends as much as the kernel takes; returns that. */
size_t io_raw_send(struct io_raw *r, const void *data, size_t len);
/* Sends all, turning the loop while the kernel takes no more. False: the server closed before. */
bool io_raw_send_all(struct io_raw *r, struct leat_loop *loop, const void *data, size_t len);
void io_raw_text(struct io_raw *r, const char *text);
/* Sends it and waits for an answer that holds the words; ends the test when the server closes
 * without. */
void io_raw_ask(struct io_served *s, struct io_raw *r, const char *request, const char *answer_has);
/* Reads what is there. */
void io_raw_poll(struct io_raw *r);

/* Turns loop and socket until it holds; ctest's time limit is the way out. */
#define IO_RAW_UNTIL(s, r, cond)                                                                   \
    do {                                                                                           \
        while (leat_loop_turn((s)->loop), io_raw_poll(r), !(cond))                                 \
            ;                                                                                      \
    } while (0)
bool io_raw_has(const struct io_raw *r, const char *text);
size_t io_raw_count(const struct io_raw *r, const char *text); /* not overlapping */

#endif
