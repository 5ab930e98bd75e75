/* One HTTP/1.1 connection, between its two files. For server_h1*.c only. */
#ifndef LEAT_IO_SERVER_H1_H
#define LEAT_IO_SERVER_H1_H

#include "base/text.h"
#include <llhttp.h>

#include "io/server_internal.h"

enum leat_h1_phase {
    LEAT_H1_IDLE,   /* between requests */
    LEAT_H1_HEAD,   /* request line and headers */
    LEAT_H1_BODY,   /* and trailers */
    LEAT_H1_ANSWER, /* with the service, or its reply is being written */
    LEAT_H1_OVER,   /* the connection is closing; nothing more is answered here */
};

struct leat_h1 {
    struct leat_peer *p;
    llhttp_t parser;
    struct leat_call *call; /* of the request that comes in or is being answered */
    enum leat_h1_phase phase;
    bool feeding;  /* in feed(): it carries on by itself */
    bool complete; /* the request is whole */
    bool last;     /* the connection ends with this reply */
    bool ended;    /* the peer has ended its side */
    bool paused;
    bool writing;  /* a reply is pending in the connection */
    bool direct;   /* the body is of known length and kept */
    bool in_name;  /* the parser is in the name of a header */
    bool stopped;  /* the request was answered before its end */
    bool answered; /* at least one request was */
    bool colon;    /* this header line has had its colon */
    bool kept;     /* the stash is still needed */
    int64_t since; /* when the phase began (first byte of a request) */
    int64_t write_since;
    size_t line, lines, head, blanks; /* length of this line, how many before it, of the block */
    uint8_t prev;
    uint64_t wire;          /* bytes of the body as they came, framing included */
    uint64_t skip;          /* bytes of a refused body that are still to come */
    struct leat_buf *stash; /* bytes that came behind a request not yet answered */
    size_t stash_at;
    struct leat_bytes out;  /* reply that waits for "100 Continue" to be written */
    struct leat_text reply; /* its bytes until they are written; kept for the next one */
    struct leat_task again;
};

extern const llhttp_settings_t leat_h1_parser; /* the parser's `data` is the struct leat_h1 */
/* Looks at header bytes up to the end of the block. Returns how many belong to it; *ret_end: it is
 * complete. *ret_status is not 0 when they must be refused. */
size_t leat_h1_scan(struct leat_h1 *h, const uint8_t *data, size_t len, bool *ret_end,
                    uint32_t *ret_status);

#endif
