/* snappy: the raw block (format_description.txt) and the framed stream (framing_format.txt). */
#include "io/codec_internal.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#ifdef LEAT_HAVE_SNAPPY

#include <pthread.h>
#include <snappy-c.h>
#include <string.h>

#ifdef LEAT_HAVE_ISAL
#include <isa-l/crc.h>
#endif

#define RATIO_MAX    22 /* the densest element of a block: 3 bytes for 64 */
#define PREAMBLE_MAX 5  /* bytes of the length that a block starts with (a varint of 32 bits) */
#define CHUNK_HEADER 4
/* What snappy_compress() allocates for a piece: its table, the piece, the output. */
#define WORK_MAX  ((size_t)256 * 1024)
#define CHUNK_CRC 4

enum { CHUNK_SNAPPY = 0x00, CHUNK_PLAIN = 0x01, CHUNK_SKIP_MIN = 0x80, CHUNK_START = 0xff };

static const uint8_t identifier[] = {0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y'};

static bool starts_framed(struct leat_bytes in)
{
    return in.len >= sizeof identifier && memcmp(in.data, identifier, sizeof identifier) == 0;
}

/* --- CRC32C, masked (framing_format.txt section 3) */

#ifdef LEAT_HAVE_ISAL

static uint32_t crc32c(const uint8_t *data, size_t len)
{
    return ~crc32_iscsi((uint8_t *)(uintptr_t)data, (int)len, UINT32_MAX);
}

#else

static uint32_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void make_crc_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ UINT32_C(0x82f63b78) : c >> 1;
        crc_table[i] = c;
    }
}

static uint32_t crc32c(const uint8_t *data, size_t len)
{
    uint32_t c = UINT32_MAX;

    pthread_once(&crc_once, make_crc_table);
    for (size_t i = 0; i < len; i++)
        c = crc_table[(c ^ data[i]) & 255] ^ c >> 8;
    return ~c;
}

#endif

static uint32_t masked_crc(const uint8_t *data, size_t len)
{
    uint32_t c = crc32c(data, len);

    return (c >> 15 | c << 17) + UINT32_C(0xa282ead8);
}

/* --- in */

static enum leat_codec_result inflate_block(struct leat_codec_in *job)
{
    const char *in = (const char *)job->in.data;
    size_t len;

    if (snappy_uncompressed_length(in, job->in.len, &len) != SNAPPY_OK)
        return leat_codec_bad(job->err, job->codec, "it does not start with its length");
    if (len > job->max)
        return leat_codec_too_large(job->err, job->codec, job->max);
    if (len / RATIO_MAX > job->in.len)
        return leat_codec_bad(job->err, job->codec, "it declares more than so few bytes can hold");
    job->out = leat_buf_new(job->budget, len);
    if (job->out == NULL)
        return leat_codec_no_memory(job->err, job->codec);
    if (snappy_uncompress(in, job->in.len, (char *)job->out->data, &len) != SNAPPY_OK)
        return leat_codec_bad(job->err, job->codec, "the compressed data is damaged or cut off");
    job->out->len = len;
    return LEAT_CODEC_OK;
}

struct chunk {
    uint8_t type;
    struct leat_bytes body;
};

/* Cuts the next chunk off the front of `in`; false: it is cut off. */
static bool next_chunk(struct leat_bytes *in, struct chunk *ret)
{
    size_t len;

    if (in->len < CHUNK_HEADER)
        return false;
    len = in->data[1] | (size_t)in->data[2] << 8 | (size_t)in->data[3] << 16;
    if (len > in->len - CHUNK_HEADER)
        return false;
    *ret = (struct chunk){in->data[0], leat_bytes(in->data + CHUNK_HEADER, len)};
    *in = leat_bytes(in->data + CHUNK_HEADER + len, in->len - CHUNK_HEADER - len);
    return true;
}

