/* Workers that share an address, each with its thread: connections come and go while one listener
 * after the other closes. Every socket is closed in the end, and every count is right. Run under
 * ThreadSanitizer, too. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"
#include "io/listen.h"
#include "io/mailbox.h"

#define WORKERS 4
#define CLIENTS 3
#define KEPT    8 /* connections of one client that are open at the same time */

struct worker {
    struct leat_loop *loop;
    struct leat_mailbox *mailbox;
    struct leat_listener *listener;
    struct leat_mail close;
    pthread_t thread;
    size_t alive; /* connections of this worker */
    bool closing;
};

struct peer {
    struct worker *worker;
    struct leat_conn *conn;
};

static struct worker workers[WORKERS];
static atomic_uint accepted, closed;
static uint16_t port;

static void on_opened(void *self)
{
    struct peer *p = self;
    struct leat_bytes hello = leat_bytes("x", 1);

    leat_conn_write(p->conn, &hello, 1);
}

static void on_written(void *self)
{
    (void)self;
}

static void on_read(void *self, const uint8_t *data, size_t len)
{
    (void)self;
    (void)data;
    (void)len;
}

static void maybe_stop(struct worker *w)
{
    if (w->closing && w->alive == 0)
        leat_loop_stop(w->loop);
}

static void on_closed(void *self, const char *why)
{
    struct peer *p = self;
    struct worker *w = p->worker;

    (void)why;
    leat_free(p);
    w->alive--;
    atomic_fetch_add(&closed, 1);
    maybe_stop(w);
}

static const struct leat_conn_events events = {
    .opened = on_opened, .read = on_read, .written = on_written, .closed = on_closed};

static void on_accept(void *self, struct leat_conn *c)
{
    struct worker *w = self;
    struct peer *p = leat_new(sizeof *p);

    LEAT_CHECK(leat_conn_loop(c) == w->loop);
    LEAT_CHECK(pthread_equal(pthread_self(), w->thread));
    w->alive++;
    atomic_fetch_add(&accepted, 1);
    *p = (struct peer){.worker = w, .conn = c};
    leat_conn_handle(c, &events, p);
}

static void close_here(struct leat_mail *mail)
{
    struct worker *w = LEAT_OWNER(mail, struct worker, close);

    leat_listener_free(w->listener);
    w->closing = true;
    maybe_stop(w);
}

static void *run_worker(void *arg)
{
    struct worker *w = arg;

    leat_loop_run(w->loop);
    leat_mailbox_free(w->mailbox);
    leat_loop_free(w->loop);
    return NULL;
}

/* Connects, waits for the first byte or the end, and keeps the last few open, until nobody listens
 * any more. */
static void *run_client(void *arg)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fds[KEPT];

    (void)arg;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < KEPT; i++)
        fds[i] = -1;
    for (int i = 0;; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char c;

        if (fds[i % KEPT] >= 0)
            close(fds[i % KEPT]);
        fds[i % KEPT] = fd;
        if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
            break;
        if (read(fd, &c, 1) < 0)
            continue; /* a listener has closed with this in its queue */
    }
    for (int i = 0; i < KEPT; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return NULL;
}

static int descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 4096; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void listeners_close_under_load(void **state)
{
    struct leat_listen_conf conf = {.endpoint = "127.0.0.1:0", .share = "threads"};
    pthread_t clients[CLIENTS];
    int before;

    (void)state;
    leat_loop_free(leat_loop_new(NULL)); /* libuv opens some for all loops */
    before = descriptors();
    for (int i = 0; i < WORKERS; i++) {
        struct worker *w = &workers[i];

        w->loop = leat_loop_new(NULL);
        w->mailbox = leat_mailbox_new(w->loop, NULL);
        w->listener = leat_listen(w->loop, &conf, on_accept, w, NULL);
        w->close.deliver = close_here;
        assert_non_null(w->listener);
    }
    port = leat_listener_port(workers[0].listener);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]), 0);
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, run_client, NULL), 0);
    for (unsigned i = 0; i < WORKERS; i++) { /* one goes after each hundred connections */
        while (atomic_load(&accepted) < 100 * (i + 1))
            usleep(100);
        leat_mailbox_send(workers[i].mailbox, &workers[i].close);
    }
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(clients[i], NULL);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i].thread, NULL);
    assert_int_equal(atomic_load(&accepted), atomic_load(&closed));
    assert_int_equal(descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listeners_close_under_load),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
