/* One HTTP/2 peer's good behaviour: frames that cost us work and bring none of a request are
 * glitches, paid from a purse that time and answered requests refill.
 *
 * nghttp2 of Debian 12 bounds only some floods (received resets, CONTINUATION, unsent ACKs); this
 * bounds all of them: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, resets from either side,
 * unknown frames (CVE-2019-9511 and its family, CVE-2023-44487, CVE-2025-8671). */
#include "base/clock.h"
#include "io/server_internal.h"

#define MILLI 1000
/* A purse of 600 glitches, 20 more each second, 2 more for each answered request. */
#define PURSE      (600 * MILLI)
#define PER_SECOND (20 * MILLI)
#define PER_ANSWER (2 * MILLI)
/* "The server sends GOAWAY after the second too early ping": gRFC A8. */
#define STRIKES 2
/* Pings on a connection without streams, when the policy does not permit them. */
#define PING_WITHOUT_STREAM (2 * 3600 * LEAT_SEC)

void leat_guard_init(struct leat_guard *g, int64_t now)
{
    *g = (struct leat_guard){.glitches = PURSE, .refilled = now, .last_ping = INT64_MIN};
}

static void put(struct leat_guard *g, int64_t milli)
{
    g->glitches = g->glitches + milli > PURSE ? PURSE : g->glitches + milli;
}

static void refill(struct leat_guard *g)
{
    int64_t now = leat_clock_mono(), passed = now - g->refilled;

    if (passed < LEAT_SEC / 10)
        return;
    g->refilled = now;
    put(g, passed > 60 * LEAT_SEC ? PURSE : passed / LEAT_MS * PER_SECOND / 1000);
}

bool leat_guard_take(struct leat_guard *g, unsigned glitches)
{
    if (g->glitches < (int64_t)glitches * MILLI)
        refill(g);
    g->glitches -= (int64_t)glitches * MILLI;
    return g->glitches >= 0;
}

void leat_guard_reward(struct leat_guard *g)
{
    put(g, PER_ANSWER);
    g->ping_strikes = 0;
}

bool leat_guard_frame(struct leat_guard *g, const nghttp2_frame_hd *hd)
{
    switch (hd->type) {
    case NGHTTP2_HEADERS:
        return true;
    case NGHTTP2_DATA: /* padding may be all there is in it: telemetry clients do not pad */
        return (hd->length != 0 && !(hd->flags & NGHTTP2_FLAG_PADDED)) ||
               (hd->flags & NGHTTP2_FLAG_END_STREAM) || leat_guard_take(g, 1);
    case NGHTTP2_RST_STREAM:
        return leat_guard_take(g, 2);
    default:
        return leat_guard_take(g, 1);
    }
}

bool leat_guard_ping(struct leat_guard *g, const struct leat_keepalive_server_conf *conf,
                     bool has_streams)
{
    int64_t now = leat_clock_mono(), apart = conf->enforcement_policy.min_time;

    if (!conf->has_enforcement)
        return true;
    if (!has_streams && !conf->enforcement_policy.permit_without_stream)
        apart = PING_WITHOUT_STREAM;
    if (g->last_ping != INT64_MIN && now < g->last_ping + apart)
        g->ping_strikes++;
    g->last_ping = now;
    return g->ping_strikes <= STRIKES;
}
