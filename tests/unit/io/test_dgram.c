/* Datagrams: addresses, sources, batches, drops counted exactly, Unix sockets, the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "io/dgram.h"
#include "lib/io_loopback.h"

struct world {
    struct leat_loop *loop;
    struct leat_dgram *d;
    struct leat_text in; /* the packets, each followed by '\n' */
    size_t packets, calls, most, truncated, longest;
    uint64_t dropped;
    uint8_t from[16];
    size_t from_len;
};

static void on_packets(void *self, const struct leat_packet *p, size_t n)
{
    struct world *w = self;

    assert_in_range(n, 1, LEAT_DGRAM_BATCH);
    w->calls++;
    w->packets += n;
    w->most = n > w->most ? n : w->most;
    for (size_t i = 0; i < n; i++) {
        w->truncated += p[i].truncated;
        w->longest = p[i].data.len > w->longest ? p[i].data.len : w->longest;
        w->from_len = p[i].from.len;
        memcpy(w->from, p[i].from.len ? p[i].from.data : w->from, p[i].from.len);
        if (p[i].data.len > 100)
            continue;
        leat_text_add(&w->in, p[i].data.data, p[i].data.len);
        leat_text_char(&w->in, '\n');
    }
}

static void on_dropped(void *self, size_t nth, uint64_t n)
{
    struct world *w = self;

    assert_true(nth < leat_dgram_addresses(w->d));
    w->dropped += n;
}

static const struct leat_dgram_events events = {on_packets, on_dropped};

static void open_world(struct world *w, const struct leat_dgram_conf *conf)
{
    struct leat_err err = {""};

    *w = (struct world){.loop = leat_loop_new(NULL)};
    leat_text_init(&w->in, 1 << 20);
    w->d = leat_dgram_open(w->loop, conf, &events, w, &err);
    if (w->d == NULL)
        fail_msg("%s", err.text);
}

static void close_world(struct world *w)
{
    leat_dgram_free(w->d);
    leat_loop_free(w->loop);
    leat_text_done(&w->in);
}

static int sender4(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int sender6(uint16_t port)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    to.sin6_addr = in6addr_loopback;
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static bool have_ipv6(void)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool have;

    at.sin6_addr = in6addr_loopback;
    have = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
    if (fd >= 0)
        close(fd);
    return have;
}