/* How many bytes a chunk with data holds, or -1: no such chunk. */
static long chunk_length(const struct chunk *c)
{
    size_t len;

    if (c->body.len < CHUNK_CRC)
        return -1;
    len = c->body.len - CHUNK_CRC;
    if (c->type == CHUNK_SNAPPY &&
        snappy_uncompressed_length((const char *)c->body.data + CHUNK_CRC, len, &len) != SNAPPY_OK)
        return -1;
    return len <= LEAT_CODEC_PIECE ? (long)len : -1;
}

/* First pass: every chunk is there, and how much will come out. It costs one look per chunk, and
 * makes the second pass write into a buffer of the right size. */
static enum leat_codec_result measure(const struct leat_codec_in *job, size_t *ret)
{
    struct leat_bytes in = job->in;
    struct chunk c;

    *ret = 0;
    if (!starts_framed(in))
        return leat_codec_bad(job->err, job->codec, "it does not start with its identifier");
    while (in.len > 0) {
        long len;
        if (!next_chunk(&in, &c))
            return leat_codec_bad(job->err, job->codec, "it is cut off");
        if (c.type == CHUNK_START && (c.body.len != 6 || memcmp(c.body.data, identifier + 4, 6)))
            return leat_codec_bad(job->err, job->codec, "it has a wrong identifier inside");
        if (c.type >= CHUNK_SKIP_MIN)
            continue;
        if (c.type != CHUNK_SNAPPY && c.type != CHUNK_PLAIN)
            return leat_codec_bad(job->err, job->codec, "it has a chunk of unknown type");
        len = chunk_length(&c);
        if (len < 0 || (size_t)len / RATIO_MAX > c.body.len)
            return leat_codec_bad(job->err, job->codec, "it has a chunk of impossible length");
        if ((size_t)len > job->max - *ret)
            return leat_codec_too_large(job->err, job->codec, job->max);
        *ret += (size_t)len;
    }
    return LEAT_CODEC_OK;
}

/* Second pass, one chunk: the output has room for it. */
static bool unpack(struct leat_buf *out, const struct chunk *c)
{
    const uint8_t *p = c->body.data;
    size_t len = out->cap - out->len, packed = c->body.len - CHUNK_CRC;
    uint32_t crc = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    uint8_t *to = out->data + out->len;

    if (c->type == CHUNK_PLAIN) {
        memcpy(to, p + CHUNK_CRC, packed);
        len = packed;
    } else if (snappy_uncompress((const char *)p + CHUNK_CRC, packed, (char *)to, &len) !=
               SNAPPY_OK) {
        return false;
    }
    out->len += len;
    return masked_crc(to, len) == crc;
}

static enum leat_codec_result inflate_framed(struct leat_codec_in *job)
{
    struct leat_bytes in = job->in;
    struct chunk c;
    size_t total;
    enum leat_codec_result result = measure(job, &total);

    if (result != LEAT_CODEC_OK)
        return result;
    job->out = leat_buf_new(job->budget, total);
    if (job->out == NULL)
        return leat_codec_no_memory(job->err, job->codec);
    while (next_chunk(&in, &c)) {
        if (c.type <= CHUNK_PLAIN && !unpack(job->out, &c))
            return leat_codec_bad(job->err, job->codec,
                                  "the compressed data is damaged (a checksum does not match)");
    }
    return LEAT_CODEC_OK;
}

static enum leat_codec_result inflate_any(struct leat_codec_in *job)
{
    return starts_framed(job->in) ? inflate_framed(job) : inflate_block(job);
}

/* --- out */

static size_t put_varint(uint8_t *out, size_t v)
{
    size_t n = 0;

    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    return n;
}

/* Room for `extra` bytes, and every piece at its worst plus `per_piece`. */
static enum leat_codec_result make_room(struct leat_codec_out *job, size_t extra, size_t per_piece)
{
    size_t full = job->total / LEAT_CODEC_PIECE, rest = job->total % LEAT_CODEC_PIECE;
    enum leat_codec_result result = leat_codec_piece_room(job);

    if (result != LEAT_CODEC_OK)
        return result;
    extra += full * (snappy_max_compressed_length(LEAT_CODEC_PIECE) + per_piece);
    extra += snappy_max_compressed_length(rest) + per_piece;
    return leat_codec_make_out(job, extra);
}

