/* The memory of nghttp2 sessions: ours, and given back while a session is idle. For io only. */
#ifndef LEAT_IO_H2_MEMORY_H
#define LEAT_IO_H2_MEMORY_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The allocator for nghttp2_session_*_new3(): leat_try(). */
nghttp2_mem *leat_h2_mem(void);
/* How many of this thread's leat_mem_tries() were nghttp2's own, so that a test can tell them from
 * ours. */
uint64_t leat_h2_tries(void);

/* The two large blocks of one session: the buffer it makes frames in, and its table of streams. An
 * idle session uses neither, and they are two thirds of what it has. Must outlive the session, at
 * one address. */
struct leat_h2_memory {
    nghttp2_mem mem;
    void *frames, *table; /* whole pages; NULL: not seen */
    size_t frames_size, table_size;
    bool making; /* the session is being made */
};

/* The allocator for one nghttp2_session_server_new3(); leat_h2_memory_made() follows it. */
nghttp2_mem *leat_h2_memory_init(struct leat_h2_memory *m);
void leat_h2_memory_made(struct leat_h2_memory *m);
/* The session has no stream, nothing to send and nothing half sent
 * (nghttp2_session_want_write() is 0): the kernel gets the pages of both blocks back until they
 * are touched again, at about a microsecond for this and one for each page that is. */
void leat_h2_memory_rest(struct leat_h2_memory *m);

#endif
