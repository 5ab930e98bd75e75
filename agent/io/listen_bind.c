/* Binds the sockets of an endpoint: which addresses it means, one port for all of them, nobody
 * else's port, and the same port again for the other workers of this process. */
#include "io/listen_bind.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/conn_internal.h"
#include "io/listen.h"

#define BACKLOG          4096 /* the kernel cuts it to net.core.somaxconn */
#define PORT_TRIES       16   /* to find one port that is free on both loopbacks */
#define UNIX_PERMISSIONS 0660

struct place {
    struct sockaddr_storage addr;
    socklen_t len;
};

/* What the workers that gave the same key have in common. */
struct leat_bind_share {
    struct leat_link link;
    struct leat_link seats;
    char *key; /* NULL: shared with nobody */
    uint32_t refs;
    struct place places[LEAT_BIND_MAX]; /* with the ports that were bound */
    size_t n;
    char *path;  /* Unix: the file to remove at the end */
    int unix_fd; /* Unix: the socket that the others duplicate */
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct leat_link table = {&table, &table};

/* --- addresses */

int leat_endpoint_split(const char *endpoint, char *host, uint16_t *ret_port, struct leat_err *err)
{
    const char *colon = endpoint ? strrchr(endpoint, ':') : NULL;
    const char *from = endpoint;
    size_t len;
    unsigned long port = 0;
    const char *p;

    if (colon == NULL)
        return leat_fail(err, "'%s' has no port: write it as host:port", endpoint ? endpoint : "");
    len = (size_t)(colon - endpoint);
    if (endpoint[0] == '[') {
        if (len < 2 || endpoint[len - 1] != ']')
            return leat_fail(err, "'%s' is not of the form [address]:port", endpoint);
        from++;
        len -= 2;
    } else if (memchr(endpoint, ':', len) != NULL) {
        return leat_fail(err, "'%s': write an IPv6 address in brackets, as in [::1]:4317",
                         endpoint);
    }
    for (p = colon + 1; *p >= '0' && *p <= '9' && port <= UINT16_MAX; p++)
        port = 10 * port + (unsigned long)(*p - '0');
    if (p == colon + 1 || *p != '\0' || port > UINT16_MAX)
        return leat_fail(err, "'%s': the port must be a number from 0 to 65535", endpoint);
    if (len > 255)
        return leat_fail(err, "the host name in '%.64s...' is too long", endpoint);
    memcpy(host, from, len);
    host[len] = '\0';
    *ret_port = (uint16_t)port;
    return 0;
}

static void set_port(struct place *p, uint16_t port)
{
    if (p->addr.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&p->addr)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&p->addr)->sin_port = htons(port);
}

static struct place place4(uint32_t addr)
{
    struct place p = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = (struct sockaddr_in *)&p.addr;

    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(addr);
    return p;
}

static struct place place6(struct in6_addr addr)
{
    struct place p = {.len = sizeof(struct sockaddr_in6)};
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)&p.addr;

    in->sin6_family = AF_INET6;
    in->sin6_addr = addr;
    return p;
}

