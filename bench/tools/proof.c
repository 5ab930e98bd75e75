/* The proof that nothing was lost, doubled or changed. */
#include "proof.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "net.h"

#define ID_LEN     16
#define IDS_MAX    ((uint64_t)1 << 28)
#define UNPACK_MAX ((size_t)256 << 20)
#define MARK_PROTO "\x0a\x0binstance.id\x12\x12\x0a\x10"
#define MARK_VALUE "\x12\x12\x0a\x10" /* the value in front of its key, as otelcol writes it */
#define MARK_JSON  "\"instance.id\",\"value\":{\"stringValue\":\""

/* The id in front of its key at `hit`, where the fields come in that order and it lies at or behind
 * `from`; NULL: it does not. */
static uint8_t *value_before(uint8_t *from, uint8_t *hit)
{
    const size_t mark = sizeof MARK_VALUE - 1, back = 2 + ID_LEN + mark;

    if ((size_t)(hit - from) < back || memcmp(hit - 2, "\x0a\x0b", 2) != 0 ||
        memcmp(hit - back, MARK_VALUE, mark) != 0)
        return NULL;
    return hit - 2 - ID_LEN;
}

/* The next id at or behind `at`; NULL when there is none. */
static uint8_t *find_id(uint8_t *at, const uint8_t *end)
{
    static const struct {
        const char *text;
        size_t len;
    } marks[] = {{MARK_PROTO, sizeof MARK_PROTO - 1}, {MARK_JSON, sizeof MARK_JSON - 1}};

    for (uint8_t *from = at; at < end; at++) {
        uint8_t *before, *hit = memmem(at, (size_t)(end - at), "instance.id", 11);
        if (hit == NULL)
            return NULL;
        before = value_before(from, hit);
        if (before != NULL)
            return before;
        for (size_t i = 0; i < 2; i++) {
            uint8_t *start = hit - (i == 0 ? 2 : 1);
            if ((size_t)(end - start) >= marks[i].len + ID_LEN &&
                memcmp(start, marks[i].text, marks[i].len) == 0)
                return start + marks[i].len;
        }
        at = hit;
    }
    return NULL;
}

void proof_stamp(uint8_t *body, size_t len, uint64_t *next)
{
    char digits[ID_LEN + 1];

    for (uint8_t *at = body; (at = find_id(at, body + len)) != NULL; at += ID_LEN) {
        snprintf(digits, sizeof digits, "%016llx", (unsigned long long)(*next)++);
        memcpy(at, digits, ID_LEN);
    }
}

static void note_id(struct proof *p, const uint8_t *at)
{
    char digits[ID_LEN + 1] = {0};
    uint64_t id;

    memcpy(digits, at, ID_LEN);
    id = strtoull(digits, NULL, 16);
    if (id >= IDS_MAX) {
        p->malformed++;
        return;
    }
    if (id >= p->seen_bits) {
        uint64_t bits = (id + 1) * 2 + 4096, words = bits / 64;
        p->seen = realloc(p->seen, words * 8);
        if (p->seen == NULL)
            net_die("no memory");
        memset(p->seen + p->seen_bits / 64, 0, (words - p->seen_bits / 64) * 8);
        p->seen_bits = words * 64;
    }
    p->ids++;
    if (id < p->counts_n)
        p->counts[id]++;
    if (p->seen[id / 64] >> id % 64 & 1)
        p->twice++;
    p->seen[id / 64] |= (uint64_t)1 << id % 64;
}

uint64_t proof_mix(uint64_t h, const void *data, size_t len)
{
    const uint8_t *b = data;
    uint64_t word;

    for (; len >= 8; b += 8, len -= 8) {
        memcpy(&word, b, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15ull;
        h ^= h >> 32;
    }
    for (; len > 0; b++, len--)
        h = (h ^ *b) * 0x100000001b3ull;
    return h ^ h >> 29;
}

static uint64_t hash(const uint8_t *b, size_t len)
{
    return proof_mix(0xcbf29ce484222325ull ^ len, b, len);
}

static const uint8_t *varint(const uint8_t *at, const uint8_t *end, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
        *ret |= (uint64_t)(*at & 127) << shift;
        if (*at++ < 128)
            return at;
    }
    return NULL;
}

