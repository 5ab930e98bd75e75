/* A destination: an OTLP server on a free port that remembers the names it took, and answers as it
 * is told. Both protocols, any codec. */
#ifndef LEAT_TESTS_PATH_SINK_H
#define LEAT_TESTS_PATH_SINK_H

#include "base/budget.h"
#include "base/buf.h"
#include "io/codec.h"
#include "io/server.h"
#include "lib/path_records.h"

struct path_answer {
    uint32_t http, grpc; /* 0, 0: taken */
    uint32_t delay_ms;   /* RetryInfo; Retry-After */
    uint32_t rejected;   /* taken but for these */
    const char *text;
};

struct path_sink {
    struct leat_loop *loop;
    char name[32];
    struct leat_server *server;
    struct leat_server_conf conf;
    struct leat_service service;
    struct leat_route routes[2 * LEAT_SIGNALS];
    struct leat_codecs *codecs;
    struct leat_budget budget;
    struct path_answer answer;
    uint32_t fail_first; /* so many first requests get `first` */
    struct path_answer first;
    bool hold; /* keeps calls until path_sink_release() */
    struct leat_call *held[256];
    uint32_t nheld;
    /* what it saw */
    volatile uint32_t requests, taken;
    uint32_t by_signal[LEAT_SIGNALS];
    struct path_seen seen; /* what was taken */
};

void path_sink_open(struct path_sink *s, struct leat_loop *loop);
uint16_t path_sink_port(const struct path_sink *s);
void path_sink_release(struct path_sink *s); /* answers what is held, and holds no more */
void path_sink_close(struct path_sink *s);

#endif
