/* gzip (RFC 1952, several members) and zlib (RFC 1950): ISA-L where it is built in, else zlib.
 *
 * Levels are the collector's: 1 to 3 are ISA-L's of that number, ours is 1; 0 (stored), 4 to 9, -1
 * (zlib's default) and -2 (Huffman codes only) are zlib's. Without ISA-L all are zlib's. */
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/codec_internal.h"

#ifdef LEAT_HAVE_ISAL
#include <isa-l/igzip_lib.h>
#endif

#define LEVEL_DEFAULT 1
#define LEVEL_MIN     Z_HUFFMAN_LEVEL
#define LEVEL_MAX     9
#define LEVEL_ISAL    3                   /* the highest one of ISA-L */
#define RUN_MAX       ((size_t)1 << 30)   /* bytes per call: both libraries count in 32 bits */
#define OUT_MORE      ((size_t)64 * 1024) /* should the bound on the output not do */

#define Z_HUFFMAN_LEVEL (-2)
#define GZIP_BITS       (15 + 16) /* zlib's way to say gzip */
#define ZLIB_BITS       15

struct context {
#ifdef LEAT_HAVE_ISAL
    struct inflate_state *in;
    struct isal_zstream *out;
    uint8_t *level_buf;
    size_t level_buf_size;
#else
    z_stream in;
    bool has_in;
#endif
    z_stream zout;
    bool has_zout;
    int zout_bits, zout_level; /* what zout was made for */
    enum leat_codec codec;     /* of the body that is being inflated */
};

static struct context *context_of(struct leat_codecs *cs)
{
    if (cs->context[LEAT_FAMILY_GZIP] == NULL)
        cs->context[LEAT_FAMILY_GZIP] = leat_try_zeroed(sizeof(struct context));
    return cs->context[LEAT_FAMILY_GZIP];
}

void leat_codec_gzip_free(void *context)
{
    struct context *c = context;

    if (c == NULL)
        return;
#ifdef LEAT_HAVE_ISAL
    leat_free(c->in);
    leat_free(c->out);
    leat_free(c->level_buf);
#else
    if (c->has_in)
        inflateEnd(&c->in);
#endif
    if (c->has_zout)
        deflateEnd(&c->zout);
    leat_free(c);
}

static uint32_t run_length(size_t len)
{
    return (uint32_t)(len < RUN_MAX ? len : RUN_MAX);
}

static void *z_alloc(void *opaque, unsigned count, unsigned size)
{
    (void)opaque;
    return leat_try_zeroed((size_t)count * size);
}

static void z_free(void *opaque, void *memory)
{
    (void)opaque;
    leat_free(memory);
}

/* --- in: ISA-L */

#ifdef LEAT_HAVE_ISAL

static const char *isal_reason(int code)
{
    switch (code) {
    case ISAL_INVALID_WRAPPER:
        return "its header is wrong";
    case ISAL_UNSUPPORTED_METHOD:
        return "its header names another compression method";
    case ISAL_INCORRECT_CHECKSUM:
        return "the checksum or the length at its end does not match";
    case ISAL_NEED_DICT:
        return "it needs a preset dictionary";
    default:
        return "the compressed data is damaged";
    }
}

static void isal_start(struct context *c)
{
    isal_inflate_reset(c->in);
    c->in->crc_flag = c->codec == LEAT_CODEC_GZIP ? ISAL_GZIP : ISAL_ZLIB;
}

static enum leat_codec_step step(void *context, struct leat_bytes *in, uint8_t *out, size_t *len,
                                 struct leat_err *err)
{
    struct context *c = context;
    const uint8_t *end = in->data + in->len;
    uint32_t room = run_length(*len);
    size_t unused;
    int code;

    c->in->next_in = (uint8_t *)(uintptr_t)in->data;
    c->in->avail_in = run_length(in->len);
    c->in->next_out = out;
    c->in->avail_out = room;
    code = isal_inflate(c->in);
    *len = room - c->in->avail_out;
    *in = leat_bytes(c->in->next_in, (size_t)(end - c->in->next_in));
    if (code < 0 || code == ISAL_NEED_DICT) {
        leat_codec_bad(err, c->codec, isal_reason(code));
        return LEAT_STEP_BAD;
    }
    if (c->in->block_state != ISAL_BLOCK_FINISH)
        return LEAT_STEP_MORE;
    /* After a zlib trailer the library may hold bytes that are not part of the stream. */
    unused = c->in->read_in_length > 0 ? (size_t)c->in->read_in_length / 8 : 0;
    *in = leat_bytes(in->data - unused, in->len + unused);
    return LEAT_STEP_END;
}

static bool next(void *context, struct leat_bytes in)
{
    struct context *c = context;

    if (c->codec != LEAT_CODEC_GZIP || in.data[0] != 0x1f)
        return false;
    isal_start(c);
    return true;
}

