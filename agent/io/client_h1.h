/* An HTTP/1.1 answer as bytes: no connection. For io only.
 *
 * Source: RFC 9112. */
#ifndef LEAT_IO_CLIENT_H1_H
#define LEAT_IO_CLIENT_H1_H

#include <llhttp.h>

#include "io/client_answer.h"

struct leat_h1_answer {
    llhttp_t parser;
    struct leat_incoming *in; /* NULL: none is expected */
    bool no_body;             /* to a HEAD */
    bool complete, keep_alive;
    uint64_t bytes; /* of this answer */
    size_t name_len, value_len;
    char name[64], value[256]; /* longer ones are none that we look at, or cut */
};

/* The next answer is for `in`. */
void leat_h1_answer_start(struct leat_h1_answer *h, struct leat_incoming *in, bool no_body);
/* Feeds bytes. 0: go on, or complete; -1: noted in `in`. Bytes behind the answer's end take
 * keep_alive away. */
int leat_h1_answer_feed(struct leat_h1_answer *h, struct leat_bytes data);
/* The peer sends no more. 0: that completed the answer; -1: noted in `in`. */
int leat_h1_answer_eof(struct leat_h1_answer *h);

#endif
