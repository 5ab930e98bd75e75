/* lz4 in its frame format, frames one after the other. */
#include "io/codec_internal.h"

#ifdef LEAT_HAVE_LZ4

#include <lz4frame.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define LEVEL_DEFAULT 0 /* fast; 3 and above: the thorough compressor */
#define LEVEL_MAX     12

struct context {
    LZ4F_dctx *in;
    LZ4F_cctx *out;
};

static struct context *context_of(struct leat_codecs *cs)
{
    if (cs->context[LEAT_FAMILY_LZ4] == NULL)
        cs->context[LEAT_FAMILY_LZ4] = leat_try_zeroed(sizeof(struct context));
    return cs->context[LEAT_FAMILY_LZ4];
}

void leat_codec_lz4_free(void *context)
{
    struct context *c = context;

    if (c == NULL)
        return;
    LZ4F_freeDecompressionContext(c->in);
    LZ4F_freeCompressionContext(c->out);
    leat_free(c);
}

static enum leat_codec_step step(void *context, struct leat_bytes *in, uint8_t *out, size_t *len,
                                 struct leat_err *err)
{
    size_t taken = in->len;
    size_t left = LZ4F_decompress(context, out, len, in->data, &taken, NULL);

    if (LZ4F_isError(left)) {
        *len = 0;
        leat_codec_bad(err, LEAT_CODEC_LZ4, LZ4F_getErrorName(left));
        return LEAT_STEP_BAD;
    }
    *in = leat_bytes(in->data + taken, in->len - taken);
    return left == 0 ? LEAT_STEP_END : LEAT_STEP_MORE;
}

/* Every frame starts with a magic number, which the library checks. */
static bool next(void *context, struct leat_bytes in)
{
    (void)context;
    (void)in;
    return true;
}

/* The content size a frame may declare (frame format 1.6.3, "Frame Descriptor"), or 0. */
static uint64_t declared_size(struct leat_bytes in)
{
    static const uint8_t magic[] = {0x04, 0x22, 0x4d, 0x18};
    uint64_t size = 0;

    if (in.len < 14 || memcmp(in.data, magic, 4) != 0 || (in.data[4] & 0x08) == 0)
        return 0;
    for (int i = 7; i >= 0; i--)
        size = size << 8 | in.data[6 + i];
    return size;
}

static enum leat_codec_result inflate_lz4(struct leat_codec_in *job)
{
    struct context *c = context_of(job->cs);
    uint64_t size = declared_size(job->in);

    if (c == NULL)
        return leat_codec_no_memory(job->err, job->codec);
    if (c->in == NULL && LZ4F_isError(LZ4F_createDecompressionContext(&c->in, LZ4F_VERSION)))
        return leat_codec_no_memory(job->err, job->codec);
    LZ4F_resetDecompressionContext(c->in);
    if (size > job->max)
        return leat_codec_too_large(job->err, job->codec, job->max);
    return leat_codec_run(job, c->in, step, next, size);
}

/* Blocks refer to the ones before them; each piece is one block, so nothing waits in the library.
 */
static LZ4F_preferences_t preferences(const struct leat_codec_out *job)
{
    LZ4F_preferences_t p = LZ4F_INIT_PREFERENCES;

    p.frameInfo.blockSizeID = LZ4F_max64KB;
    p.frameInfo.blockMode = LZ4F_blockLinked;
    p.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
    p.frameInfo.contentSize = job->total;
    p.compressionLevel = job->level == LEAT_LEVEL_DEFAULT ? LEVEL_DEFAULT : job->level;
    p.autoFlush = 1;
    return p;
}

static enum leat_codec_result compress(struct leat_codec_out *job, LZ4F_cctx *c,
                                       const LZ4F_preferences_t *p)
{
    struct leat_codec_pieces pieces = {.job = job};
    struct leat_buf *out = job->out;
    struct leat_bytes piece;
    size_t n = LZ4F_compressBegin(c, out->data, out->cap, p);

    while (!LZ4F_isError(n) && leat_codec_next_piece(&pieces, &piece)) {
        out->len += n;
        n = LZ4F_compressUpdate(c, out->data + out->len, out->cap - out->len, piece.data, piece.len,
                                NULL);
    }
    if (!LZ4F_isError(n)) {
        out->len += n;
        n = LZ4F_compressEnd(c, out->data + out->len, out->cap - out->len, NULL);
    }
    if (LZ4F_isError(n)) {
        leat_fail(job->err, "lz4 could not compress a body: %s", LZ4F_getErrorName(n));
        return LEAT_CODEC_NO_MEMORY;
    }
    out->len += n;
    return LEAT_CODEC_OK;
}

static enum leat_codec_result deflate_lz4(struct leat_codec_out *job)
{
    struct context *c = context_of(job->cs);
    LZ4F_preferences_t p = preferences(job);
    size_t cap = LZ4F_HEADER_SIZE_MAX + LZ4F_compressBound(0, &p);
    enum leat_codec_result result = leat_codec_piece_room(job);

    if (result != LEAT_CODEC_OK)
        return result;
    if (c == NULL ||
        (c->out == NULL && LZ4F_isError(LZ4F_createCompressionContext(&c->out, LZ4F_VERSION))))
        return leat_codec_no_memory(job->err, job->codec);
    cap += job->total / LEAT_CODEC_PIECE * LZ4F_compressBound(LEAT_CODEC_PIECE, &p);
    cap += LZ4F_compressBound(job->total % LEAT_CODEC_PIECE, &p);
    result = leat_codec_make_out(job, cap);
    return result == LEAT_CODEC_OK ? compress(job, c->out, &p) : result;
}

const struct leat_codec_ops leat_codec_ops_lz4 = {true, 0, LEVEL_MAX, inflate_lz4, deflate_lz4};

#else

void leat_codec_lz4_free(void *context)
{
    (void)context;
}

const struct leat_codec_ops leat_codec_ops_lz4 = {false, 0, 0, NULL, NULL};

#endif
