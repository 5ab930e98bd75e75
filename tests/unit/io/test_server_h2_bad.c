/* HTTP/2 as an attacker speaks it: raw frames on a raw socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/clock.h"
#include "io/grpc.h"
#include "lib/io_h2_peer.h"

static struct io_served s;
static struct io_h2_peer p;
static bool p_open;

static int setup(void **state)
{
    (void)state;
    io_served_init(&s);
    p_open = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (p_open)
        io_h2_done(&p);
    io_served_done(&s);
    return 0;
}

static struct io_h2_answer *until_closed(struct io_h2_answer *a)
{
    IO_H2_UNTIL(&s, &p, a->closed || p.raw.closed);
    assert_true(a->closed);
    return a;
}

#define MESSAGE "\0\0\0\0\5hello"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define FRAMES  2000

static void frame(struct leat_text *t, size_t len, int type, int flags, uint32_t stream,
                  const void *payload)
{
    uint8_t h[9] = {(uint8_t)(len >> 16),    (uint8_t)(len >> 8),    (uint8_t)len,
                    (uint8_t)type,           (uint8_t)flags,         (uint8_t)(stream >> 24),
                    (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};

    leat_text_add(t, h, sizeof h);
    leat_text_add(t, payload, len);
}

/* :method POST, :scheme http, :path /, with a literal path "/test.Service/Export" and
 * content-type application/grpc. */
static const char request_block[] = "\x83\x86\x04\x14/test.Service/Export\x41\x01x\x5f\x10"
                                    "application/grpc";
#define BLOCK_LEN (sizeof request_block - 1)

enum flood {
    PINGS,
    PING_ACKS,
    SETTINGS,
    PRIORITIES,
    UPDATES,
    EMPTY_DATA,
    PADDED_DATA,
    RAPID_RESET,
    CONTINUATIONS,
    UNKNOWN,
    OVERFLOWING_UPDATES,
    ZERO_UPDATES,
    BAD_PRIORITY_LENGTH,
    DATA_AFTER_END,
    HEADERS_AFTER_END,
    HPACK_BOMB,
    REFUSED_STREAMS,
    BAD_HEADERS,
    UNHEARD_DATA,
    FLOODS,
};

static void one(struct leat_text *t, enum flood kind, uint32_t i)
{
    static const uint8_t zeros[64];
    uint32_t stream = 2 * i + 3;

    switch (kind) {
    case PINGS:
        frame(t, 8, 6, 0, 0, zeros);
        break;
    case PING_ACKS:
        frame(t, 8, 6, 1, 0, zeros);
        break;
    case SETTINGS:
        frame(t, 0, 4, 0, 0, NULL);
        break;
    case PRIORITIES:
        frame(t, 5, 2, 0, stream, "\0\0\0\0\x10");
        break;
    case UPDATES:
        frame(t, 4, 8, 0, 0, "\0\0\0\1");
        break;
    case EMPTY_DATA:
        frame(t, 0, 0, 0, 1, NULL);
        break;
    case PADDED_DATA:
        frame(t, 11, 0, 8, 1, "\n\0\0\0\0\0\0\0\0\0\0");
        break;
    case RAPID_RESET:
        frame(t, BLOCK_LEN, 1, 4, stream, request_block);
        frame(t, 4, 3, 0, stream, "\0\0\0\10");
        break;
    case CONTINUATIONS:
        if (i == 0)
            frame(t, BLOCK_LEN, 1, 0, stream, request_block);
        else
            frame(t, 0, 9, 0, 3, NULL);
        break;
    case UNKNOWN:
        frame(t, 4, 77, 0, 0, zeros);
        break;
    case OVERFLOWING_UPDATES:
        frame(t, BLOCK_LEN, 1, 4, stream, request_block);
        frame(t, 4, 8, 0, stream, "\x7f\xff\xff\xff");
        break;
    case ZERO_UPDATES:
        frame(t, BLOCK_LEN, 1, 4, stream, request_block);
        frame(t, 4, 8, 0, stream, zeros);
        break;
    case BAD_PRIORITY_LENGTH:
        frame(t, BLOCK_LEN, 1, 4, stream, request_block);
        frame(t, 4, 2, 0, stream, zeros);
        break;
    case DATA_AFTER_END:
        frame(t, BLOCK_LEN, 1, 5, stream, request_block);
        frame(t, 5, 0, 0, stream, zeros);
        break;
    case HEADERS_AFTER_END:
        frame(t, BLOCK_LEN, 1, 5, stream, request_block);
        frame(t, BLOCK_LEN, 1, 5, stream, request_block);
        break;
    case HPACK_BOMB: {
        char block[8000];
        int n = 0;

        memcpy(block, request_block, BLOCK_LEN);
        n = (int)BLOCK_LEN;
        if (i == 0) { /* 4000 bytes into the dynamic table, */
            n += sprintf(block + n, "\x40\x02xx\x7f\xa1\x1e");
            memset(block + n, 'v', 4000);
            n += 4000;
        }
        memset(block + n, 0xbe, 3000); /* then 3000 times by one byte each */
        frame(t, (size_t)n + 3000, 1, 5, stream, block);
        break;
    }
    case REFUSED_STREAMS:
        frame(t, BLOCK_LEN, 1, 4, stream, request_block);
        break;
    case BAD_HEADERS:
        frame(t, 12, 1, 5, stream, "\x83\x86\x84\x00\x01X\x01y\0\0\0\0");
        break;
    case UNHEARD_DATA: /* for a stream that is reset */
        if (i == 0) {
            frame(t, BLOCK_LEN, 1, 4, stream, request_block);
            frame(t, 4, 3, 0, stream, "\0\0\0\10");
        } else {
            frame(t, 64, 0, 1, 3, zeros);
        }
        break;
    case FLOODS:
        break;
    }
}

