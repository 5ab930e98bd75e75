/* What codec.c and the files of the single codecs share. Nobody else includes this. */
#ifndef LEAT_IO_CODEC_INTERNAL_H
#define LEAT_IO_CODEC_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "io/codec.h"

/* Input that is spread over parts is handed to block codecs in pieces of at most this many bytes.
 * It is also the largest block of both snappy formats. */
#define LEAT_CODEC_PIECE ((size_t)64 * 1024)

/* Contexts are kept per family: gzip and zlib share one, both snappy formats need none. */
enum leat_codec_family { LEAT_FAMILY_GZIP, LEAT_FAMILY_ZSTD, LEAT_FAMILY_LZ4, LEAT_FAMILIES };

struct leat_codecs {
    void *context[LEAT_FAMILIES]; /* NULL until first used */
    uint8_t *piece;               /* LEAT_CODEC_PIECE bytes, NULL until first used */
    struct leat_buf *work;        /* where small bodies are compressed, NULL until first used */
};

/* One body on the way in. `out` grows up to `max`; the codec leaves it set on success only in the
 * sense of its result: leat_inflate() throws it away otherwise. */
struct leat_codec_in {
    struct leat_codecs *cs;
    enum leat_codec codec;
    struct leat_bytes in;
    size_t max;
    struct leat_budget *budget;
    struct leat_buf *out;
    struct leat_err *err;
};

/* One body on the way out. */
struct leat_codec_out {
    struct leat_codecs *cs;
    enum leat_codec codec;
    int level;
    const struct leat_bytes *parts;
    size_t n, total;
    struct leat_budget *budget;
    struct leat_buf *out;
    struct leat_err *err;
};

struct leat_codec_ops {
    bool built;
    int level_min, level_max; /* of this codec's own scale; both 0: it has none */
    enum leat_codec_result (*inflate)(struct leat_codec_in *job);
    enum leat_codec_result (*deflate)(struct leat_codec_out *job);
};

extern const struct leat_codec_ops leat_codec_ops_gzip; /* and zlib */
extern const struct leat_codec_ops leat_codec_ops_zstd;
extern const struct leat_codec_ops leat_codec_ops_snappy;
extern const struct leat_codec_ops leat_codec_ops_snappy_framed;
extern const struct leat_codec_ops leat_codec_ops_lz4;

void leat_codec_gzip_free(void *context); /* these take NULL */
void leat_codec_zstd_free(void *context);
void leat_codec_lz4_free(void *context);

/* --- for codecs that inflate step by step */

enum leat_codec_step {
    LEAT_STEP_MORE, /* it goes on, given more input or room */
    LEAT_STEP_END,  /* this member or frame is complete */
    LEAT_STEP_BAD,  /* `err` says why */
};

/* Takes what it can from the front of `in` and writes at most *len (> 0) bytes to `out`; *len
 * becomes what was written. */
typedef enum leat_codec_step leat_codec_step_fn(void *context, struct leat_bytes *in, uint8_t *out,
                                                size_t *len, struct leat_err *err);
/* Whether another member or frame may start here (`in` is not empty), and gets ready for it. */
typedef bool leat_codec_next_fn(void *context, struct leat_bytes in);

/* Makes job->out with room for `hint` bytes (0: not known) as far as `max` and the size of the
 * input make that believable, then steps to the end of the input. */
enum leat_codec_result leat_codec_run(struct leat_codec_in *job, void *context,
                                      leat_codec_step_fn *step, leat_codec_next_fn *next,
                                      uint64_t hint);

/* --- for codecs that deflate piece by piece */

struct leat_codec_pieces {
    const struct leat_codec_out *job;
    size_t part, offset;
};

/* The next 1 to LEAT_CODEC_PIECE bytes of the parts, in one run (copied to cs->piece only where
 * parts are short); false: no more. leat_codec_piece_room() must have been called before. */
bool leat_codec_next_piece(struct leat_codec_pieces *p, struct leat_bytes *ret);
enum leat_codec_result leat_codec_piece_room(struct leat_codec_out *job);

/* Makes job->out with room for `cap` bytes. */
enum leat_codec_result leat_codec_make_out(struct leat_codec_out *job, size_t cap);

/* Writes the sentence and returns the result, so that a refusal reads as one step. */
enum leat_codec_result leat_codec_bad(struct leat_err *err, enum leat_codec c, const char *why);
enum leat_codec_result leat_codec_too_large(struct leat_err *err, enum leat_codec c, size_t max);
enum leat_codec_result leat_codec_no_memory(struct leat_err *err, enum leat_codec c);

#endif
