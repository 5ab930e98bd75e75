/* zstd (RFC 8878): frames one after the other, skippable ones included, windows up to 8 MiB. */
#include "io/codec_internal.h"

#ifdef LEAT_HAVE_ZSTD

#include <zstd.h>
#include <zstd_errors.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define WINDOW_LOG_MAX 23 /* 8 MiB, what RFC 8878 3.1.1.1.2 recommends decoders to support */
#define LEVEL_DEFAULT  1
#define LEVEL_MAX      22

struct context {
    ZSTD_DCtx *in;
    ZSTD_CCtx *out;
};

static struct context *context_of(struct leat_codecs *cs)
{
    if (cs->context[LEAT_FAMILY_ZSTD] == NULL)
        cs->context[LEAT_FAMILY_ZSTD] = leat_try_zeroed(sizeof(struct context));
    return cs->context[LEAT_FAMILY_ZSTD];
}

void leat_codec_zstd_free(void *context)
{
    struct context *c = context;

    if (c == NULL)
        return;
    ZSTD_freeDCtx(c->in);
    ZSTD_freeCCtx(c->out);
    leat_free(c);
}

static enum leat_codec_step step(void *context, struct leat_bytes *in, uint8_t *out, size_t *len,
                                 struct leat_err *err)
{
    ZSTD_inBuffer from = {in->data, in->len, 0};
    ZSTD_outBuffer to = {out, *len, 0};
    size_t left = ZSTD_decompressStream(context, &to, &from);

    *len = to.pos;
    if (ZSTD_isError(left)) {
        bool window = ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge;
        leat_codec_bad(err, LEAT_CODEC_ZSTD,
                       window ? "its window is larger than 8 MiB" : ZSTD_getErrorName(left));
        return LEAT_STEP_BAD;
    }
    *in = leat_bytes(in->data + from.pos, in->len - from.pos);
    return left == 0 ? LEAT_STEP_END : LEAT_STEP_MORE;
}

/* Every frame starts with a magic number, which the library checks. */
static bool next(void *context, struct leat_bytes in)
{
    (void)context;
    (void)in;
    return true;
}

static enum leat_codec_result inflate_zstd(struct leat_codec_in *job)
{
    struct context *c = context_of(job->cs);
    unsigned long long size;

    if (c == NULL)
        return leat_codec_no_memory(job->err, job->codec);
    if (c->in == NULL)
        c->in = ZSTD_createDCtx();
    if (c->in == NULL)
        return leat_codec_no_memory(job->err, job->codec);
    ZSTD_DCtx_reset(c->in, ZSTD_reset_session_only);
    ZSTD_DCtx_setParameter(c->in, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    size = ZSTD_getFrameContentSize(job->in.data, job->in.len);
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
        size = 0;
    if (size > job->max)
        return leat_codec_too_large(job->err, job->codec, job->max);
    return leat_codec_run(job, c->in, step, next, size);
}

static bool start_out(struct context *c, const struct leat_codec_out *job)
{
    int level = job->level == LEAT_LEVEL_DEFAULT ? LEVEL_DEFAULT : job->level;

    if (c->out == NULL)
        c->out = ZSTD_createCCtx();
    if (c->out == NULL)
        return false;
    ZSTD_CCtx_reset(c->out, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(c->out, ZSTD_c_compressionLevel, level);
    if (level > 19) /* their own windows are larger than what peers are bound to accept */
        ZSTD_CCtx_setParameter(c->out, ZSTD_c_windowLog, WINDOW_LOG_MAX);
    ZSTD_CCtx_setPledgedSrcSize(c->out, job->total);
    return true;
}

/* The output has room for the worst case, so every call takes all of its input. */
static size_t add_part(struct context *c, struct leat_codec_out *job, struct leat_bytes part,
                       ZSTD_EndDirective end)
{
    ZSTD_inBuffer from = {part.data, part.len, 0};
    ZSTD_outBuffer to = {job->out->data, job->out->cap, job->out->len};
    size_t left;

    do {
        left = ZSTD_compressStream2(c->out, &to, &from, end);
    } while (!ZSTD_isError(left) && to.pos < to.size &&
             (from.pos < from.size || (end == ZSTD_e_end && left != 0)));
    job->out->len = to.pos;
    return left;
}

static enum leat_codec_result deflate_zstd(struct leat_codec_out *job)
{
    struct context *c = context_of(job->cs);
    enum leat_codec_result result;
    size_t left = 0;

    if (c == NULL || !start_out(c, job))
        return leat_codec_no_memory(job->err, job->codec);
    result = leat_codec_make_out(job, ZSTD_compressBound(job->total));
    if (result != LEAT_CODEC_OK)
        return result;
    for (size_t i = 0; i + 1 < job->n && !ZSTD_isError(left); i++)
        left = add_part(c, job, job->parts[i], ZSTD_e_continue);
    if (!ZSTD_isError(left)) {
        struct leat_bytes last = job->n > 0 ? job->parts[job->n - 1] : leat_bytes(NULL, 0);
        left = add_part(c, job, last, ZSTD_e_end);
    }
    if (left == 0)
        return LEAT_CODEC_OK;
    leat_fail(job->err, "zstd could not compress a body: %s",
              ZSTD_isError(left) ? ZSTD_getErrorName(left) : "no room");
    return LEAT_CODEC_NO_MEMORY;
}

const struct leat_codec_ops leat_codec_ops_zstd = {true, 1, LEVEL_MAX, inflate_zstd, deflate_zstd};

#else

void leat_codec_zstd_free(void *context)
{
    (void)context;
}

const struct leat_codec_ops leat_codec_ops_zstd = {false, 0, 0, NULL, NULL};

#endif
