/* gzip piece by piece, by zlib. */
#include "io/gzip_stream.h"

#include <limits.h>
#include <zlib.h>

#include "base/mem.h"
#include "base/text.h"

/* 8 KiB of window: what a page of metrics repeats is near. 48 KiB of memory in all. */
#define LEVEL       1
#define WINDOW_BITS (13 + 16) /* zlib's way to say gzip */
#define MEM_LEVEL   6
#define OUT_ROOM    ((size_t)16 * 1024)

struct leat_gzip_stream {
    z_stream z;
};

static voidpf take(voidpf opaque, uInt items, uInt size)
{
    (void)opaque;
    return leat_try_zeroed((size_t)items * size);
}

static void give(voidpf opaque, voidpf memory)
{
    (void)opaque;
    leat_free(memory);
}

struct leat_gzip_stream *leat_gzip_stream_new(void)
{
    struct leat_gzip_stream *g = leat_try_zeroed(sizeof *g);

    if (g == NULL)
        return NULL;
    g->z.zalloc = take;
    g->z.zfree = give;
    if (deflateInit2(&g->z, LEVEL, Z_DEFLATED, WINDOW_BITS, MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK)
        return g;
    leat_free(g);
    return NULL;
}

void leat_gzip_stream_free(struct leat_gzip_stream *g)
{
    if (g == NULL)
        return;
    deflateEnd(&g->z);
    leat_free(g);
}

void leat_gzip_stream_add(struct leat_gzip_stream *g, struct leat_bytes in, bool last,
                          struct leat_text *out)
{
    int rc = Z_OK;

    if (in.len > UINT_MAX) {
        out->failed = true;
        return;
    }
    g->z.next_in = (Bytef *)(uintptr_t)in.data;
    g->z.avail_in = (uInt)in.len;
    do {
        if (!leat_text_reserve(out, OUT_ROOM))
            return;
        g->z.next_out = (Bytef *)out->data + out->len;
        g->z.avail_out = (uInt)OUT_ROOM;
        rc = deflate(&g->z, last ? Z_FINISH : Z_NO_FLUSH);
        out->len += OUT_ROOM - g->z.avail_out;
        out->data[out->len] = '\0';
    } while (g->z.avail_out == 0 && rc == Z_OK);
    if (g->z.avail_in != 0 || (last && rc != Z_STREAM_END))
        out->failed = true;
}