static void put(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

static void takes_both_families_and_tells_the_sender(void **state)
{
    static const uint8_t loopback6[16] = {[15] = 1}, loopback4[4] = {127, 0, 0, 1};
    struct leat_dgram_conf conf = {.endpoint = "localhost:0", .sources = true};
    struct world w;
    int fd;

    (void)state;
    open_world(&w, &conf);
    fd = sender4(leat_dgram_port(w.d));
    put(fd, "four");
    IO_UNTIL(w.loop, w.packets == 1);
    assert_int_equal(w.from_len, 4);
    assert_memory_equal(w.from, loopback4, 4);
    close(fd);
    if (have_ipv6()) {
        assert_int_equal(leat_dgram_addresses(w.d), 2);
        fd = sender6(leat_dgram_port(w.d));
        put(fd, "six");
        IO_UNTIL(w.loop, w.packets == 2);
        assert_int_equal(w.from_len, 16);
        assert_memory_equal(w.from, loopback6, 16);
        assert_string_equal(leat_text_get(&w.in), "four\nsix\n");
        close(fd);
    }
    close_world(&w);
}

/* The "any" address is one socket for both families: IPv4 comes mapped, and is told unmapped. */
static void mapped_addresses_are_told_as_ipv4(void **state)
{
    static const uint8_t loopback4[4] = {127, 0, 0, 1};
    struct leat_dgram_conf conf = {.endpoint = ":0", .sources = true};
    struct world w;
    int fd;

    (void)state;
    open_world(&w, &conf);
    fd = sender4(leat_dgram_port(w.d));
    put(fd, "x");
    IO_UNTIL(w.loop, w.packets == 1);
    assert_int_equal(w.from_len, 4);
    assert_memory_equal(w.from, loopback4, 4);
    close(fd);
    close_world(&w);
}

static void one_family_is_one_family(void **state)
{
    struct leat_dgram_conf conf = {.endpoint = "localhost:0", .family = AF_INET};
    struct world w;
    int fd;

    (void)state;
    open_world(&w, &conf);
    assert_int_equal(leat_dgram_addresses(w.d), 1);
    assert_memory_equal(leat_dgram_text(w.d), "127.0.0.1:", 10);
    fd = sender4(leat_dgram_port(w.d));
    put(fd, "x");
    IO_UNTIL(w.loop, w.packets == 1);
    assert_int_equal(w.from_len, 0); /* nobody asked */
    close(fd);
    close_world(&w);
    if (!have_ipv6())
        return;
    conf.family = AF_INET6;
    for (int any = 0; any < 2; any++) {
        conf.endpoint = any ? ":0" : "localhost:0";
        open_world(&w, &conf);
        assert_int_equal(leat_dgram_addresses(w.d), 1);
        assert_memory_equal(leat_dgram_text(w.d), any ? "[::]:" : "[::1]:", any ? 5 : 6);
        fd = sender4(leat_dgram_port(w.d)); /* nobody is there */
        put(fd, "lost");
        assert_int_equal(send(fd, "x", 1, 0), -1);
        assert_int_equal(errno, ECONNREFUSED);
        close(fd);
        close_world(&w);
    }
}

/* Thousands arrive in full batches, the loop turning all the while. */
static void a_stream_of_packets_comes_in_batches(void **state)
{
    struct leat_dgram_conf conf = {.endpoint = "127.0.0.1:0", .sources = true};
    struct world w;
    int fd;

    (void)state;
    open_world(&w, &conf);
    fd = sender4(leat_dgram_port(w.d));
    for (size_t sent = 0; sent < 20000; sent++) {
        put(fd, "a:1|c");
        if (sent % 200 == 199)
            leat_loop_turn(w.loop);
    }
    IO_UNTIL(w.loop, w.packets + w.dropped == 20000);
    leat_dgram_ask(w.d);
    assert_int_equal(w.packets + w.dropped, 20000);
    assert_int_equal(w.most, LEAT_DGRAM_BATCH);
    close(fd);
    close_world(&w);
}

/* After a flood the socket wakes the loop again for a single packet. */
static void after_a_flood_it_waits_again(void **state)
{
    struct leat_dgram_conf conf = {.endpoint = "127.0.0.1:0"};
    struct world w;
    int fd;

    (void)state;
    open_world(&w, &conf);
    fd = sender4(leat_dgram_port(w.d));
    for (int round = 0; round < 3; round++) {
        size_t before = w.packets;

        for (int i = 0; i < 200; i++)
            put(fd, "x");
        IO_UNTIL(w.loop, w.packets == before + 200);
        for (int i = 0; i < 5; i++) {
            for (int turn = 0; turn < 1000; turn++) /* it may have become quiet by then, or not */
                leat_loop_turn(w.loop);
            put(fd, "y");
            IO_UNTIL(w.loop, w.packets == before + 201 + (size_t)i);
        }
    }
    close(fd);
    close_world(&w);
}

/* The loop stands still while a small buffer is flooded: every packet is received or counted. */
static void received_and_dropped_are_sent(void **state)
{
    struct leat_dgram_conf conf = {.endpoint = "localhost:0", .buffer = 8192};
    struct world w;
    uint64_t sent = 0;
    int fd4, fd6;

    (void)state;
    open_world(&w, &conf);
    fd4 = sender4(leat_dgram_port(w.d));
    fd6 = have_ipv6() ? sender6(leat_dgram_port(w.d)) : sender4(leat_dgram_port(w.d));
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 2000; i++) {
            put(fd4, "flood:1|c");
            put(fd6, "flood:1|c");
            sent += 2;
        }
        leat_loop_turn(w.loop);
    }
    leat_dgram_finish(w.d);
    assert_true(w.packets > 0);
    assert_true(w.dropped > 10000);
    assert_int_equal(w.packets + w.dropped, sent);
    close(fd4);
    close(fd6);
    close_world(&w);
}