static bool have_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int resolve(const struct leat_bind_ask *ask, const char *host, struct place *places,
                   size_t *ret_n, struct leat_err *err)
{
    struct addrinfo hints = {.ai_family = ask->family, .ai_socktype = ask->type}, *list;
    int rc = getaddrinfo(host, NULL, &hints, &list);

    if (rc != 0)
        return leat_fail(err, "%s", rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
    *ret_n = 0;
    for (struct addrinfo *a = list; a != NULL && *ret_n < LEAT_BIND_MAX; a = a->ai_next) {
        struct place *p = &places[(*ret_n)++];

        memset(p, 0, sizeof *p);
        memcpy(&p->addr, a->ai_addr, a->ai_addrlen);
        p->len = a->ai_addrlen;
    }
    freeaddrinfo(list);
    return 0;
}

static int find_places(const struct leat_bind_ask *ask, const char *host, struct place *places,
                       size_t *ret_n, struct leat_err *err)
{
    *ret_n = 0;
    if (strcmp(host, "localhost") == 0) {
        if (ask->family != AF_INET6)
            places[(*ret_n)++] = place4(INADDR_LOOPBACK);
        if (ask->family != AF_INET)
            places[(*ret_n)++] = place6(in6addr_loopback);
    } else if (host[0] == '\0') {
        places[(*ret_n)++] = ask->family != AF_INET && (ask->family == AF_INET6 || have_ipv6())
                                 ? place6(in6addr_any)
                                 : place4(INADDR_ANY);
    } else {
        return resolve(ask, host, places, ret_n, err);
    }
    return 0;
}

/* --- sockets */

/* Beyond net.core.rmem_max where the process may. As far as the kernel goes is far enough here. */
static void set_buffer(int fd, uint64_t size)
{
    int bytes = size < INT32_MAX / 2 ? (int)size : INT32_MAX / 2;

    if (bytes > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

/* Returns the socket, or -1 with errno. Both families on the IPv6 "any" address, as Go does, unless
 * one was asked for. SO_REUSEADDR would let others share a port for datagrams. */
static int bind_one(const struct leat_bind_ask *ask, const struct place *p, bool share_port)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&p->addr;
    int one = 1, fd = socket(p->addr.ss_family, ask->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int v6only = p->addr.ss_family == AF_INET6 &&
                 (ask->family == AF_INET6 || !IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr));
    int saved;

    if (fd < 0)
        return -1;
    if (ask->type == SOCK_STREAM)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    set_buffer(fd, ask->buffer);
    if (p->addr.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only);
    if ((!share_port || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0) &&
        bind(fd, (const struct sockaddr *)&p->addr, p->len) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* SO_REUSEPORT would let a second process of the same user take half of our connections in silence.
 * So the first socket of this process asks for the port without it. 0, or -1 with errno. */
static int probe(const struct leat_bind_ask *ask, const struct place *p)
{
    int fd = bind_one(ask, p, false);

    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;

    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
        return 0;
    return ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
                                            : ((struct sockaddr_in *)&addr)->sin_port);
}

static int bind_failed(const struct place *p, int error, struct leat_err *err)
{
    char *where = leat_conn_address((const struct sockaddr *)&p->addr);
    const char *advice = "";

    if (error == EADDRINUSE)
        advice = "; is another collector running?";
    else if (error == EACCES)
        advice = "; ports below 1024 need root or CAP_NET_BIND_SERVICE";
    else if (error == EADDRNOTAVAIL)
        advice = "; this machine has no such address";
    leat_fail(err, "cannot listen on %s: %s%s", where ? where : "an address", uv_strerror(-error),
              advice);
    leat_free(where);
    return -1;
}

static bool not_here(int error)
{
    return error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

static void close_all(struct leat_bind *b)
{
    while (b->n > 0)
        close(b->fds[--b->n]);
}

/* A socket that takes connections or datagrams. -1 with errno. */
static int open_place(const struct leat_bind_ask *ask, const struct place *p)
{
    int fd = bind_one(ask, p, true), saved;

    if (fd < 0 || ask->type != SOCK_STREAM || listen(fd, BACKLOG) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* Binds all places to one port. 0; -1 and `err`, and errno says why. */
static int bind_places(struct leat_bind *b, const struct leat_bind_ask *ask,
                       struct leat_bind_share *s, uint16_t port, bool first, struct leat_err *err)
{
    size_t kept = 0;
    int fd, saved = EADDRNOTAVAIL;

    b->n = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct place *p = &s->places[i];

        set_port(p, port);
        fd = first && port != 0 && probe(ask, p) != 0 ? -1 : open_place(ask, p);
        if (fd < 0) {
            saved = errno;
            if (not_here(saved) && (i + 1 < s->n || kept > 0))
                continue;
            close_all(b);
            bind_failed(p, saved, err);
            errno = saved;
            return -1;
        }
        if (port == 0)
            port = port_of(fd);
        set_port(p, port);
        b->fds[b->n++] = fd;
        s->places[kept++] = *p;
    }
    s->n = kept;
    b->port = port;
    return 0;
}

/* --- the table */

static struct leat_bind_share *find_share(const char *key)
{
    for (struct leat_link *l = table.next; l != &table; l = l->next) {
        struct leat_bind_share *s = LEAT_OWNER(l, struct leat_bind_share, link);

        if (s->key != NULL && strcmp(s->key, key) == 0)
            return s;
    }
    return NULL;
}

static struct leat_bind_share *new_share(void)
{
    struct leat_bind_share *s = leat_new(sizeof *s);

    leat_list_init(&s->link);
    leat_list_init(&s->seats);
    s->unix_fd = -1;
    return s;
}

static void free_share(struct leat_bind_share *s)
{
    if (s->unix_fd >= 0)
        close(s->unix_fd);
    if (s->path != NULL)
        unlink(s->path);
    leat_list_remove(&s->link);
    leat_free(s->key);
    leat_free(s->path);
    leat_free(s);
}

/* The table keeps it under `key`, which it takes over. */
static void enter_share(struct leat_bind *b, struct leat_bind_share *s, char *key)
{
    s->key = key;
    leat_list_append(&table, &s->link);
    s->refs++;
    b->share = s;
}

static int bind_first(struct leat_bind *b, const struct leat_bind_ask *ask,
                      struct leat_bind_share *s, const char *host, uint16_t port,
                      struct leat_err *err)
{
    struct leat_err why;
    int rc = -1;

    for (int i = 0; i < (port == 0 ? PORT_TRIES : 1); i++) {
        if (find_places(ask, host, s->places, &s->n, &why) != 0)
            return leat_fail(err, "cannot listen on %s: %s", host, why.text);
        rc = bind_places(b, ask, s, port, true, err);
        if (rc == 0 || errno != EADDRINUSE)
            break;
    }
    return rc;
}

static int bind_ip_locked(struct leat_bind *b, const struct leat_bind_ask *ask, const char *host,
                          uint16_t port, char *key, struct leat_err *err)
{
    struct leat_bind_share *s = key ? find_share(key) : NULL;

    if (s != NULL) {
        uint16_t bound = s->places[0].addr.ss_family == AF_INET6
                             ? ((struct sockaddr_in6 *)&s->places[0].addr)->sin6_port
                             : ((struct sockaddr_in *)&s->places[0].addr)->sin_port;

        leat_free(key);
        if (bind_places(b, ask, s, ntohs(bound), false, err) != 0)
            return -1;
        s->refs++;
        b->share = s;
        return 0;
    }
    s = new_share();
    if (bind_first(b, ask, s, host, port, err) != 0) {
        free_share(s);
        leat_free(key);
        return -1;
    }
    enter_share(b, s, key);
    return 0;
}

static int bind_ip(struct leat_bind *b, const struct leat_bind_ask *ask, char *key,
                   struct leat_err *err)
{
    char host[256];
    uint16_t port;
    int rc;

    if (leat_endpoint_split(ask->endpoint, host, &port, err) != 0) {
        leat_free(key);
        return leat_fail_in(err, "cannot listen");
    }
    pthread_mutex_lock(&table_lock);
    rc = bind_ip_locked(b, ask, host, port, key, err);
    pthread_mutex_unlock(&table_lock);
    return rc;
}

/* --- Unix sockets */

/* A socket file stays behind when its process is killed. Removes it when nobody listens. */
static int clear_stale(const struct sockaddr_un *addr, int type, struct leat_err *err)
{
    struct stat st;
    int fd, rc, error;

    if (lstat(addr->sun_path, &st) != 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return leat_fail(err, "cannot listen on %s: the file exists and is no socket",
                         addr->sun_path);
    fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)addr, sizeof *addr);
    error = errno;
    if (fd >= 0)
        close(fd);
    if (rc == 0 || error == EAGAIN || error == EPROTOTYPE) /* of the other type, but alive */
        return leat_fail(err,
                         "cannot listen on %s: address already in use; is another collector "
                         "running?",
                         addr->sun_path);
    if (error == ECONNREFUSED && unlink(addr->sun_path) != 0 && errno != ENOENT)
        return leat_fail(err, "cannot listen on %s: cannot remove the socket left there: %s",
                         addr->sun_path, strerror(errno));
    return 0;
}

/* The mode is set before bind() (the file is born with it, less the umask) and after (whatever the
 * umask is), so that it is never wider than asked. */
static int open_unix(const struct leat_bind_ask *ask, mode_t mode, struct leat_err *err)
{
    const char *path = ask->endpoint;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof addr.sun_path)
        return leat_fail(err, "cannot listen on %s: the path is longer than %zu bytes", path,
                         sizeof addr.sun_path - 1);
    memcpy(addr.sun_path, path, strlen(path));
    if (clear_stale(&addr, ask->type, err) != 0)
        return -1;
    fd = socket(AF_UNIX, ask->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return leat_fail(err, "cannot listen on %s: %s", path, strerror(errno));
    set_buffer(fd, ask->buffer);
    if (fchmod(fd, mode) != 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 ||
        chmod(path, mode) != 0 || (ask->type == SOCK_STREAM && listen(fd, BACKLOG) != 0)) {
        leat_fail(err, "cannot listen on %s: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static int bind_unix_locked(struct leat_bind *b, const struct leat_bind_ask *ask, char *key,
                            struct leat_err *err)
{
    struct leat_bind_share *s = key ? find_share(key) : NULL;
    int fd;

    if (s != NULL) {
        leat_free(key);
        s->refs++;
    } else {
        fd = open_unix(ask, ask->permissions ? ask->permissions : UNIX_PERMISSIONS, err);
        if (fd < 0) {
            leat_free(key);
            return -1;
        }
        s = new_share();
        s->unix_fd = fd;
        s->path = leat_strdup(ask->endpoint);
        enter_share(b, s, key);
    }
    b->share = s;
    b->fds[0] = fcntl(s->unix_fd, F_DUPFD_CLOEXEC, 0);
    if (b->fds[0] >= 0) {
        b->n = 1;
        return 0;
    }
    leat_fail(err, "cannot listen on %s: %s", ask->endpoint, strerror(errno));
    if (--s->refs == 0)
        free_share(s);
    return -1;
}

static int bind_unix(struct leat_bind *b, const struct leat_bind_ask *ask, char *key,
                     struct leat_err *err)
{
    int rc;

    if (ask->endpoint == NULL || *ask->endpoint == '\0') {
        leat_free(key);
        return leat_fail(err, "cannot listen: the path of the Unix socket is empty");
    }
    pthread_mutex_lock(&table_lock);
    rc = bind_unix_locked(b, ask, key, err);
    pthread_mutex_unlock(&table_lock);
    return rc;
}

int leat_bind(struct leat_bind *b, const struct leat_bind_ask *ask, struct leat_err *err)
{
    char *key = ask->share ? leat_format("%s\n%d\n%s", ask->share, ask->type, ask->endpoint) : NULL;

    memset(b, 0, sizeof *b);
    return ask->family == AF_UNIX ? bind_unix(b, ask, key, err) : bind_ip(b, ask, key, err);
}

void leat_bind_done(struct leat_bind *b)
{
    close_all(b);
    if (b->share == NULL)
        return;
    pthread_mutex_lock(&table_lock);
    if (--b->share->refs == 0)
        free_share(b->share);
    pthread_mutex_unlock(&table_lock);
    b->share = NULL;
}

struct leat_link *leat_bind_seats(const struct leat_bind *b)
{
    return &b->share->seats;
}

char *leat_bind_address(const struct leat_bind *b, size_t nth)
{
    char *where;

    if (b->share->path != NULL)
        return leat_strdup(b->share->path);
    where = leat_conn_address((const struct sockaddr *)&b->share->places[nth].addr);
    return where ? where : leat_strdup("an address");
}

char *leat_bind_text(const struct leat_bind *b)
{
    struct leat_text t;

    leat_text_init(&t, 1024);
    for (size_t i = 0; i < b->n; i++) {
        char *where = leat_bind_address(b, i);

        leat_text_printf(&t, "%s%s", i ? ", " : "", where);
        leat_free(where);
    }
    return leat_text_take(&t);
}