void proof_take(struct proof *p, const uint8_t *body, size_t len)
{
    const uint8_t *end = body + len;
    uint64_t n;

    for (uint8_t *at = (uint8_t *)(uintptr_t)body; (at = find_id(at, end)) != NULL; at += ID_LEN)
        note_id(p, at);
    if (len > 0 && *body == '{')
        return;
    for (const uint8_t *at = body; at < end; at += n) {
        uint64_t h;
        if (*at != 0x0a || (at = varint(at + 1, end, &n)) == NULL || n > (uint64_t)(end - at)) {
            p->malformed++;
            return;
        }
        h = hash(at, n);
        p->entries++;
        p->sum += h;
        p->squares += h * h;
    }
}

void proof_print(const struct proof *p, FILE *to)
{
    fprintf(to,
            "\"ids\": %llu, \"twice\": %llu, \"entries\": %llu, \"malformed\": %llu, "
            "\"digest\": \"%016llx%016llx\"",
            (unsigned long long)p->ids, (unsigned long long)p->twice,
            (unsigned long long)p->entries, (unsigned long long)p->malformed,
            (unsigned long long)p->sum, (unsigned long long)p->squares);
}

static uint8_t *copy(const uint8_t *body, size_t len, size_t *ret_len)
{
    uint8_t *to = malloc(len + 1);

    if (to != NULL)
        memcpy(to, body, len);
    *ret_len = len;
    return to;
}

static bool plain(const char *encoding)
{
    return *encoding == 0 || strcmp(encoding, "identity") == 0;
}

uint8_t *proof_pack(const char *encoding, const uint8_t *body, size_t len, size_t *ret_len)
{
    size_t room = ZSTD_compressBound(len) + compressBound(len);
    uint8_t *to;
    z_stream z = {0};

    if (plain(encoding))
        return copy(body, len, ret_len);
    to = malloc(room);
    if (to == NULL)
        return NULL;
    if (strcmp(encoding, "zstd") == 0) {
        *ret_len = ZSTD_compress(to, room, body, len, 3);
        return to;
    }
    if (deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        net_die("no memory");
    z.next_in = (uint8_t *)(uintptr_t)body;
    z.avail_in = (unsigned)len;
    z.next_out = to;
    z.avail_out = (unsigned)room;
    deflate(&z, Z_FINISH);
    *ret_len = z.total_out;
    deflateEnd(&z);
    return to;
}

static size_t inflate_all(uint8_t *to, size_t room, const uint8_t *body, size_t len)
{
    z_stream z = {0};
    size_t done = 0;
    int rc;

    if (inflateInit2(&z, 31) != Z_OK)
        net_die("no memory");
    z.next_in = (uint8_t *)(uintptr_t)body;
    z.avail_in = (unsigned)len;
    do {
        z.next_out = to + done;
        z.avail_out = (unsigned)(room - done);
        rc = inflate(&z, Z_FINISH);
        done = room - z.avail_out;
    } while (rc == Z_STREAM_END && z.avail_in > 0 && inflateReset(&z) == Z_OK);
    inflateEnd(&z);
    return rc == Z_STREAM_END ? done : 0;
}

static size_t unzstd_all(uint8_t *to, size_t room, const uint8_t *body, size_t len)
{
    ZSTD_DCtx *d = ZSTD_createDCtx();
    ZSTD_outBuffer out = {to, room, 0};
    ZSTD_inBuffer in = {body, len, 0};
    size_t rc = 1;

    while (in.pos < in.size && !ZSTD_isError(rc) && out.pos < out.size)
        rc = ZSTD_decompressStream(d, &out, &in);
    ZSTD_freeDCtx(d);
    return rc == 0 ? out.pos : 0;
}

uint8_t *proof_unpack(const char *encoding, const uint8_t *body, size_t len, size_t *ret_len)
{
    static uint8_t *room;

    if (plain(encoding))
        return copy(body, len, ret_len);
    if (room == NULL && (room = malloc(UNPACK_MAX)) == NULL)
        net_die("no memory");
    *ret_len = strcmp(encoding, "gzip") == 0   ? inflate_all(room, UNPACK_MAX, body, len)
               : strcmp(encoding, "zstd") == 0 ? unzstd_all(room, UNPACK_MAX, body, len)
                                               : 0;
    return *ret_len == 0 ? NULL : copy(room, *ret_len, ret_len);
}
