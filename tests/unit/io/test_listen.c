/* Listening: endpoints, shared ports, other processes, limits, Unix sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/share.h"
#include "io/conn_internal.h"
#include "io/listen_seat.h"
#include "lib/io_loopback.h"

static void splits_endpoints(void **state)
{
    static const struct {
        const char *endpoint, *host;
        int port;
    } good[] = {{"localhost:4317", "localhost", 4317},
                {":0", "", 0},
                {"[::1]:65535", "::1", 65535},
                {"0.0.0.0:1", "0.0.0.0", 1},
                {"[::]:0", "::", 0}};
    static const char *const bad[] = {"",
                                      "localhost",
                                      "localhost:",
                                      "localhost:x",
                                      "a:65536",
                                      "::1:80",
                                      "[::1:80",
                                      "a:-1",
                                      "a:1 ",
                                      "[::1]80",
                                      "a:999999999999999999999"};
    char host[256], longer[400];
    struct leat_err err;
    uint16_t port;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(leat_endpoint_split(good[i].endpoint, host, &port, &err), 0);
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (leat_endpoint_split(bad[i], host, &port, &err) != -1)
            fail_msg("'%s' was taken", bad[i]);
    assert_int_equal(leat_endpoint_split(NULL, host, &port, &err), -1);
    memset(longer, 'a', sizeof longer);
    memcpy(longer + 256, ":1", 3);
    assert_int_equal(leat_endpoint_split(longer, host, &port, &err), -1);
}

static void no_accept(void *self, struct leat_conn *c)
{
    (void)self;
    (void)c;
    abort();
}

static struct leat_listener *listen_on(struct leat_loop *l, const char *endpoint, const char *share,
                                       struct leat_err *err)
{
    struct leat_listen_conf conf = {.endpoint = endpoint, .share = share};

    return leat_listen(l, &conf, no_accept, NULL, err);
}

static void localhost_is_both_loopbacks_on_one_port(void **state)
{
    struct leat_loop *l = leat_loop_new(NULL);
    struct leat_err err = {""};
    struct leat_listener *a = listen_on(l, "localhost:0", NULL, &err);
    struct leat_listener *any = listen_on(l, ":0", NULL, &err);
    char text[64];

    (void)state;
    assert_non_null(a);
    assert_non_null(any);
    assert_true(leat_listener_port(a) > 0);
    snprintf(text, sizeof text, "127.0.0.1:%u", leat_listener_port(a));
    assert_memory_equal(leat_listener_text(a), text, strlen(text));
    if (strchr(leat_listener_text(a), ',') != NULL) {
        snprintf(text, sizeof text, ", [::1]:%u", leat_listener_port(a));
        assert_non_null(strstr(leat_listener_text(a), text));
    }
    leat_listener_free(a);
    leat_listener_free(any);
    leat_listener_free(NULL);
    leat_loop_free(l);
}

static void one_family_is_one_family(void **state)
{
    struct leat_loop *l = leat_loop_new(NULL);
    struct leat_listen_conf conf = {.endpoint = "localhost:0", .family = AF_INET};
    struct leat_err err = {""};
    struct leat_listener *a = leat_listen(l, &conf, no_accept, NULL, &err);

    (void)state;
    assert_non_null(a);
    assert_memory_equal(leat_listener_text(a), "127.0.0.1:", 10);
    assert_null(strchr(leat_listener_text(a), ','));
    leat_listener_free(a);
    conf.family = AF_INET6;
    a = leat_listen(l, &conf, no_accept, NULL, &err);
    if (a == NULL) /* a machine without IPv6 says so */
        assert_memory_equal(err.text, "cannot listen on [::1]:0: ", 26);
    else
        assert_memory_equal(leat_listener_text(a), "[::1]:", 6);
    leat_listener_free(a);
    leat_loop_free(l);
}