/* libsnappy is C++: without memory it throws, which ends a program in C. So what it will take is
 * taken and given back first; what this thread has just given back is there for it. */
static bool compress(struct leat_bytes piece, uint8_t *out, size_t *len)
{
    void *work = leat_try(WORK_MAX);

    leat_free(work);
    return work != NULL &&
           snappy_compress((const char *)piece.data, piece.len, (char *)out, len) == SNAPPY_OK;
}

/* A block is its length, then elements that refer back within 64 KiB pieces only (the library cuts
 * its input that way itself). So the pieces are compressed one by one, each without its own length,
 * which is put over the end of what is already there and then restored. */
static enum leat_codec_result deflate_block(struct leat_codec_out *job)
{
    struct leat_codec_pieces pieces = {.job = job};
    struct leat_bytes piece;
    struct leat_buf *out;
    enum leat_codec_result result;

    if (job->total > UINT32_MAX) {
        leat_fail(job->err, "a body of %zu bytes is too large for snappy", job->total);
        return LEAT_CODEC_TOO_LARGE;
    }
    result = make_room(job, PREAMBLE_MAX, 0);
    if (result != LEAT_CODEC_OK)
        return result;
    out = job->out;
    out->len = put_varint(out->data, job->total);
    while (leat_codec_next_piece(&pieces, &piece)) {
        uint8_t own[PREAMBLE_MAX], kept[PREAMBLE_MAX];
        size_t n = put_varint(own, piece.len), len;
        uint8_t *to = out->data + out->len - n;
        memcpy(kept, to, n);
        len = out->cap - out->len + n;
        if (!compress(piece, to, &len))
            return leat_codec_no_memory(job->err, job->codec);
        memcpy(to, kept, n);
        out->len += len - n;
    }
    return LEAT_CODEC_OK;
}

/* One chunk; plain when compression saves less than an eighth. */
static bool put_chunk(struct leat_buf *out, struct leat_bytes piece)
{
    uint8_t *header = out->data + out->len, *body = header + CHUNK_HEADER + CHUNK_CRC;
    size_t len = (size_t)(out->data + out->cap - body), whole;
    uint32_t crc = masked_crc(piece.data, piece.len);

    if (!compress(piece, body, &len))
        return false;
    header[0] = CHUNK_SNAPPY;
    if (len > piece.len - piece.len / 8) {
        header[0] = CHUNK_PLAIN;
        memcpy(body, piece.data, piece.len);
        len = piece.len;
    }
    whole = len + CHUNK_CRC;
    for (int i = 0; i < 3; i++)
        header[1 + i] = (uint8_t)(whole >> (8 * i));
    for (int i = 0; i < 4; i++)
        header[4 + i] = (uint8_t)(crc >> (8 * i));
    out->len += CHUNK_HEADER + whole;
    return true;
}

static enum leat_codec_result deflate_framed(struct leat_codec_out *job)
{
    struct leat_codec_pieces pieces = {.job = job};
    struct leat_bytes piece;
    enum leat_codec_result result = make_room(job, sizeof identifier, CHUNK_HEADER + CHUNK_CRC);

    if (result != LEAT_CODEC_OK)
        return result;
    memcpy(job->out->data, identifier, sizeof identifier);
    job->out->len = sizeof identifier;
    while (leat_codec_next_piece(&pieces, &piece)) {
        if (!put_chunk(job->out, piece))
            return leat_codec_no_memory(job->err, job->codec);
    }
    return LEAT_CODEC_OK;
}

const struct leat_codec_ops leat_codec_ops_snappy = {true, 0, 0, inflate_any, deflate_block};
const struct leat_codec_ops leat_codec_ops_snappy_framed = {true, 0, 0, inflate_framed,
                                                            deflate_framed};

#else

const struct leat_codec_ops leat_codec_ops_snappy = {false, 0, 0, NULL, NULL};
const struct leat_codec_ops leat_codec_ops_snappy_framed = {false, 0, 0, NULL, NULL};

#endif
