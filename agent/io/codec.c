/* The registry of codecs, and what they have in common: output that grows while a cap is held. */
#include "io/codec.h"

#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/codec_internal.h"

#define FIRST_RATIO 4         /* room for the output at first, in multiples of the input */
#define HINT_RATIO  64        /* a declared size is believed up to this multiple of the input */
#define FIRST_MIN   512       /* bytes */
#define GROW_SMALL  64 * 1024 /* tried when the budget has no room to double the output */
#define WORK_MAX    ((size_t)1 << 20) /* bytes kept for compressing into */
#define PEEK        32 /* bytes: looks whether more would come before the output is made larger */

struct codec {
    const char *name; /* as in Content-Encoding */
    const char *alias;
    const struct leat_codec_ops *ops;
};

static const struct codec codecs[LEAT_CODECS] = {
    [LEAT_CODEC_NONE] = {"", "identity", NULL},
    [LEAT_CODEC_GZIP] = {"gzip", NULL, &leat_codec_ops_gzip},
    [LEAT_CODEC_ZLIB] = {"deflate", "zlib", &leat_codec_ops_gzip},
    [LEAT_CODEC_ZSTD] = {"zstd", NULL, &leat_codec_ops_zstd},
    [LEAT_CODEC_SNAPPY] = {"snappy", NULL, &leat_codec_ops_snappy},
    [LEAT_CODEC_SNAPPY_FRAMED] = {"x-snappy-framed", NULL, &leat_codec_ops_snappy_framed},
    [LEAT_CODEC_LZ4] = {"lz4", NULL, &leat_codec_ops_lz4},
};

int leat_codec_find(struct leat_bytes name)
{
    for (int c = 0; c < LEAT_CODECS; c++) {
        const char *alias = codecs[c].alias;
        if (leat_bytes_is_nocase(name, codecs[c].name) ||
            (alias != NULL && leat_bytes_is_nocase(name, alias)))
            return leat_codec_built((enum leat_codec)c) ? c : -1;
    }
    return -1;
}

const char *leat_codec_name(enum leat_codec c)
{
    return codecs[c].name;
}

bool leat_codec_built(enum leat_codec c)
{
    return codecs[c].ops == NULL || codecs[c].ops->built;
}

int leat_codec_level_check(enum leat_codec c, int level, struct leat_err *err)
{
    const struct leat_codec_ops *ops = codecs[c].ops;

    if (level == LEAT_LEVEL_DEFAULT)
        return 0;
    if (ops == NULL || ops->level_min == ops->level_max)
        return leat_fail(err, "%s has no compression levels; remove the level",
                         c == LEAT_CODEC_NONE ? "no compression" : codecs[c].name);
    if (level < ops->level_min || level > ops->level_max)
        return leat_fail(err, "%s has no level %d; it has %d to %d", codecs[c].name, level,
                         ops->level_min, ops->level_max);
    return 0;
}

struct leat_codecs *leat_codecs_new(void)
{
    return leat_new(sizeof(struct leat_codecs));
}

void leat_codecs_free(struct leat_codecs *c)
{
    if (c == NULL)
        return;
    leat_codec_gzip_free(c->context[LEAT_FAMILY_GZIP]);
    leat_codec_zstd_free(c->context[LEAT_FAMILY_ZSTD]);
    leat_codec_lz4_free(c->context[LEAT_FAMILY_LZ4]);
    leat_free(c->piece);
    leat_buf_unref(c->work);
    leat_free(c);
}

/* --- refusals */

enum leat_codec_result leat_codec_bad(struct leat_err *err, enum leat_codec c, const char *why)
{
    leat_fail(err, "the body is not a valid %s stream: %s", codecs[c].name, why);
    return LEAT_CODEC_BAD;
}

enum leat_codec_result leat_codec_too_large(struct leat_err *err, enum leat_codec c, size_t max)
{
    leat_fail(err, "the %s body is larger than %zu bytes when decompressed", codecs[c].name, max);
    return LEAT_CODEC_TOO_LARGE;
}

enum leat_codec_result leat_codec_no_memory(struct leat_err *err, enum leat_codec c)
{
    leat_fail(err, "no memory left for a %s body; try again later", codecs[c].name);
    return LEAT_CODEC_NO_MEMORY;
}

/* --- in */

/* What to make room for at first. Nothing that is merely declared costs more than HINT_RATIO times
 * what was sent. */
static size_t first_room(const struct leat_codec_in *job, uint64_t hint)
{
    size_t in = job->in.len > SIZE_MAX / HINT_RATIO ? SIZE_MAX / HINT_RATIO : job->in.len;
    size_t room = in * FIRST_RATIO;

    if (hint > 0)
        room = hint < in * HINT_RATIO ? (size_t)hint : in * HINT_RATIO;
    else if (room < FIRST_MIN)
        room = FIRST_MIN;
    return room < job->max ? room : job->max;
}

