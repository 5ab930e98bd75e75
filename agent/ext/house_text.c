/* What status pages say of the house. */
#include "ext/house_text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

void leat_house_since(struct leat_text *t, const struct leat_house *house)
{
    char text[LEAT_CLOCK_TEXT];

    leat_text_str(t, leat_clock_text(house->started, text));
}

void leat_house_uptime(struct leat_text *t, const struct leat_house *house)
{
    int64_t ns = leat_clock_wall() - house->started, minutes;

    if (ns < 0) /* the wall clock was set back */
        ns = 0;
    minutes = ns / (60 * LEAT_SEC);
    ns %= 60 * LEAT_SEC;
    if (minutes >= 60)
        leat_text_printf(t, "%" PRId64 "h", minutes / 60);
    if (minutes > 0)
        leat_text_printf(t, "%" PRId64 "m", minutes % 60);
    leat_text_printf(t, "%.9gs", (double)(ns / LEAT_MS) / 1000);
}

const char *leat_house_state_name(enum leat_house_state s)
{
    return s == LEAT_STARTING ? "starting" : s == LEAT_READY ? "ready" : "stopping";
}

void leat_html_str(struct leat_text *t, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("<>&\"'", *text) != NULL)
            leat_text_printf(t, "&#%d;", *text);
        else
            leat_text_char(t, *text);
    }
}
