/* The sockets of one listening endpoint, bound once per process and shared by its workers. For
 * listen only. */
#ifndef LEAT_IO_LISTEN_BIND_H
#define LEAT_IO_LISTEN_BIND_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"

#define LEAT_BIND_MAX 8 /* addresses of one endpoint */

struct leat_bind_share;

struct leat_bind {
    int fds[LEAT_BIND_MAX]; /* listening, non-blocking */
    size_t n;
    uint16_t port; /* 0: Unix */
    struct leat_bind_share *share;
};

/* -1 and `err`. `share`: see leat_listen_conf. */
int leat_bind_tcp(struct leat_bind *b, const char *endpoint, const char *share,
                  struct leat_err *err);
int leat_bind_unix(struct leat_bind *b, const char *path, uint32_t permissions, const char *share,
                   struct leat_err *err);
/* Closes the sockets; the last one of a Unix socket removes its file. */
void leat_bind_done(struct leat_bind *b);
/* Where all who share this address have their seats (listen_seat.h). */
struct leat_link *leat_bind_seats(const struct leat_bind *b);
char *leat_bind_text(const struct leat_bind *b); /* all addresses; the caller frees it */

#endif