static void floods_end_the_connection(void **state)
{
    (void)state;
    s.hold = false;
    s.conf.max_concurrent_streams = 50;
    io_served_start(&s);
    for (int kind = 0; kind < FLOODS; kind++) {
        struct leat_text t;
        struct io_raw raw;
        uint32_t sent = 0;

        leat_text_init(&t, 1 << 20);
        io_raw_open(&raw, leat_server_port(s.server));
        leat_text_add(&t, PREFACE, 24);
        frame(&t, 0, 4, 0, 0, NULL);
        frame(&t, BLOCK_LEN, 1, 4, 1, request_block);
        io_raw_send_all(&raw, s.loop, t.data, t.len);
        for (; sent < FRAMES && !raw.closed; sent++) {
            leat_text_clear(&t);
            one(&t, (enum flood)kind, sent);
            io_raw_send_all(&raw, s.loop, t.data, t.len);
        }
        for (int i = 0; i < 100 && !raw.closed; i++) {
            leat_loop_turn(s.loop);
            io_raw_poll(&raw);
        }
        print_message("flood %d: closed after %u\n", kind, sent);
        assert_true(raw.closed);
        leat_text_done(&t);
        io_raw_done(&raw);
    }
    assert_int_equal(leat_budget_used(&s.budget), 0);
    io_h2_open(&p, leat_server_port(s.server)); /* others are served all the while */
    p_open = true;
    assert_int_equal(until_closed(io_h2_grpc(&p, NULL, MESSAGE, 10))->grpc_status, 0);
}

/* A client may have sent the rest of a request that was refused meanwhile: that is no attack. */
static void refused_requests_are_no_flood(void **state)
{
    static const char block[] = "\x83\x86\x04\x08/nowhere\x41\x01x\x5f\x10"
                                "application/grpc";
    struct leat_text t;
    struct io_raw raw;

    (void)state;
    io_served_start(&s);
    leat_text_init(&t, 1 << 20);
    io_raw_open(&raw, leat_server_port(s.server));
    leat_text_add(&t, PREFACE, 24);
    frame(&t, 0, 4, 0, 0, NULL);
    frame(&t, 0, 4, 1, 0, NULL);
    io_raw_send_all(&raw, s.loop, t.data, t.len);
    for (uint32_t i = 0; i < FRAMES; i++) {
        leat_text_clear(&t);
        frame(&t, sizeof block - 1, 1, 4, 2 * i + 1, block);
        io_raw_send_all(&raw, s.loop, t.data, t.len);
        io_raw_poll(&raw); /* the refusal is out before the rest comes */
        leat_text_clear(&t);
        frame(&t, 10, 0, 1, 2 * i + 1, MESSAGE);
        io_raw_send_all(&raw, s.loop, t.data, t.len);
        io_raw_poll(&raw);
    }
    assert_false(raw.closed);
    leat_text_done(&t);
    io_raw_done(&raw);
}

static void endless_headers_are_ended(void **state)
{
    struct leat_text t;
    struct io_raw raw;

    (void)state;
    s.conf.read_header_timeout = 40 * LEAT_MS;
    io_served_start(&s);
    io_raw_open(&raw, leat_server_port(s.server));
    leat_text_init(&t, 1 << 20);
    leat_text_add(&t, PREFACE, 24);
    frame(&t, 0, 4, 0, 0, NULL);
    frame(&t, BLOCK_LEN, 1, 0, 1, request_block);
    io_raw_send_all(&raw, s.loop, t.data, t.len);
    IO_RAW_UNTIL(&s, &raw, raw.closed);
    assert_true(io_raw_has(&raw, "request headers that do not end"));
    leat_text_done(&t);
    io_raw_done(&raw);
}

static void garbage_after_the_preface(void **state)
{
    struct io_raw raw;
    char junk[400];

    (void)state;
    io_served_start(&s);
    memset(junk, 0xff, sizeof junk);
    io_raw_open(&raw, leat_server_port(s.server));
    io_raw_send_all(&raw, s.loop, PREFACE, 24);
    io_raw_send_all(&raw, s.loop, junk, sizeof junk);
    IO_RAW_UNTIL(&s, &raw, raw.closed);
    io_raw_done(&raw);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(floods_end_the_connection),
        T(refused_requests_are_no_flood),
        T(endless_headers_are_ended),
        T(garbage_after_the_preface),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