/* Makes room for at least `need` more bytes. */
static enum leat_codec_result grow(struct leat_codec_in *job, size_t need)
{
    size_t cap = job->out->cap, least, want;

    if (need > job->max - job->out->len)
        return leat_codec_too_large(job->err, job->codec, job->max);
    least = job->out->len + need;
    want = cap > job->max / 2 ? job->max : cap * 2;
    if (want < least)
        want = least;
    if (leat_buf_resize(&job->out, want) == 0)
        return LEAT_CODEC_OK;
    if (want - least > GROW_SMALL && leat_buf_resize(&job->out, least + GROW_SMALL) == 0)
        return LEAT_CODEC_OK;
    return leat_codec_no_memory(job->err, job->codec);
}

struct run {
    struct leat_codec_in *job;
    void *context;
    leat_codec_step_fn *step;
    struct leat_bytes in; /* not yet taken */
    size_t made;          /* bytes by the last step */
};

/* One step into the output; when that is full, a small one beside it, so that a body that fits
 * exactly is not given more room, and one that does not fit is noticed. */
static enum leat_codec_result step_once(struct run *r, enum leat_codec_step *ret)
{
    struct leat_codec_in *job = r->job;
    uint8_t beside[PEEK];
    enum leat_codec_result result;

    r->made = job->out->cap - job->out->len;
    if (r->made > 0) {
        *ret = r->step(r->context, &r->in, job->out->data + job->out->len, &r->made, job->err);
        job->out->len += r->made;
        return LEAT_CODEC_OK;
    }
    r->made = sizeof beside;
    *ret = r->step(r->context, &r->in, beside, &r->made, job->err);
    if (r->made == 0 || *ret == LEAT_STEP_BAD)
        return LEAT_CODEC_OK;
    result = grow(job, r->made);
    if (result != LEAT_CODEC_OK)
        return result;
    memcpy(job->out->data + job->out->len, beside, r->made);
    job->out->len += r->made;
    return LEAT_CODEC_OK;
}

enum leat_codec_result leat_codec_run(struct leat_codec_in *job, void *context,
                                      leat_codec_step_fn *step, leat_codec_next_fn *next,
                                      uint64_t hint)
{
    struct run r = {.job = job, .context = context, .step = step, .in = job->in};

    job->out = leat_buf_new(job->budget, first_room(job, hint));
    if (job->out == NULL)
        return leat_codec_no_memory(job->err, job->codec);
    for (;;) {
        size_t before = r.in.len;
        enum leat_codec_step step_result = LEAT_STEP_MORE;
        enum leat_codec_result result = step_once(&r, &step_result);
        if (result != LEAT_CODEC_OK)
            return result;
        if (step_result == LEAT_STEP_BAD)
            return LEAT_CODEC_BAD;
        if (step_result == LEAT_STEP_END) {
            if (r.in.len == 0)
                return LEAT_CODEC_OK;
            if (!next(context, r.in))
                return leat_codec_bad(job->err, job->codec, "other bytes follow its end");
        } else if (r.made == 0 && r.in.len == before) {
            return leat_codec_bad(job->err, job->codec, "it is cut off");
        }
    }
}

static enum leat_codec_result copy_in(struct leat_codec_in *job)
{
    if (job->in.len > job->max) {
        leat_fail(job->err, "the body is larger than %zu bytes", job->max);
        return LEAT_CODEC_TOO_LARGE;
    }
    job->out = leat_buf_new(job->budget, job->in.len);
    if (job->out == NULL)
        return leat_codec_no_memory(job->err, job->codec);
    if (job->in.len > 0)
        memcpy(job->out->data, job->in.data, job->in.len);
    job->out->len = job->in.len;
    return LEAT_CODEC_OK;
}

/* Hands the output over with no room to spare, or throws it away. */
static enum leat_codec_result finish(enum leat_codec_result result, struct leat_buf *out,
                                     struct leat_buf **ret, enum leat_codec c, struct leat_err *err)
{
    *ret = NULL;
    if (result == LEAT_CODEC_OK && out->cap != out->len && leat_buf_resize(&out, out->len) < 0)
        result = leat_codec_no_memory(err, c);
    if (result == LEAT_CODEC_OK)
        *ret = out;
    else
        leat_buf_unref(out);
    return result;
}

static enum leat_codec_result not_built(enum leat_codec c, struct leat_err *err)
{
    leat_fail(err, "this program was built without %s", codecs[c].name);
    return LEAT_CODEC_BAD;
}

enum leat_codec_result leat_inflate(struct leat_codecs *cs, enum leat_codec c, struct leat_bytes in,
                                    size_t max, struct leat_budget *budget, struct leat_buf **ret,
                                    struct leat_err *err)
{
    struct leat_codec_in job = {cs, c, in, max, budget, NULL, err};
    enum leat_codec_result result;

