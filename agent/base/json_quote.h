/* A JSON string written into a leat_text. */
#ifndef LEAT_BASE_JSON_QUOTE_H
#define LEAT_BASE_JSON_QUOTE_H

#include "base/bytes.h"
#include "base/text.h"

/* With its quotes (RFC 8259 section 7). Control characters (C0 and DEL, which YAML does not allow
 * and terminals act on) are escaped; bytes that are not valid UTF-8 become U+FFFD, one each. */
void leat_json_quote(struct leat_text *t, struct leat_bytes s);

#endif
