/* The inside of leat_otlp_check(): its two ways through a message.
 *
 * leat_otlp_check_message() follows the tables of otlp.h: it knows every message and says what is
 * wrong. leat_otlp_quick() knows by heart how SDKs write the messages that come by the thousand; it
 * either accepts a record (or attribute) or knows nothing, and then the former decides. So a byte
 * is looked at three times at most, and what is refused, and why, is for it alone to say. */
#ifndef LEAT_PROTO_OTLP_QUICK_H
#define LEAT_PROTO_OTLP_QUICK_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/otlp.h"
#include "proto/otlp_view.h"
#include "proto/wire.h"

#define LEAT_OTLP_SLACK 256 /* bytes that leat_otlp_quick() may read past a record */

struct leat_otlp_checker {
    struct leat_otlp_count count;
    const struct leat_otlp_field *top; /* the request's only field */
    const uint8_t *safe; /* what ends before this has LEAT_OTLP_SLACK readable bytes behind it;
                            NULL: nothing is looked at the quick way */
    enum leat_otlp_verdict verdict;
    const char *why;
};

/* Checks a message of type `m`. `depth`: how many AnyValues are around or at it. false: refused. */
bool leat_otlp_check_message(struct leat_otlp_checker *c, const struct leat_otlp_message *m,
                             struct leat_wire w, unsigned depth);

/* If the next field of `m` is one of its items or attributes (`w` is not at its end): goes on over
 * these as long as they are in order. */
void leat_otlp_quick(struct leat_otlp_checker *c, const struct leat_otlp_message *m,
                     struct leat_wire *w, unsigned depth);

#endif
