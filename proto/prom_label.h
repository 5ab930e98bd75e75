/* Label names as Prometheus wants them, made of attribute keys.
 *
 * Behaves as github.com/prometheus/otlptranslator v1.0 (label namer) does with the settings that
 * the collector's exporters give it. */
#ifndef LEAT_PROTO_PROM_LABEL_H
#define LEAT_PROTO_PROM_LABEL_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/text.h"

enum leat_prom_label_rule {
    /* Series in remote write: what is no letter, digit or _ becomes _; runs of _ are one; a leading
     * digit gets "key_" before it, a leading _ "key"; __reserved__ keeps its outer underscores. */
    LEAT_PROM_LABEL_WRITE,
    /* The scrape page, and target_info everywhere: one _ for each character that is not legal, runs
     * stay, a leading _ stays, a leading digit gets "key_" before it. */
    LEAT_PROM_LABEL_PAGE,
    /* UTF-8 strategies: the key itself (Leat: well-formed, as leat_prom_add_utf8). */
    LEAT_PROM_LABEL_UTF8,
};

/* Appends the label name for an attribute's key. false, and `out` is as it was: the key is empty,
 * or nothing but underscores would be left; or it did not fit and leat_text_ok(out) is false. */
bool leat_prom_label_name(enum leat_prom_label_rule rule, struct leat_bytes key,
                          struct leat_text *out);

/* true: the key is its own name, to the byte, so nothing needs to be written. A quick look: false
 * proves nothing. */
bool leat_prom_label_is_name(enum leat_prom_label_rule rule, struct leat_bytes key);

#endif
