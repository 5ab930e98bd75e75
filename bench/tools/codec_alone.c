/* What the codec calls alone cost: codec_alone gzip|zstd PLAIN PACKED SECONDS.
 *
 * Inflates PACKED and deflates PLAIN by the libraries themselves, contexts and buffers reused, at
 * the levels the program uses by default. Prints CPU nanoseconds of a round and the size as JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>
#include <zstd.h>
#ifdef LEAT_HAVE_ISAL
#include <isa-l/igzip_lib.h>
#endif

#include "net.h"

#define ZSTD_LEVEL 1
#define ROOM       ((size_t)16 << 20)

static int64_t cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint8_t *to;

/* zlib's level 1: also the size that outputs are compared with. */
static size_t zlib_out(uint8_t *data, size_t len)
{
    static z_stream z;

    if ((z.state == NULL ? deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY)
                         : deflateReset(&z)) != Z_OK)
        net_die("zlib failed");
    z.next_in = data;
    z.avail_in = (unsigned)len;
    z.next_out = to;
    z.avail_out = (unsigned)ROOM;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        net_die("zlib failed");
    return z.total_out;
}

#ifdef LEAT_HAVE_ISAL
static size_t gzip_in(uint8_t *data, size_t len)
{
    static struct inflate_state s;

    isal_inflate_init(&s);
    s.crc_flag = ISAL_GZIP;
    s.next_in = data;
    s.avail_in = (uint32_t)len;
    s.next_out = to;
    s.avail_out = (uint32_t)ROOM;
    if (isal_inflate_stateless(&s) != ISAL_DECOMP_OK)
        net_die("isal_inflate failed");
    return s.total_out;
}

static size_t gzip_out(uint8_t *data, size_t len)
{
    static struct isal_zstream s;
    static uint8_t level[ISAL_DEF_LVL1_DEFAULT];

    isal_deflate_init(&s);
    s.level = 1;
    s.level_buf = level;
    s.level_buf_size = sizeof level;
    s.gzip_flag = IGZIP_GZIP;
    s.end_of_stream = 1;
    s.next_in = data;
    s.avail_in = (uint32_t)len;
    s.next_out = to;
    s.avail_out = (uint32_t)ROOM;
    if (isal_deflate(&s) != COMP_OK)
        net_die("isal_deflate failed");
    return s.total_out;
}
#else
static size_t gzip_in(uint8_t *data, size_t len)
{
    static z_stream z;

    if ((z.state == NULL ? inflateInit2(&z, 31) : inflateReset(&z)) != Z_OK)
        net_die("zlib failed");
    z.next_in = data;
    z.avail_in = (unsigned)len;
    z.next_out = to;
    z.avail_out = (unsigned)ROOM;
    if (inflate(&z, Z_FINISH) != Z_STREAM_END)
        net_die("zlib failed");
    return z.total_out;
}

static size_t gzip_out(uint8_t *data, size_t len)
{
    return zlib_out(data, len);
}
#endif

static size_t zstd_in(uint8_t *data, size_t len)
{
    static ZSTD_DCtx *d;
    size_t n;

    if (d == NULL)
        d = ZSTD_createDCtx();
    n = ZSTD_decompressDCtx(d, to, ROOM, data, len);
    if (ZSTD_isError(n))
        net_die("zstd failed");
    return n;
}

static size_t zstd_out(uint8_t *data, size_t len)
{
    static ZSTD_CCtx *c;
    size_t n;

    if (c == NULL)
        c = ZSTD_createCCtx();
    n = ZSTD_compressCCtx(c, to, ROOM, data, len, ZSTD_LEVEL);
    if (ZSTD_isError(n))
        net_die("zstd failed");
    return n;
}

int main(int argc, char **argv)
{
    size_t plain_len, packed_len, out = 0, rounds = 0;
    int64_t begin, in_ns = 0, out_ns = 0, t;
    uint8_t *plain, *packed;
    bool zstd;

    net_tool = "codec_alone";
    if (argc != 5)
        net_die("usage: codec_alone gzip|zstd PLAIN PACKED SECONDS");
    zstd = strcmp(argv[1], "zstd") == 0;
    plain = net_file(argv[2], &plain_len);
    packed = net_file(argv[3], &packed_len);
    to = malloc(ROOM);
    if (to == NULL)
        net_die("no memory");
    memset(to, 1, plain_len * 2 + 4096 < ROOM ? plain_len * 2 + 4096 : ROOM);
    for (begin = cpu_now(); cpu_now() - begin < (int64_t)(net_number(argv[4]) * 1e9); rounds++) {
        t = cpu_now();
        if ((zstd ? zstd_in : gzip_in)(packed, packed_len) != plain_len)
            net_die("%s is not %s packed", argv[3], argv[2]);
        in_ns += cpu_now() - t;
        t = cpu_now();
        out = (zstd ? zstd_out : gzip_out)(plain, plain_len);
        out_ns += cpu_now() - t;
    }
    printf("{\"rounds\": %zu, \"in_ns\": %lld, \"out_ns\": %lld, \"out_bytes\": %zu, "
           "\"zlib1_bytes\": %zu}\n",
           rounds, (long long)(in_ns / (int64_t)rounds), (long long)(out_ns / (int64_t)rounds), out,
           zlib_out(plain, plain_len));
    return 0;
}
