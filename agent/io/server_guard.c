/* One HTTP/2 peer's good behaviour: frames that cost us work and bring none of a request are
 * glitches, paid from a purse that time and answered requests refill.
 *
 * The frame headers are read here, from the bytes, because nghttp2 has no event for frames it
 * ignores. nghttp2 of Debian 12 bounds only some floods (received resets, CONTINUATION, unsent
 * ACKs); this bounds all of them: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, resets from
 * either side, tiny DATA, unknown frames (CVE-2019-9511 and its family, CVE-2023-44487,
 * CVE-2025-8671). */
#include "base/clock.h"
#include "io/server_internal.h"

#define MILLI 1000
/* A purse of 600 glitches, 20 more each second, 2 more for each answered request. */
#define PURSE      (600 * MILLI)
#define PER_SECOND (20 * MILLI)
#define PER_ANSWER (2 * MILLI)
/* "The server sends GOAWAY after the second too early ping": gRFC A8. */
#define STRIKES 2
/* DATA frames below this bring next to nothing, unless they are a request's last. */
#define TINY_DATA    16
#define PREFACE_LEN  24
#define FRAME_HEADER 9
/* Pings on a connection without streams, when the policy does not permit them. */
#define PING_WITHOUT_STREAM (2 * 3600 * LEAT_SEC)

void leat_guard_init(struct leat_guard *g, int64_t now)
{
    *g = (struct leat_guard){
        .glitches = PURSE, .refilled = now, .skip = PREFACE_LEN, .last_ping = INT64_MIN};
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

/* What a frame with this header costs. */
static unsigned cost(const uint8_t hd[FRAME_HEADER])
{
    size_t len = (size_t)hd[0] << 16 | (size_t)hd[1] << 8 | hd[2];

    switch (hd[3]) {
    case NGHTTP2_HEADERS:
        return 0;
    case NGHTTP2_DATA: /* padding may be all there is in it: telemetry clients do not pad */
        return !(hd[4] & NGHTTP2_FLAG_END_STREAM) &&
               (len < TINY_DATA || (hd[4] & NGHTTP2_FLAG_PADDED));
    case NGHTTP2_RST_STREAM:
        return 2;
    default:
        return 1;
    }
}

bool leat_guard_bytes(struct leat_guard *g, const uint8_t *data, size_t len)
{
    bool good = true;

    while (len != 0) {
        size_t n = g->skip < len ? g->skip : len;

        g->skip -= n;
        data += n;
        len -= n;
        if (len == 0)
            break;
        g->hd[g->nhd++] = *data++;
        len--;
        if (g->nhd < FRAME_HEADER)
            continue;
        g->nhd = 0;
        g->skip = (size_t)g->hd[0] << 16 | (size_t)g->hd[1] << 8 | g->hd[2];
        good = good && (cost(g->hd) == 0 || leat_guard_take(g, cost(g->hd)));
    }
    return good;
}

size_t leat_guard_data(const struct leat_guard *g, int32_t *ret_stream)
{
    const uint8_t *hd = g->hd;

    if (g->skip == 0 || hd[3] != NGHTTP2_DATA || (hd[4] & NGHTTP2_FLAG_PADDED))
        return 0;
    *ret_stream =
        (int32_t)((hd[5] & 0x7fU) << 24 | (uint32_t)hd[6] << 16 | (uint32_t)hd[7] << 8 | hd[8]);
    return g->skip;
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
