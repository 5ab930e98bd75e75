/* Who is at the other end of a connection, in words. */
#include <arpa/inet.h>

#include "base/mem.h"
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

const char *leat_conn_peer(const struct leat_conn *c)
{
    return c->peer;
}
