/* Compression of bodies: whole body in, whole body out, with a cap on what comes out that is
 * applied while inflating.
 *
 * Names as in Content-Encoding and grpc-encoding: gzip, deflate and zlib (both zlib format, RFC
 * 1950), zstd, snappy (raw block; on the way in a framed stream is recognised by its 10-byte
 * identifier), x-snappy-framed, lz4 (frame). */
#ifndef LEAT_IO_CODEC_H
#define LEAT_IO_CODEC_H

#include <stdbool.h>

#include "base/bytes.h"

struct leat_budget;
struct leat_buf;
struct leat_err;

enum leat_codec {
    LEAT_CODEC_NONE,
    LEAT_CODEC_GZIP,
    LEAT_CODEC_ZLIB,
    LEAT_CODEC_ZSTD,
    LEAT_CODEC_SNAPPY,
    LEAT_CODEC_SNAPPY_FRAMED,
    LEAT_CODEC_LZ4,
    LEAT_CODECS,
};

enum leat_codec_result {
    LEAT_CODEC_OK,
    LEAT_CODEC_BAD,       /* the bytes are no such stream; `err` says how */
    LEAT_CODEC_TOO_LARGE, /* more than `max` would come out */
    LEAT_CODEC_NO_MEMORY, /* budget spent or no memory: may work later */
};

/* "" and "identity" are NONE. -1: unknown, or built without its library. */
int leat_codec_find(struct leat_bytes name);
const char *leat_codec_name(enum leat_codec c); /* as in Content-Encoding; "" for NONE */
bool leat_codec_built(enum leat_codec c);

/* Contexts of all codecs, made when first used, reused from body to body. One per worker, one
 * thread. */
struct leat_codecs;
struct leat_codecs *leat_codecs_new(void);
void leat_codecs_free(struct leat_codecs *c);

/* Several gzip members or zstd frames one after the other are one body. The result is charged to
 * `budget`, cap equal to its length. A stream that is cut off, or followed by other bytes, is BAD.
 */
enum leat_codec_result leat_inflate(struct leat_codecs *cs, enum leat_codec c, struct leat_bytes in,
                                    size_t max, struct leat_budget *budget, struct leat_buf **ret,
                                    struct leat_err *err);
/* `level`: the codec's own scale, LEAT_LEVEL_DEFAULT for ours (fast). `parts` are compressed as one
 * stream. gzip and zlib: -2 (Huffman codes only), -1 (zlib's default), 0 (stored), 1 to 9, of which
 * 1 to 3 are ISA-L's where it is built in; ours is 1. zstd: 1 to 22, ours is 1; windows are never
 * larger than 8 MiB. lz4: 0 to 12, ours is 0. snappy: none. The output is charged at its worst case
 * first, and shrunk when it is done. */
#define LEAT_LEVEL_DEFAULT (-1000)
enum leat_codec_result leat_deflate(struct leat_codecs *cs, enum leat_codec c, int level,
                                    const struct leat_bytes *parts, size_t n,
                                    struct leat_budget *budget, struct leat_buf **ret,
                                    struct leat_err *err);
/* 0, or -1 and `err`: this codec has no such level. */
int leat_codec_level_check(enum leat_codec c, int level, struct leat_err *err);

#endif