    *ret = NULL;
    if (in.data == NULL)
        job.in.data = (const uint8_t *)""; /* so that codecs may compute with it */
    if (!leat_codec_built(c))
        return not_built(c, err);
    result = c == LEAT_CODEC_NONE ? copy_in(&job) : codecs[c].ops->inflate(&job);
    return finish(result, job.out, ret, c, err);
}

/* --- out */

/* Room for the worst case is several times what most bodies need: cutting a buffer of its own to
 * size would leave a hole behind each. */
static bool work_room(struct leat_codec_out *job, size_t cap)
{
    struct leat_codecs *cs = job->cs;

    if (cap > WORK_MAX)
        return false;
    if (cs->work == NULL || cs->work->cap < cap) {
        leat_buf_unref(cs->work);
        cs->work = leat_buf_new(NULL, cap);
    }
    if (cs->work == NULL)
        return false;
    cs->work->len = 0;
    job->out = cs->work;
    return true;
}

/* What lies in the work room, in a buffer of its size. */
static enum leat_codec_result take_out(const struct leat_codec_out *job, struct leat_buf **ret)
{
    struct leat_buf *out = leat_buf_new(job->budget, job->out->len);

    if (out == NULL)
        return leat_codec_no_memory(job->err, job->codec);
    memcpy(out->data, job->out->data, job->out->len);
    out->len = job->out->len;
    *ret = out;
    return LEAT_CODEC_OK;
}

enum leat_codec_result leat_codec_make_out(struct leat_codec_out *job, size_t cap)
{
    if (work_room(job, cap))
        return LEAT_CODEC_OK;
    job->out = leat_buf_new(job->budget, cap);
    return job->out != NULL ? LEAT_CODEC_OK : leat_codec_no_memory(job->err, job->codec);
}

enum leat_codec_result leat_codec_piece_room(struct leat_codec_out *job)
{
    if (job->cs->piece == NULL)
        job->cs->piece = leat_try(LEAT_CODEC_PIECE);
    return job->cs->piece != NULL ? LEAT_CODEC_OK : leat_codec_no_memory(job->err, job->codec);
}

bool leat_codec_next_piece(struct leat_codec_pieces *p, struct leat_bytes *ret)
{
    size_t filled = 0;

    while (p->part < p->job->n && filled < LEAT_CODEC_PIECE) {
        struct leat_bytes part = p->job->parts[p->part];
        size_t left = part.len - p->offset, room = LEAT_CODEC_PIECE - filled;
        size_t take = left < room ? left : room;
        if (filled == 0 && (left >= LEAT_CODEC_PIECE || (left > 0 && p->part + 1 == p->job->n))) {
            *ret = leat_bytes(part.data + p->offset, take);
            p->offset += take;
            return true;
        }
        if (take > 0)
            memcpy(p->job->cs->piece + filled, part.data + p->offset, take);
        filled += take;
        p->offset += take;
        if (p->offset == part.len) {
            p->part++;
            p->offset = 0;
        }
    }
    *ret = leat_bytes(p->job->cs->piece, filled);
    return filled > 0;
}

static enum leat_codec_result copy_out(struct leat_codec_out *job)
{
    job->out = leat_buf_new(job->budget, job->total);
    if (job->out == NULL)
        return leat_codec_no_memory(job->err, job->codec);
    for (size_t i = 0; i < job->n; i++) {
        if (job->parts[i].len > 0)
            memcpy(job->out->data + job->out->len, job->parts[i].data, job->parts[i].len);
        job->out->len += job->parts[i].len;
    }
    return LEAT_CODEC_OK;
}

enum leat_codec_result leat_deflate(struct leat_codecs *cs, enum leat_codec c, int level,
                                    const struct leat_bytes *parts, size_t n,
                                    struct leat_budget *budget, struct leat_buf **ret,
                                    struct leat_err *err)
{
    struct leat_codec_out job = {cs, c, level, parts, n, 0, budget, NULL, err};
    enum leat_codec_result result;

    *ret = NULL;
    if (!leat_codec_built(c))
        return not_built(c, err);
    if (c != LEAT_CODEC_NONE && leat_codec_level_check(c, level, err) < 0)
        return LEAT_CODEC_BAD;
    for (size_t i = 0; i < n; i++) {
        LEAT_CHECK(parts[i].len <= SIZE_MAX / 2 - job.total);
        job.total += parts[i].len;
    }
    result = c == LEAT_CODEC_NONE ? copy_out(&job) : codecs[c].ops->deflate(&job);
    if (job.out != NULL && job.out == cs->work)
        return result == LEAT_CODEC_OK ? take_out(&job, ret) : result;
    return finish(result, job.out, ret, c, err);
}
