/* An HTTP/2 client made of raw nghttp2 on a raw socket. */
#ifndef LEAT_TESTS_IO_H2_PEER_H
#define LEAT_TESTS_IO_H2_PEER_H

#include <nghttp2/nghttp2.h>

#include "lib/io_server.h"

struct io_h2_answer {
    int32_t id;
    int status;      /* :status; 0: none yet */
    int grpc_status; /* -1: none */
    char grpc_message[256], details[256], accept[64], type[64], www[64];
    bool trailers_only, closed;
    uint32_t code; /* of the stream's end */
    struct leat_text body;
};

struct io_h2_peer {
    struct io_raw raw;
    nghttp2_session *session;
    struct io_h2_answer answers[32];
    size_t n;
    bool goaway, pinged;
    uint32_t goaway_code;
    int32_t goaway_last;
    char goaway_word[64];
    int settings_frame_max;
    const char *upload; /* of the request whose body is being read */
    size_t upload_len;
    bool upload_stays; /* the stream is not ended behind it */
};

void io_h2_open(struct io_h2_peer *p, uint16_t port);
void io_h2_done(struct io_h2_peer *p);
/* Sends what is to be sent, reads what is there, one turn of the loop. */
void io_h2_turn(struct io_h2_peer *p, struct leat_loop *loop);
#define IO_H2_UNTIL(s, p, cond)                                                                    \
    do {                                                                                           \
        while (io_h2_turn(p, (s)->loop), !(cond))                                                  \
            ;                                                                                      \
    } while (0)
struct io_h2_header {
    const char *name, *value;
};
/* `body` NULL: none. `more` ends with a NULL name. */
struct io_h2_answer *io_h2_ask(struct io_h2_peer *p, const char *method, const char *path,
                               const char *type, const struct io_h2_header *more, const void *body,
                               size_t len);
/* A gRPC request to /test.Service/Export. */
struct io_h2_answer *io_h2_grpc(struct io_h2_peer *p, const struct io_h2_header *more,
                                const void *body, size_t len);

#endif
