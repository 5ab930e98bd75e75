/* Glitches of an HTTP/2 peer, and what each frame costs it.
 *
 * The frame headers are read here, from the bytes, because nghttp2 has no event for frames it
 * ignores. nghttp2 of Debian 12 bounds only some floods (received resets, CONTINUATION, unsent
 * ACKs); this bounds all of them: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, resets from
 * either side, tiny DATA, unknown frames (CVE-2019-9511 and its family, CVE-2023-44487,
 * CVE-2025-8671). */
#include "io/guard.h"

#include "base/clock.h"

#define MILLI 1000
/* A purse of 600 glitches, 20 more each second. */
#define PURSE      (600 * MILLI)
#define PER_SECOND (20 * MILLI)
/* DATA frames below this bring next to nothing, unless they are a request's last. */
#define TINY_DATA 16
/* And below this they do when nobody listens: larger ones are what was on its way when a request
 * was refused, and cost their sender as much as us. */
#define UNHEARD_DATA 1024
#define PREFACE_LEN  24
#define FRAME_HEADER 9

void leat_guard_init(struct leat_guard *g, bool server, int64_t now)
{
    *g = (struct leat_guard){
        .server = server, .glitches = PURSE, .refilled = now, .skip = server ? PREFACE_LEN : 0};
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

void leat_guard_give(struct leat_guard *g, unsigned glitches)
{
    put(g, (int64_t)glitches * MILLI);
}

/* Nobody listens on the stream any more, or ever will. One whose headers are in the same read is
 * beyond the last that nghttp2 has seen of the peer's. */
static bool is_unheard(const struct leat_guard *g, nghttp2_session *session)
{
    int32_t stream = (int32_t)((uint32_t)(g->hd[5] & 0x7f) << 24 | (uint32_t)g->hd[6] << 16 |
                               (uint32_t)g->hd[7] << 8 | g->hd[8]);

    return (!g->server || stream <= nghttp2_session_get_last_proc_stream_id(session)) &&
           nghttp2_session_get_stream_user_data(session, stream) == NULL;
}

/* What the frame in `hd` costs. */
static unsigned cost(const struct leat_guard *g, nghttp2_session *session)
{
    const uint8_t *hd = g->hd;
    size_t len = (size_t)hd[0] << 16 | (size_t)hd[1] << 8 | hd[2];

    switch (hd[3]) {
    case NGHTTP2_HEADERS: /* a client's open streams; a server has nothing to say on others */
        return !g->server && is_unheard(g, session);
    case NGHTTP2_DATA: /* padding may be all there is in it: telemetry clients do not pad */
        if ((len < UNHEARD_DATA || !g->server) && is_unheard(g, session))
            return 1;
        return !(hd[4] & NGHTTP2_FLAG_END_STREAM) &&
               (len < TINY_DATA || (hd[4] & NGHTTP2_FLAG_PADDED));
    case NGHTTP2_RST_STREAM: /* a server may, once for each stream */
        return g->server ? 2 : is_unheard(g, session);
    case NGHTTP2_CONTINUATION: /* nghttp2 has a bound; a client blames the answer's headers */
        return g->server;
    default:
        return 1;
    }
}

bool leat_guard_bytes(struct leat_guard *g, nghttp2_session *session, const uint8_t *data,
                      size_t len)
{
    bool good = true;
    unsigned price;

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
        price = good ? cost(g, session) : 0;
        good = good && (price == 0 || leat_guard_take(g, price));
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
