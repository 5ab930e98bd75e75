/* What status pages say of the house. */
#include "ext/house_text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

void leat_house_since(struct leat_text *t, const struct leat_house *house)
{
    time_t seconds = (time_t)(house->started / LEAT_SEC);
    char text[32];
    struct tm tm;

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    leat_text_printf(t, "%s.%03dZ", text, (int)(house->started / LEAT_MS % 1000));
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

/* The length of the UTF-8 sequence that `s` starts with, or 0. */
static size_t sequence(const char *s)
{
    uint8_t c = (uint8_t)*s;
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    return strnlen(s, n) == n && leat_bytes_utf8(leat_bytes(s, n)) ? n : 0;
}

void leat_json_str(struct leat_text *t, const char *text)
{
    leat_text_char(t, '"');
    while (*text != '\0') {
        size_t n = sequence(text);
        if (n == 0)
            leat_text_str(t, "\\ufffd");
        else if ((uint8_t)*text < 0x20 || *text == 0x7f)
            leat_text_printf(t, "\\u%04x", (unsigned)*text);
        else if (*text == '"' || *text == '\\')
            leat_text_printf(t, "\\%c", *text);
        else
            leat_text_add(t, text, n);
        text += n ? n : 1;
    }
    leat_text_char(t, '"');
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