static bool start_in(struct context *c)
{
    if (c->in == NULL) {
        c->in = leat_try_zeroed(sizeof *c->in);
        if (c->in == NULL)
            return false;
        isal_inflate_init(c->in);
    }
    isal_start(c);
    return true;
}

#else

/* --- in: zlib */

static enum leat_codec_step step(void *context, struct leat_bytes *in, uint8_t *out, size_t *len,
                                 struct leat_err *err)
{
    struct context *c = context;
    size_t left = in->len;
    uint32_t room = run_length(*len);
    int code;

    c->in.next_in = (uint8_t *)(uintptr_t)in->data;
    c->in.avail_in = run_length(left);
    c->in.next_out = out;
    c->in.avail_out = room;
    left -= c->in.avail_in;
    code = inflate(&c->in, Z_NO_FLUSH);
    *len = room - c->in.avail_out;
    *in = leat_bytes(c->in.next_in, left + c->in.avail_in);
    if (code == Z_OK || code == Z_BUF_ERROR)
        return LEAT_STEP_MORE;
    if (code == Z_STREAM_END)
        return LEAT_STEP_END;
    leat_codec_bad(err, c->codec,
                   code == Z_NEED_DICT ? "it needs a preset dictionary"
                   : c->in.msg != NULL ? c->in.msg
                   : code == Z_MEM_ERROR ? "no memory for its window"
                                         : "the compressed data is damaged");
    return LEAT_STEP_BAD;
}

static bool next(void *context, struct leat_bytes in)
{
    struct context *c = context;

    return c->codec == LEAT_CODEC_GZIP && in.data[0] == 0x1f && inflateReset(&c->in) == Z_OK;
}

static bool start_in(struct context *c)
{
    int bits = c->codec == LEAT_CODEC_GZIP ? GZIP_BITS : ZLIB_BITS;

    if (c->has_in)
        return inflateReset2(&c->in, bits) == Z_OK;
    c->in = (z_stream){.zalloc = z_alloc, .zfree = z_free};
    c->has_in = inflateInit2(&c->in, bits) == Z_OK;
    return c->has_in;
}

#endif

/* What the last four bytes say of the size (RFC 1952 2.3.1 ISIZE); only a hint: there may be more
 * members, and they may lie. */
static uint64_t declared_size(const struct leat_codec_in *job)
{
    const uint8_t *end = job->in.data + job->in.len;

    if (job->codec != LEAT_CODEC_GZIP || job->in.len < 18)
        return 0;
    return end[-4] | (uint64_t)end[-3] << 8 | (uint64_t)end[-2] << 16 | (uint64_t)end[-1] << 24;
}

static enum leat_codec_result inflate_gzip(struct leat_codec_in *job)
{
    struct context *c = context_of(job->cs);

    if (c == NULL)
        return leat_codec_no_memory(job->err, job->codec);
    c->codec = job->codec;
    if (!start_in(c))
        return leat_codec_no_memory(job->err, job->codec);
    return leat_codec_run(job, c, step, next, declared_size(job));
}

/* --- out */

/* Stored blocks cost 5 bytes per 65,535 (RFC 1951 3.2.4); the rest is header, trailer and what zlib
 * keeps in reserve. */
static size_t bound(size_t total)
{
    return total + total / 1024 + 128;
}

/* True: there is room in the output (again). */
static bool room_left(struct leat_codec_out *job)
{
    struct leat_buf *out = job->out;

    return out->len < out->cap || leat_buf_resize(&job->out, out->cap + OUT_MORE) == 0;
}

#ifdef LEAT_HAVE_ISAL

static size_t level_buf_size(int level)
{
    return level == 1   ? ISAL_DEF_LVL1_DEFAULT
           : level == 2 ? ISAL_DEF_LVL2_DEFAULT
                        : ISAL_DEF_LVL3_DEFAULT;
}

static bool isal_out_start(struct context *c, enum leat_codec codec, int level)
{
    size_t size = level_buf_size(level);

    if (c->out == NULL)
        c->out = leat_try_zeroed(sizeof *c->out);
    if (c->out == NULL)
        return false;
    if (c->level_buf_size < size) {
        leat_free(c->level_buf);
        c->level_buf = leat_try(size);
        c->level_buf_size = c->level_buf != NULL ? size : 0;
    }
    if (c->level_buf == NULL)
        return false;
    isal_deflate_init(c->out);
    c->out->level = (uint32_t)level;
    c->out->level_buf = c->level_buf;
    c->out->level_buf_size = (uint32_t)size;
    c->out->gzip_flag = codec == LEAT_CODEC_GZIP ? IGZIP_GZIP : IGZIP_ZLIB;
    return true;
}

/* Takes one part; with `last`, goes on to the end of the stream. */
static enum leat_codec_result isal_add(struct context *c, struct leat_codec_out *job,
                                       struct leat_bytes part, bool last)
{
    struct isal_zstream *s = c->out;

