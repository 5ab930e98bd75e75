/* The settings tables as documents: Markdown, JSON Schema. Knows tables, not components. */
#ifndef LEAT_CONFIG_MANUAL_H
#define LEAT_CONFIG_MANUAL_H

#include "base/text.h"
#include "config/schema.h"

/* One Markdown table: key, type, default, sentence; nested keys as `a.b`. */
void leat_manual_fields(const struct leat_field *fields, struct leat_text *out);
/* A commented YAML sample of all keys with their defaults. */
void leat_manual_sample(const struct leat_field *fields, int indent, struct leat_text *out);
/* A JSON Schema (2020-12) object for a mapping with these fields:
 * {"type":"object",…,"additionalProperties":false}. */
void leat_manual_schema(const struct leat_field *fields, struct leat_text *out);

#endif
