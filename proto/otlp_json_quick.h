/* The shapes that nearly all OTLP/JSON consists of, done without detours: members in the order of
 * the object before, ASCII strings, attributes without blanks, plain digits. What looks any
 * different is for otlp_json.c to read, so nothing here has an error of its own. */
#ifndef LEAT_PROTO_OTLP_JSON_QUICK_H
#define LEAT_PROTO_OTLP_JSON_QUICK_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/otlp.h"

#define LEAT_QUICK_LEFT 96 /* text that must follow, so that not every step asks for the end */
#define LEAT_QUICK_ROOM 96 /* room for what is no string, and for what is written past one */

#define LEAT_QUICK_TAG_MAX 15 /* fields up to this number have a tag of one byte */

/* Where the text is read and where the bytes are written. */
struct leat_quick {
    const uint8_t *at, *end;
    uint8_t *to, *to_end;
};

/* The object that is being read. */
struct leat_quick_object {
    const struct leat_otlp_message *m;
    uint8_t *next; /* LEAT_OTLP_FIELDS guesses: which field, up to LEAT_QUICK_TAG_MAX, comes after
                      field n; 0: not known */
    uint32_t last; /* number of the member before; 0: none */
    uint32_t seen; /* bit n: field n was there */
};

/* How far a list was read. */
enum leat_quick_list {
    LEAT_QUICK_WHOLE,  /* not begun */
    LEAT_QUICK_BEFORE, /* up to an element */
    LEAT_QUICK_BEHIND, /* up to what follows an element */
};

/* What is left of a member for others: from its value on, or its list. */
struct leat_quick_rest {
    uint32_t number; /* of its field; 0: the whole member, or none */
    enum leat_quick_list list;
};

/* Members of the usual shape, as many as stand here one after the other with the keys that are
 * expected; with `values` also AnyValues. true: the cursor is behind one. false: it is before
 * something else, which *rest describes. */
bool leat_quick_members(struct leat_quick *q, struct leat_quick_object *o, bool values,
                        struct leat_quick_rest *rest);

/* Attributes of the usual shape, {"key":"…","value":{"stringValue":"…"}} without blanks and
 * in ASCII, as many as stand here one after the other, as sub-messages `number`. true: the cursor
 * is behind one; false: it is before something else, or there is not enough room. */
bool leat_quick_attributes(struct leat_quick *q, uint32_t number);

#endif
