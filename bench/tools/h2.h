/* One HTTP/2 connection of a bench tool: an nghttp2 session on a socket, written with one gathered
 * writev per turn, bodies by reference. */
#pragma once
#include <nghttp2/nghttp2.h>
#include <sys/uio.h>

#include "net.h"

#define H2_IOV   512
#define H2_STAGE ((size_t)256 * 1024)

/* A body that lies somewhere else until it is written. */
struct h2_body {
    const uint8_t *data;
    size_t len, at;
    int64_t written; /* when its last byte was given to the socket; 0: not yet */
};

struct h2 {
    struct net_handler io; /* first: the handler is the connection */
    nghttp2_session *session;
    struct iovec iov[H2_IOV];
    size_t iov_first, iov_n, stage_len;
    uint8_t *stage;
    struct h2_body *ending[H2_IOV]; /* bodies whose last bytes are in iov */
    size_t ending_n;
    bool gone;
    void (*closed)(struct h2 *c); /* the socket is closed; the owner frees */
};

/* Callbacks with the gathering writer already set; the session's user data is the struct h2. */
nghttp2_session_callbacks *h2_callbacks(void);
/* Takes the socket, sends the settings: wide windows, frames of the default size. */
void h2_open(struct h2 *c, int fd, bool server, const nghttp2_session_callbacks *cbs);
/* Writes what the session has to say, as far as the socket takes it. */
void h2_flush(struct h2 *c);
/* The body's request is over: it may be used for another. */
void h2_forget(struct h2 *c, const struct h2_body *body);
/* Closes the socket at once and calls closed. */
void h2_close(struct h2 *c);
/* Everything said is written: bodies may be freed. */
bool h2_idle(const struct h2 *c);
/* A data source for a struct h2_body, for nghttp2_submit_request and _response. */
nghttp2_data_provider h2_source(struct h2_body *body);
/* A header that stays where it is. */
nghttp2_nv h2_nv(const char *name, const char *value);
