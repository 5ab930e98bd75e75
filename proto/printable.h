/* Text that a peer chose, made fit for people's eyes: control characters, what turns the direction
 * of writing and bytes that are no UTF-8 are escaped, so that it can neither forge a line nor steer
 * a terminal. */
#ifndef LEAT_PROTO_PRINTABLE_H
#define LEAT_PROTO_PRINTABLE_H

#include "base/bytes.h"
#include "base/text.h"

/* At most `max` bytes of it, and an ellipsis when there is more. */
void leat_printable_add(struct leat_text *t, struct leat_bytes b, size_t max);

/* As a JSON string, with its quotes; the same characters become \uXXXX, bytes that are no UTF-8
 * become U+FFFD. */
void leat_printable_json(struct leat_text *t, struct leat_bytes b);

#endif