static void workers_with_one_key_share_a_port(void **state)
{
    struct leat_loop *l = leat_loop_new(NULL);
    struct leat_err err = {""};
    struct leat_listener *a = listen_on(l, "localhost:0", "otlp", &err);
    struct leat_listener *b = listen_on(l, "localhost:0", "otlp", &err);
    struct leat_listener *c = listen_on(l, "localhost:0", "other", &err);
    char endpoint[64];

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_int_equal(leat_listener_port(a), leat_listener_port(b));
    assert_int_not_equal(leat_listener_port(a), leat_listener_port(c));
    assert_string_equal(leat_listener_text(a), leat_listener_text(b));
    leat_listener_free(a);
    snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", leat_listener_port(b));
    assert_null(listen_on(l, endpoint, "third", &err));
    assert_non_null(strstr(err.text, "cannot listen on 127.0.0.1:"));
    assert_non_null(strstr(err.text, "address already in use; is another collector running?"));
    leat_listener_free(b);
    a = listen_on(l, endpoint, "third", &err); /* free again */
    assert_non_null(a);
    leat_listener_free(a);
    leat_listener_free(c);
    leat_loop_free(l);
}

/* SO_REUSEPORT would let a second collector of the same user in, and it would get half of the
 * connections. */
static void another_process_is_not_joined(void **state)
{
    struct leat_loop *l = leat_loop_new(NULL);
    struct leat_err err = {""};
    struct leat_listener *a = listen_on(l, "127.0.0.1:0", "otlp", &err);
    char endpoint[64];
    int status;
    pid_t child;

    (void)state;
    assert_non_null(a);
    snprintf(endpoint, sizeof endpoint, "127.0.0.1:%u", leat_listener_port(a));
    child = fork();
    if (child == 0) {
        struct leat_loop *other = leat_loop_new(NULL);

        _exit(listen_on(other, endpoint, "otlp", &err) != NULL ? 1
              : strstr(err.text, "already in use") == NULL     ? 2
                                                               : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    leat_listener_free(a);
    leat_loop_free(l);
}

static void bad_endpoints_are_told_in_words(void **state)
{
    struct leat_loop *l = leat_loop_new(NULL);
    struct leat_err err = {""};

    (void)state;
    assert_null(listen_on(l, "localhost", NULL, &err));
    assert_string_equal(err.text, "cannot listen: 'localhost' has no port: write it as host:port");
    assert_null(listen_on(l, "203.0.113.7:4317", NULL, &err)); /* reserved for documentation */
    assert_string_equal(err.text, "cannot listen on 203.0.113.7:4317: address not available; this "
                                  "machine has no such address");
    assert_null(listen_on(l, "name.invalid:4317", NULL, &err));
    assert_memory_equal(err.text, "cannot listen on name.invalid: ", 31);
    leat_loop_free(l);
}

struct crowd {
    struct leat_loop *loop;
    struct io_end ends[8];
    size_t n;
};

static void join(void *self, struct leat_conn *c)
{
    struct crowd *w = self;
    struct io_end *e = &w->ends[w->n++];

    io_end_init(e);
    e->conn = c;
    leat_conn_handle(c, &io_end_events, e);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void never_arrives(void *self, int fd, const struct sockaddr *addr)
{
    (void)self;
    (void)fd;
    (void)addr;
    abort();
}

static void above_the_limit_connections_are_refused_and_counted(void **state)
{
    struct crowd w = {.loop = leat_loop_new(NULL)};
    struct leat_listen_conf conf = {.endpoint = "127.0.0.1:0", .max_conns = 2};
    struct leat_listener *l = leat_listen(w.loop, &conf, join, &w, NULL);
    int fds[4];
    char c;

    (void)state;
    for (int i = 0; i < 3; i++)
        fds[i] = connect_to(leat_listener_port(l));
    IO_UNTIL(w.loop, leat_listener_refused(l) == 1);
    assert_int_equal(w.n, 2);
    assert_int_equal(leat_listener_conns(l), 2);
    assert_int_equal(read(fds[2], &c, 1), 0);
    leat_conn_abort(w.ends[0].conn);
    IO_UNTIL(w.loop, w.ends[0].closed);
    assert_int_equal(leat_listener_conns(l), 1);
    fds[3] = connect_to(leat_listener_port(l));
    IO_UNTIL(w.loop, w.n == 3);
    leat_listener_free(l); /* connections live on */
    leat_loop_turn(w.loop);
    assert_int_equal(w.ends[1].closed, 0);
    for (int i = 1; i < 3; i++)
        leat_conn_abort(w.ends[i].conn);
    leat_loop_free(w.loop);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

/* One loop stands for two workers: connections on each side of a shared address. */
struct two {
    struct leat_loop *loop;
    struct crowd sides[2];
    struct leat_listener *l[2];
};

static void open_two(struct two *t, uint32_t max_conns)
{
    struct leat_listen_conf conf = {
        .endpoint = "127.0.0.1:0", .share = "two", .max_conns = max_conns};

    *t = (struct two){.loop = leat_loop_new(NULL)};
    for (int i = 0; i < 2; i++) {
        t->sides[i].loop = t->loop;
        t->l[i] = leat_listen(t->loop, &conf, join, &t->sides[i], NULL);
        assert_non_null(t->l[i]);
    }
}

static void close_two(struct two *t)
{
    for (int i = 0; i < 2; i++)
        leat_listener_free(t->l[i]);
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < t->sides[i].n; k++)
            if (t->sides[i].ends[k].conn != NULL)
                leat_conn_abort(t->sides[i].ends[k].conn);
    leat_loop_free(t->loop);
}

static void connections_go_where_the_fewest_are(void **state)
{
    struct two t;
    int fds[8];
    char c;

    (void)state;
    open_two(&t, 0);
    for (size_t i = 0; i < 6; i++) {
        fds[i] = connect_to(leat_listener_port(t.l[0]));
        IO_UNTIL(t.loop, t.sides[0].n + t.sides[1].n == i + 1);
        assert_true(t.sides[0].n <= t.sides[1].n + 1 && t.sides[1].n <= t.sides[0].n + 1);
    }
    assert_int_equal(leat_listener_conns(t.l[0]), 3);
    assert_int_equal(leat_listener_conns(t.l[1]), 3);
    for (int i = 0; i < 2; i++) /* two leave one side: the next two come there */
        leat_conn_abort(t.sides[1].ends[i].conn);
    IO_UNTIL(t.loop, t.sides[1].ends[0].closed && t.sides[1].ends[1].closed);
    assert_int_equal(leat_listener_conns(t.l[1]), 1);
    for (size_t i = 6; i < 8; i++) {
        fds[i] = connect_to(leat_listener_port(t.l[0]));
        IO_UNTIL(t.loop, t.sides[1].n == i - 2);
    }
    assert_int_equal(t.sides[0].n, 3);
    close_two(&t);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(read(fds[i], &c, 1) > 0, 0); /* nobody holds them any more */
        close(fds[i]);
    }
}

/* The limit is each listener's own; a connection is refused when all are full. */
static void the_limit_holds_for_all_who_share(void **state)
{
    struct two t;
    int fds[5];
    char c;

    (void)state;
    open_two(&t, 2);
    for (int i = 0; i < 5; i++)
        fds[i] = connect_to(leat_listener_port(t.l[0]));
    IO_UNTIL(t.loop, leat_listener_refused(t.l[0]) + leat_listener_refused(t.l[1]) == 1);
    IO_UNTIL(t.loop, t.sides[0].n == 2 && t.sides[1].n == 2);
    assert_int_equal(leat_listener_conns(t.l[0]) + leat_listener_conns(t.l[1]), 4);
    close_two(&t);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(read(fds[i], &c, 1) > 0, 0);
        close(fds[i]);
    }
}

static int descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* A listener goes while connections are on their way to it: their sockets are closed. */
static void goes_while_connections_come(void **state)
{
    struct two t;
    struct leat_seat *a, *b;
    struct leat_link table = {&table, &table};
    struct sockaddr_in addr = {.sin_family = AF_INET};
    int before = descriptors(), fds[2];

    (void)state;
    t.loop = leat_loop_new(NULL);
    a = leat_seat_new(t.loop, &table, 0, never_arrives, &t, NULL);
    b = leat_seat_new(t.loop, &table, 0, never_arrives, &t, NULL);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(leat_seat_give(a, fds[0], (struct sockaddr *)&addr), LEAT_SEAT_OWN);
    assert_int_equal(leat_seat_give(a, fds[1], (struct sockaddr *)&addr), LEAT_SEAT_AWAY);
    assert_int_equal(leat_seat_conns(b), 1);
    leat_seat_close(b);
    assert_int_equal(fcntl(fds[1], F_GETFD), -1);
    assert_int_equal(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    close(fds[0]);
    leat_seat_close(a); /* lives until its connection leaves */
    leat_seat_leave(a);
    leat_loop_free(t.loop);
    assert_int_equal(descriptors(), before);
}

/* Some descriptors are never given to accepted connections: half of what was free, here. */
static void keeps_descriptors_back(void **state)
{
    struct crowd w = {.loop = leat_loop_new(NULL)};
    struct leat_listen_conf conf = {.endpoint = "127.0.0.1:0"};
    struct leat_listener *l;
    struct rlimit old, tight;
    int fds[8], spare[8], n = 0, top = fcntl(0, F_DUPFD_CLOEXEC, 0);
    char c;

    (void)state;
    close(top);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    tight.rlim_cur = (rlim_t)top + 16;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    l = leat_listen(w.loop, &conf, join, &w, NULL);
    assert_non_null(l);
    do { /* client and server take two each time */
        fds[n++] = connect_to(leat_listener_port(l));
        IO_UNTIL(w.loop, w.n + leat_listener_refused(l) == (size_t)n);
    } while (leat_listener_refused(l) == 0);
    assert_true(w.n > 0);
    assert_int_equal(read(fds[n - 1], &c, 1), 0); /* told at once */
    close(fds[n - 1]);
    for (int i = 0; i < 7; i++) {
        spare[i] = fcntl(0, F_DUPFD_CLOEXEC, 0);
        assert_true(spare[i] >= 0);
    }
    for (int i = 0; i < 7; i++)
        close(spare[i]);
    leat_conn_abort(w.ends[0].conn); /* makes room */
    IO_UNTIL(w.loop, w.ends[0].closed);
    close(fds[0]);
    fds[0] = connect_to(leat_listener_port(l));
    IO_UNTIL(w.loop, w.n == (size_t)n);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (size_t i = 1; i < w.n; i++)
        leat_conn_abort(w.ends[i].conn);
    leat_listener_free(l);
    leat_loop_free(w.loop);
    for (int i = 0; i < n - 1; i++)
        close(fds[i]);
}

/* Without a free descriptor the connection waits in the queue; it is taken when there is one. */
static void waits_for_file_descriptors(void **state)
{
    struct crowd w = {.loop = leat_loop_new(NULL)};
    struct leat_listen_conf conf = {.endpoint = "127.0.0.1:0"};
    struct leat_listener *l = leat_listen(w.loop, &conf, join, &w, NULL);
    struct rlimit old, tight;
    int fd = connect_to(leat_listener_port(l)), top;

    (void)state;
    top = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* the next free one */
    assert_true(top >= 0);
    close(top);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    tight.rlim_cur = (rlim_t)top;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    for (int i = 0; i < 50; i++)
        leat_loop_turn(w.loop);
    assert_int_equal(w.n, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    IO_UNTIL(w.loop, w.n == 1);
    leat_conn_abort(w.ends[0].conn);
    leat_listener_free(l);
    leat_loop_free(w.loop);
    close(fd);
}

static void unix_sockets(void **state)
{
    char dir[] = "/tmp/leat-listen-XXXXXX", path[64];
    struct io_pair p = {0};
    struct leat_err err;
    struct leat_listen_conf conf = {.unix_socket = true, .permissions = 0600};
    struct leat_listener *l;
    struct stat st;
    mode_t mask;
    FILE *f;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    conf.endpoint = path;
    p.listen = conf;
    p.listen.share = "w";
    p.dial = (struct leat_dial_conf){.host = path, .unix_socket = true};
    mask = umask(0);
    io_pair_open(&p);
    umask(mask);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_string_equal(leat_listener_text(p.listener), path);
    assert_int_equal(leat_listener_port(p.listener), 0);
    assert_string_equal(leat_conn_peer(p.server.conn), "unix");
    io_write(&p.client, "hi");
    IO_UNTIL(p.loop, p.server.in.len == 2);

    assert_null(leat_listen(p.loop, &conf, no_accept, NULL, &err)); /* somebody listens */
    assert_non_null(strstr(err.text, "already in use"));
    conf.share = "w";
    l = leat_listen(p.loop, &conf, no_accept, NULL, &err); /* another worker of ours */
    assert_non_null(l);
    leat_listener_free(l);
    assert_int_equal(stat(path, &st), 0);
    io_pair_done(&p);
    assert_int_equal(stat(path, &st), -1);

    /* what a killed process leaves behind is cleared away; a file is not */
    {
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        memcpy(addr.sun_path, path, strlen(path) + 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
        close(fd);
    }
    p.loop = leat_loop_new(NULL);
    l = leat_listen(p.loop, &conf, no_accept, NULL, &err);
    assert_non_null(l);
    leat_listener_free(l);
    f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_null(leat_listen(p.loop, &conf, no_accept, NULL, &err));
    assert_non_null(strstr(err.text, "the file exists and is no socket"));
    leat_loop_free(p.loop);
    unlink(path);
    rmdir(dir);
}

static uint64_t client4(const char *address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

    assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
    return leat_conn_client_of((const struct sockaddr *)&in);
}

static uint64_t client6(const char *address, uint16_t port)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    assert_int_equal(inet_pton(AF_INET6, address, &in.sin6_addr), 1);
    return leat_conn_client_of((const struct sockaddr *)&in);
}

/* More connections, or more addresses of one network's first 64 bits, are still one client. */
static void clients_are_told_apart_by_address(void **state)
{
    const struct sockaddr local = {.sa_family = AF_UNIX};
    uint64_t a = client4("192.0.2.1", 1000);

    (void)state;
    assert_true(a >= LEAT_CLIENT_FIRST);
    assert_int_equal(client4("192.0.2.1", 1001), a);
    assert_int_equal(client6("::ffff:192.0.2.1", 5), a);
    assert_int_not_equal(client4("192.0.2.2", 1000), a);
    assert_int_equal(client6("2001:db8:0:1::1", 1), client6("2001:db8:0:1:ff::2", 2));
    assert_int_not_equal(client6("2001:db8:0:1::1", 1), client6("2001:db8:0:2::1", 1));
    assert_int_equal(client6("fe80::1", 1), client6("fe80::1", 2));
    assert_int_not_equal(client6("fe80::1", 1), client6("fe80::2", 1));
    assert_int_not_equal(client4("127.0.0.1", 1), client4("127.0.0.1", 1));
    assert_int_not_equal(client6("::1", 1), client6("::1", 1));
    assert_int_not_equal(client6("::ffff:127.0.0.1", 1), client6("::ffff:127.0.0.1", 1));
    assert_int_not_equal(leat_conn_client_of(&local), leat_conn_client_of(&local));
    assert_true(leat_conn_client_of(&local) >= LEAT_CLIENT_FIRST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_endpoints),
        cmocka_unit_test(localhost_is_both_loopbacks_on_one_port),
        cmocka_unit_test(one_family_is_one_family),
        cmocka_unit_test(workers_with_one_key_share_a_port),
        cmocka_unit_test(another_process_is_not_joined),
        cmocka_unit_test(bad_endpoints_are_told_in_words),
        cmocka_unit_test(above_the_limit_connections_are_refused_and_counted),
        cmocka_unit_test(connections_go_where_the_fewest_are),
        cmocka_unit_test(the_limit_holds_for_all_who_share),
        cmocka_unit_test(goes_while_connections_come),
        cmocka_unit_test(keeps_descriptors_back),
        cmocka_unit_test(waits_for_file_descriptors),
        cmocka_unit_test(unix_sockets),
        cmocka_unit_test(clients_are_told_apart_by_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