    do {
        uint32_t run = run_length(part.len), room;
        if (!room_left(job))
            return leat_codec_no_memory(job->err, job->codec);
        room = run_length(job->out->cap - job->out->len);
        s->next_in = (uint8_t *)(uintptr_t)part.data;
        s->avail_in = run;
        s->next_out = job->out->data + job->out->len;
        s->avail_out = room;
        s->end_of_stream = last && run == part.len;
        if (isal_deflate(s) != COMP_OK) {
            leat_fail(job->err, "ISA-L could not compress a body");
            return LEAT_CODEC_NO_MEMORY;
        }
        job->out->len += room - s->avail_out;
        if (run > s->avail_in)
            part = leat_bytes(part.data + (run - s->avail_in), part.len - (run - s->avail_in));
    } while (part.len > 0 || (last && s->internal_state.state != ZSTATE_END));
    return LEAT_CODEC_OK;
}

static enum leat_codec_result isal_deflate_all(struct context *c, struct leat_codec_out *job,
                                               int level)
{
    enum leat_codec_result result = LEAT_CODEC_OK;

    if (!isal_out_start(c, job->codec, level))
        return leat_codec_no_memory(job->err, job->codec);
    for (size_t i = 0; i < job->n && result == LEAT_CODEC_OK; i++)
        result = isal_add(c, job, job->parts[i], i + 1 == job->n);
    if (job->n == 0)
        result = isal_add(c, job, leat_bytes(NULL, 0), true);
    return result;
}

#endif

static bool z_out_start(struct context *c, enum leat_codec codec, int level)
{
    int bits = codec == LEAT_CODEC_GZIP ? GZIP_BITS : ZLIB_BITS;
    bool huffman = level == Z_HUFFMAN_LEVEL;

    if (c->has_zout && c->zout_bits == bits && c->zout_level == level)
        return deflateReset(&c->zout) == Z_OK;
    if (c->has_zout)
        deflateEnd(&c->zout);
    c->zout = (z_stream){.zalloc = z_alloc, .zfree = z_free};
    c->zout_bits = bits;
    c->zout_level = level;
    c->has_zout = deflateInit2(&c->zout, huffman ? Z_DEFAULT_COMPRESSION : level, Z_DEFLATED, bits,
                               8, huffman ? Z_HUFFMAN_ONLY : Z_DEFAULT_STRATEGY) == Z_OK;
    return c->has_zout;
}

static enum leat_codec_result z_add(struct context *c, struct leat_codec_out *job,
                                    struct leat_bytes part, bool last)
{
    int code;

    do {
        uint32_t run = run_length(part.len), room;
        bool end = last && run == part.len;
        if (!room_left(job))
            return leat_codec_no_memory(job->err, job->codec);
        room = run_length(job->out->cap - job->out->len);
        c->zout.next_in = (uint8_t *)(uintptr_t)part.data;
        c->zout.avail_in = run;
        c->zout.next_out = job->out->data + job->out->len;
        c->zout.avail_out = room;
        code = deflate(&c->zout, end ? Z_FINISH : Z_NO_FLUSH);
        job->out->len += room - c->zout.avail_out;
        run -= c->zout.avail_in;
        if (run > 0)
            part = leat_bytes(part.data + run, part.len - run);
    } while (part.len > 0 || (last && code != Z_STREAM_END));
    return LEAT_CODEC_OK;
}

static enum leat_codec_result z_deflate_all(struct context *c, struct leat_codec_out *job,
                                            int level)
{
    enum leat_codec_result result = LEAT_CODEC_OK;

    if (!z_out_start(c, job->codec, level))
        return leat_codec_no_memory(job->err, job->codec);
    for (size_t i = 0; i < job->n && result == LEAT_CODEC_OK; i++)
        result = z_add(c, job, job->parts[i], i + 1 == job->n);
    if (job->n == 0)
        result = z_add(c, job, leat_bytes(NULL, 0), true);
    return result;
}

static enum leat_codec_result deflate_gzip(struct leat_codec_out *job)
{
    struct context *c = context_of(job->cs);
    int level = job->level == LEAT_LEVEL_DEFAULT ? LEVEL_DEFAULT : job->level;
    enum leat_codec_result result;

    if (c == NULL)
        return leat_codec_no_memory(job->err, job->codec);
    result = leat_codec_make_out(job, bound(job->total));
    if (result != LEAT_CODEC_OK)
        return result;
#ifdef LEAT_HAVE_ISAL
    if (level >= 1 && level <= LEVEL_ISAL)
        return isal_deflate_all(c, job, level);
#endif
    return z_deflate_all(c, job, level);
}

const struct leat_codec_ops leat_codec_ops_gzip = {true, LEVEL_MIN, LEVEL_MAX, inflate_gzip,
                                                   deflate_gzip};
