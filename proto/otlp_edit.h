/* Changes attributes of checked OTLP requests: of resources, scopes or records.
 *
 * The whole request is walked once; for each place a callback looks at the attributes and says what
 * is to be changed. A request in which nothing changes costs nothing; otherwise one new buffer is
 * written with all that stays copied as it is, and the lengths around a change made anew. */
#ifndef LEAT_PROTO_OTLP_EDIT_H
#define LEAT_PROTO_OTLP_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/signal.h"
#include "proto/otlp_match.h"

struct leat_budget;
struct leat_buf;

#define LEAT_EDIT_CHANGES 256        /* keys changed in one place */
#define LEAT_EDIT_MAX     (1u << 30) /* bytes of a changed request */

enum leat_edit_place {
    LEAT_EDIT_RESOURCE, /* Resource, also where there is none yet */
    LEAT_EDIT_SCOPE,    /* InstrumentationScope, also where there is none yet */
    LEAT_EDIT_RECORD,   /* Span, LogRecord, data points */
};

enum leat_edit_result {
    LEAT_EDIT_SAME,      /* nothing changed, no buffer was made */
    LEAT_EDIT_CHANGED,   /* *ret is the new request */
    LEAT_EDIT_NO_MEMORY, /* budget spent, no memory or over LEAT_EDIT_MAX: the caller may try again
                          */
};

/* The attributes of one place. */
struct leat_edit;

/* Looks at the attributes and calls the functions below. The keys and values it gives must stay
 * until it is called the next time, or leat_otlp_edit() returns. */
typedef void leat_edit_fn(struct leat_edit *edit, void *context);

/* `request` has passed leat_otlp_check(). The new buffer is charged to `budget` with its length and
 * passes the check too, unless values are put in that would not. */
enum leat_edit_result leat_otlp_edit(enum leat_signal signal, struct leat_bytes request,
                                     enum leat_edit_place place, leat_edit_fn *fn, void *context,
                                     struct leat_budget *budget, struct leat_buf **ret);

/* --- for the callback */

/* The attribute with this key as it is now, changes included. */
bool leat_edit_get(const struct leat_edit *edit, struct leat_bytes key,
                   struct leat_otlp_value *ret);
/* Sets it where it stands, or adds it at the end. false: more than LEAT_EDIT_CHANGES keys, nothing
 * was changed. Of several attributes with one key only one stays. */
bool leat_edit_set(struct leat_edit *edit, struct leat_bytes key, struct leat_otlp_value value);
/* Sets it if it is not there. */
bool leat_edit_insert(struct leat_edit *edit, struct leat_bytes key, struct leat_otlp_value value);
/* Sets it if it is there. */
bool leat_edit_update(struct leat_edit *edit, struct leat_bytes key, struct leat_otlp_value value);
bool leat_edit_delete(struct leat_edit *edit, struct leat_bytes key);

/* Steps through the attributes as they came, without the changes; start with a zeroed `at`. false:
 * no more. */
struct leat_edit_at {
    struct leat_wire outer, inner;
    bool begun;
};

bool leat_edit_each(const struct leat_edit *edit, struct leat_edit_at *at,
                    struct leat_bytes *ret_key, struct leat_otlp_value *ret_value);

/* For looking at other fields: the record, or the group (ResourceSpans, ScopeSpans …) that has the
 * Resource or InstrumentationScope. */
struct leat_bytes leat_edit_message(const struct leat_edit *edit);

#endif
