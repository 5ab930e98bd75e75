/* The large blocks of an HTTP/2 session: found, given back, and usable again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/h2_memory.h"

static struct leat_h2_memory memory;
static nghttp2_session *session;
static uint8_t out[65536];
static size_t out_len;

static ssize_t on_send(nghttp2_session *s, const uint8_t *data, size_t len, int flags, void *user)
{
    (void)s;
    (void)flags;
    (void)user;
    assert_true(len <= sizeof out - out_len);
    memcpy(out + out_len, data, len);
    out_len += len;
    return (ssize_t)len;
}

static int setup(void **state)
{
    nghttp2_session_callbacks *cbs;

    (void)state;
    assert_int_equal(nghttp2_session_callbacks_new(&cbs), 0);
    nghttp2_session_callbacks_set_send_callback(cbs, on_send);
    assert_int_equal(
        nghttp2_session_server_new3(&session, cbs, NULL, NULL, leat_h2_memory_init(&memory)), 0);
    leat_h2_memory_made(&memory);
    nghttp2_session_callbacks_del(cbs);
    out_len = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    nghttp2_session_del(session);
    assert_null(memory.frames);
    assert_null(memory.table);
    return 0;
}

/* Pages of the block that are in memory. */
static size_t resident(void *block, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (size + page - 1) / page, found = 0;
    unsigned char pages[64];

    assert_true(n <= sizeof pages);
    assert_int_equal(mincore(block, n * page, pages), 0);
    for (size_t i = 0; i < n; i++)
        found += pages[i] & 1;
    return found;
}

static void send_all(void)
{
    assert_int_equal(nghttp2_session_send(session), 0);
    assert_false(nghttp2_session_want_write(session));
}

/* The client's preface, and a PING that is to be answered. */
static void be_asked(void)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    static const uint8_t ping[17] = {0, 0, 8, 6, 0, 0, 0, 0, 0, 'p', 'i', 'n', 'g', 'p', 'o', 'n'};

    assert_int_equal(nghttp2_session_mem_recv(session, (const uint8_t *)preface, 33), 33);
    assert_int_equal(nghttp2_session_mem_recv(session, ping, sizeof ping), sizeof ping);
}

static void large_blocks_rest(void **state)
{
    (void)state;
    assert_non_null(memory.frames);
    assert_non_null(memory.table);
    nghttp2_submit_settings(session, 0, NULL, 0);
    send_all();
    assert_true(resident(memory.frames, memory.frames_size) > 0);
    assert_true(resident(memory.table, memory.table_size) > 0);
    leat_h2_memory_rest(&memory);
    assert_int_equal(resident(memory.frames, memory.frames_size), 0);
    assert_int_equal(resident(memory.table, memory.table_size), 0);
    be_asked();
    out_len = 0;
    send_all();
    assert_int_equal(out_len, 9 + 17); /* the acknowledgements of SETTINGS and PING */
    assert_memory_equal(out + 18, "pingpon", 7);
    leat_h2_memory_rest(&memory);
    assert_int_equal(resident(memory.frames, memory.frames_size), 0);
}

static void what_is_in_use_stays(void **state)
{
    uint8_t *table = memory.table;

    (void)state;
    table[memory.table_size - 1] = 1;
    leat_h2_memory_rest(&memory);
    assert_int_equal(table[memory.table_size - 1], 1);
    table[memory.table_size - 1] = 0;
    leat_h2_memory_rest(&memory);
    assert_int_equal(resident(table, memory.table_size), 0);
}

/* A table that grew is the one that counts, and one that is gone is forgotten. */
static void follows_its_blocks(void **state)
{
    nghttp2_mem *mem = &memory.mem;
    void *first = memory.table, *frames = memory.frames;
    uint8_t *larger = mem->calloc(2, 4096, &memory), *other;

    (void)state;
    assert_ptr_equal(memory.table, larger);
    for (size_t i = 0; i < 8192; i++)
        assert_int_equal(larger[i], 0);
    mem->free(larger, &memory);
    assert_null(memory.table);
    memory.table = first;
    memory.table_size = 4096;
    other = mem->realloc(NULL, 20000, &memory); /* not the buffer: the session is made */
    assert_ptr_equal(memory.frames, frames);
    other = mem->realloc(other, 30000, &memory);
    mem->free(other, &memory);
    assert_null(mem->calloc(SIZE_MAX / 2, 4, &memory));
    leat_mem_fail_at(1);
    assert_null(mem->calloc(1, 4096, &memory));
    assert_ptr_equal(memory.table, first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(large_blocks_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_in_use_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(follows_its_blocks, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