/* Drops are found without asking, some time after packets came. */
static void drops_are_told_by_themselves(void **state)
{
    struct leat_dgram_conf conf = {.endpoint = "127.0.0.1:0", .buffer = 4096};
    struct world w;
    int fd;

    (void)state;
    open_world(&w, &conf);
    fd = sender4(leat_dgram_port(w.d));
    for (int i = 0; i < 100; i++)
        put(fd, "x");
    IO_UNTIL(w.loop, w.packets + w.dropped == 100);
    assert_true(w.dropped > 0);
    close(fd);
    close_world(&w);
}

/* What was there at the end is handed over, what comes afterwards counts as dropped. */
static void at_the_end_nothing_is_lost_unseen(void **state)
{
    struct leat_dgram_conf conf = {.endpoint = "127.0.0.1:0"};
    struct world w;
    int fd;

    (void)state;
    open_world(&w, &conf);
    fd = sender4(leat_dgram_port(w.d));
    for (int i = 0; i < 500; i++)
        put(fd, "x");
    leat_dgram_finish(w.d);
    assert_int_equal(w.packets, 500);
    for (int i = 0; i < 30; i++)
        put(fd, "late");
    leat_loop_turn(w.loop);
    leat_dgram_ask(w.d);
    assert_int_equal(w.packets, 500);
    assert_int_equal(w.dropped, 30);
    leat_dgram_finish(w.d); /* again does nothing */
    close(fd);
    close_world(&w);
}

static void empty_and_largest_packets(void **state)
{
    struct leat_dgram_conf conf = {.endpoint = "127.0.0.1:0"};
    char *large = calloc(1, 65507);
    struct world w;
    int fd;

    (void)state;
    open_world(&w, &conf);
    fd = sender4(leat_dgram_port(w.d));
    assert_int_equal(send(fd, "", 0, 0), 0);
    IO_UNTIL(w.loop, w.packets == 1);
    assert_string_equal(leat_text_get(&w.in), "\n");
    for (int i = 0; i < 40; i++)
        assert_int_equal(send(fd, large, 65507, 0), 65507);
    IO_UNTIL(w.loop, w.packets == 41);
    assert_int_equal(w.longest, 65507);
    assert_int_equal(w.truncated, 0);
    close(fd);
    close_world(&w);
    free(large);
}

static void workers_share_a_port(void **state)
{
    struct leat_dgram_conf conf = {.endpoint = "localhost:0", .share = "statsd"};
    struct leat_err err = {""};
    struct world a;
    struct leat_dgram *b, *c;
    char endpoint[64];
    int fds[32];

    (void)state;
    open_world(&a, &conf);
    b = leat_dgram_open(a.loop, &conf, &events, &a, &err);
    assert_non_null(b);
    assert_int_equal(leat_dgram_port(a.d), leat_dgram_port(b));
    for (int i = 0; i < 32; i++) {
        fds[i] = sender4(leat_dgram_port(b));
        put(fds[i], "x");
    }
    IO_UNTIL(a.loop, a.packets == 32);
    snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", leat_dgram_port(b));
    conf = (struct leat_dgram_conf){.endpoint = endpoint, .share = "other"};
    c = leat_dgram_open(a.loop, &conf, &events, &a, &err);
    assert_null(c);
    assert_non_null(strstr(err.text, "already in use"));
    for (int i = 0; i < 32; i++)
        close(fds[i]);
    leat_dgram_free(b);
    close_world(&a);
}

/* --- Unix */

static char *socket_path(char out[64])
{
    snprintf(out, 64, "/tmp/leat-dgram-%d.sock", (int)getpid());
    unlink(out);
    return out;
}

