/* One HTTP/2 connection of a bench tool. */
#include "h2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READ_SIZE   ((size_t)128 * 1024)
#define STAGE_SPARE ((size_t)32 * 1024) /* more than the largest control frame */
#define WINDOW      (16 << 20)
#define CONN_WINDOW (256 << 20)

static void push(struct h2 *c, const uint8_t *data, size_t len)
{
    c->iov[c->iov_n++] = (struct iovec){(void *)(uintptr_t)data, len};
}

/* Bytes that would not stay are copied; neighbours in the stage become one entry. */
static void push_copy(struct h2 *c, const uint8_t *data, size_t len)
{
    uint8_t *at = c->stage + c->stage_len;
    struct iovec *last = c->iov_n > 0 ? &c->iov[c->iov_n - 1] : NULL;

    memcpy(at, data, len);
    c->stage_len += len;
    if (last != NULL && (uint8_t *)last->iov_base + last->iov_len == at)
        last->iov_len += len;
    else
        push(c, at, len);
}

static bool full(const struct h2 *c)
{
    return c->iov_n + 3 > H2_IOV || c->ending_n == H2_IOV || c->stage_len + STAGE_SPARE > H2_STAGE;
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                     size_t len, nghttp2_data_source *source, void *user)
{
    struct h2 *c = user;
    struct h2_body *b = source->ptr;

    (void)session;
    (void)frame;
    if (full(c))
        return NGHTTP2_ERR_WOULDBLOCK;
    push_copy(c, head, 9);
    if (len > 0)
        push(c, b->data + b->at, len);
    b->at += len;
    if (b->at == b->len)
        c->ending[c->ending_n++] = b;
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len,
                         uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct h2_body *b = source->ptr;
    size_t left = b->len - b->at;

    (void)session, (void)id, (void)buf, (void)user;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (left <= len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)(left < len ? left : len);
}

nghttp2_data_provider h2_source(struct h2_body *body)
{
    return (nghttp2_data_provider){.source.ptr = body, .read_callback = read_body};
}

nghttp2_session_callbacks *h2_callbacks(void)
{
    nghttp2_session_callbacks *cbs;

    if (nghttp2_session_callbacks_new(&cbs) != 0)
        net_die("no memory");
    nghttp2_session_callbacks_set_send_data_callback(cbs, send_data);
    return cbs;
}

/* Fills the vector from the session; false when it has nothing more to say. */
static bool gather(struct h2 *c)
{
    const uint8_t *data;
    ssize_t n = 0;

    c->iov_first = c->iov_n = c->stage_len = 0;
    while (!full(c) && (n = nghttp2_session_mem_send(c->session, &data)) > 0)
        push_copy(c, data, (size_t)n);
    if (n < 0)
        net_die("nghttp2: %s", nghttp2_strerror((int)n));
    return c->iov_n > 0;
}

static void note_written(struct h2 *c)
{
    int64_t now = c->ending_n > 0 ? net_now() : 0;

    while (c->ending_n > 0)
        c->ending[--c->ending_n]->written = now;
}

void h2_forget(struct h2 *c, const struct h2_body *body)
{
    for (size_t i = 0; i < c->ending_n; i++)
        if (c->ending[i] == body)
            c->ending[i--] = c->ending[--c->ending_n];
}

static void advance(struct h2 *c, size_t n)
{
    while (n > 0 && n >= c->iov[c->iov_first].iov_len)
        n -= c->iov[c->iov_first++].iov_len;
    if (n > 0) {
        c->iov[c->iov_first].iov_base = (uint8_t *)c->iov[c->iov_first].iov_base + n;
        c->iov[c->iov_first].iov_len -= n;
    }
}

void h2_flush(struct h2 *c)
{
    while (!c->gone && (c->iov_first < c->iov_n || gather(c))) {
        ssize_t n = writev(c->io.fd, c->iov + c->iov_first, (int)(c->iov_n - c->iov_first));
        if (n >= 0) {
            advance(c, (size_t)n);
            if (c->iov_first == c->iov_n)
                note_written(c);
        } else if (errno == EAGAIN) {
            net_watch(&c->io, EPOLLIN | EPOLLOUT);
            return;
        } else {
            h2_close(c);
            return;
        }
    }
    if (!c->gone)
        net_watch(&c->io, EPOLLIN);
}

bool h2_idle(const struct h2 *c)
{
    return c->gone || c->iov_first == c->iov_n;
}

void h2_close(struct h2 *c)
{
    if (c->gone)
        return;
    c->gone = true;
    net_unwatch(&c->io);
    close(c->io.fd);
    if (c->closed != NULL)
        c->closed(c);
}

static void take(struct h2 *c)
{
    static uint8_t buf[READ_SIZE];
    ssize_t n = read(c->io.fd, buf, sizeof buf);

    if (n == 0 || (n < 0 && errno != EAGAIN) ||
        (n > 0 && nghttp2_session_mem_recv(c->session, buf, (size_t)n) != n))
        h2_close(c);
}

static void ready(struct net_handler *h, uint32_t events)
{
    struct h2 *c = (struct h2 *)h;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        take(c);
    h2_flush(c);
    if (c->gone && c->session != NULL) {
        nghttp2_session_del(c->session);
        free(c->stage);
        c->session = NULL;
        c->stage = NULL;
    }
}

void h2_open(struct h2 *c, int fd, bool server, const nghttp2_session_callbacks *cbs)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
        {server ? NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS : NGHTTP2_SETTINGS_ENABLE_PUSH,
         server ? 4096 : 0},
    };

    c->io.fd = fd;
    c->io.ready = ready;
    c->stage = malloc(H2_STAGE);
    if (c->stage == NULL || (server ? nghttp2_session_server_new(&c->session, cbs, c)
                                    : nghttp2_session_client_new(&c->session, cbs, c)) != 0)
        net_die("no memory");
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, CONN_WINDOW);
    net_watch(&c->io, EPOLLIN);
    h2_flush(c);
}

nghttp2_nv h2_nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value),
                        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}
