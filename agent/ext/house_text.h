/* What status pages say of the house, in the forms they need: times, HTML text. */
#ifndef LEAT_EXT_HOUSE_TEXT_H
#define LEAT_EXT_HOUSE_TEXT_H

#include "base/text.h"
#include "flow/house.h"

/* "2026-11-21T15:00:00.042Z": when the house started. */
void leat_house_since(struct leat_text *t, const struct leat_house *house);
/* "26h3m0.5s", as Go writes durations: how long ago that was. */
void leat_house_uptime(struct leat_text *t, const struct leat_house *house);
const char *leat_house_state_name(enum leat_house_state s); /* "starting", "ready", "stopping" */

/* Text between tags or in an attribute's quotes. */
void leat_html_str(struct leat_text *t, const char *text);

#endif
