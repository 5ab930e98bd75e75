/* Who is at the other end of a socket. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/share.h"
#include "io/conn_internal.h"

char *leat_conn_address(const struct sockaddr *addr)
{
    const struct sockaddr_in *in4 = (const void *)addr;
    const struct sockaddr_in6 *in6 = (const void *)addr;
    char text[INET6_ADDRSTRLEN] = "";

    if (addr->sa_family == AF_INET) {
        inet_ntop(AF_INET, &in4->sin_addr, text, sizeof text);
        return leat_try_format("%s:%u", text, ntohs(in4->sin_port));
    }
    if (addr->sa_family != AF_INET6)
        return leat_try_strdup("unix");
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], text, sizeof text);
        return leat_try_format("%s:%u", text, ntohs(in6->sin6_port));
    }
    inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
    return leat_try_format("[%s]:%u", text, ntohs(in6->sin6_port));
}

static uint64_t client_by(const void *address, size_t len)
{
    uint64_t n = leat_hash(leat_bytes(address, len));

    return n < LEAT_CLIENT_FIRST ? LEAT_CLIENT_FIRST : n;
}

/* In a link's own network everybody has the same first 64 bits. */
uint64_t leat_conn_client_of(const struct sockaddr *addr)
{
    const struct sockaddr_in *in4 = (const void *)addr;
    const struct sockaddr_in6 *in6 = (const void *)addr;
    uint64_t connection = leat_random();
    const uint8_t *v4 = NULL;

    if (addr->sa_family == AF_INET)
        v4 = (const uint8_t *)&in4->sin_addr;
    else if (addr->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
        v4 = &in6->sin6_addr.s6_addr[12];
    if (v4 != NULL && v4[0] != 127)
        return client_by(v4, 4);
    if (v4 != NULL || addr->sa_family != AF_INET6 || IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr))
        return client_by(&connection, sizeof connection);
    return client_by(&in6->sin6_addr, IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) ? 16 : 8);
}

const char *leat_conn_peer(const struct leat_conn *c)
{
    return c->peer;
}