static int unix_sender(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void unix_datagrams(void **state)
{
    char path[64], *large = calloc(1, LEAT_DGRAM_MAX + 100);
    struct leat_dgram_conf conf = {
        .endpoint = socket_path(path), .family = AF_UNIX, .permissions = 0622, .sources = true};
    struct world w;
    struct stat st;
    size_t sent = 0;
    int fd;

    (void)state;
    open_world(&w, &conf);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0622);
    assert_string_equal(leat_dgram_text(w.d), path);
    assert_int_equal(leat_dgram_port(w.d), 0);
    fd = unix_sender(path);
    put(fd, "a");
    put(fd, "b");
    IO_UNTIL(w.loop, w.packets == 2);
    assert_string_equal(leat_text_get(&w.in), "a\nb\n");
    assert_int_equal(w.from_len, 0);
    assert_int_equal(send(fd, large, LEAT_DGRAM_MAX, 0), LEAT_DGRAM_MAX);
    assert_int_equal(send(fd, large, LEAT_DGRAM_MAX + 1, 0), LEAT_DGRAM_MAX + 1);
    IO_UNTIL(w.loop, w.packets == 4);
    assert_int_equal(w.longest, LEAT_DGRAM_MAX);
    assert_int_equal(w.truncated, 1);
    while (send(fd, "", 0, 0) == 0) /* until the queue is full; empty ones do not end it early */
        sent++;
    assert_int_equal(errno, EAGAIN);
    IO_UNTIL(w.loop, w.packets == 4 + sent);
    put(fd, "last");
    leat_dgram_finish(w.d);
    assert_non_null(strstr(leat_text_get(&w.in), "last"));
    assert_int_equal(send(fd, "late", 4, 0), -1);
    assert_int_equal(errno, EPIPE);
    close(fd);
    close_world(&w);
    assert_int_equal(lstat(path, &st), -1);
    free(large);
}

static void unix_paths_that_are_taken(void **state)
{
    char path[64];
    struct leat_dgram_conf conf = {.endpoint = socket_path(path), .family = AF_UNIX};
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct leat_err err = {""};
    struct world w;
    FILE *f;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)state;
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    w.loop = leat_loop_new(NULL);
    assert_null(leat_dgram_open(w.loop, &conf, &events, &w, &err)); /* it lives */
    assert_non_null(strstr(err.text, "already in use"));
    close(fd); /* stale now */
    leat_loop_free(w.loop);
    open_world(&w, &conf);
    close_world(&w);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); /* of the other kind, and alive */
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(fd, 1), 0);
    w.loop = leat_loop_new(NULL);
    assert_null(leat_dgram_open(w.loop, &conf, &events, &w, &err));
    assert_non_null(strstr(err.text, "already in use"));
    close(fd);
    unlink(path);
    f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_null(leat_dgram_open(w.loop, &conf, &events, &w, &err));
    assert_non_null(strstr(err.text, "the file exists and is no socket"));
    assert_int_equal(unlink(path), 0);
    leat_loop_free(w.loop);
}

static void the_buffer_is_as_large_as_the_kernel_allows(void **state)
{
    struct leat_dgram_conf conf = {.endpoint = "127.0.0.1:0", .buffer = 65536};
    struct world w;

    (void)state;
    open_world(&w, &conf);
    assert_int_equal(leat_dgram_buffer(w.d), 65536);
    close_world(&w);
}

static void bad_endpoints_are_told_in_words(void **state)
{
    struct leat_loop *l = leat_loop_new(NULL);
    struct leat_dgram_conf conf = {.endpoint = "203.0.113.7:8125"};
    struct leat_err err = {""};

    (void)state;
    assert_null(leat_dgram_open(l, &conf, &events, NULL, &err));
    assert_non_null(strstr(err.text, "cannot listen on 203.0.113.7:8125: address not available"));
    conf.endpoint = "8125";
    assert_null(leat_dgram_open(l, &conf, &events, NULL, &err));
    assert_non_null(strstr(err.text, "'8125' has no port"));
    leat_loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_both_families_and_tells_the_sender),
        cmocka_unit_test(mapped_addresses_are_told_as_ipv4),
        cmocka_unit_test(one_family_is_one_family),
        cmocka_unit_test(a_stream_of_packets_comes_in_batches),
        cmocka_unit_test(after_a_flood_it_waits_again),
        cmocka_unit_test(received_and_dropped_are_sent),
        cmocka_unit_test(drops_are_told_by_themselves),
        cmocka_unit_test(at_the_end_nothing_is_lost_unseen),
        cmocka_unit_test(empty_and_largest_packets),
        cmocka_unit_test(workers_share_a_port),
        cmocka_unit_test(unix_datagrams),
        cmocka_unit_test(unix_paths_that_are_taken),
        cmocka_unit_test(the_buffer_is_as_large_as_the_kernel_allows),
        cmocka_unit_test(bad_endpoints_are_told_in_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
