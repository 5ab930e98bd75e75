/* The libuv loop inside, for io and run only. */
#ifndef LEAT_IO_LOOP_UV_H
#define LEAT_IO_LOOP_UV_H

#include <uv.h>

#include "io/loop.h"

uv_loop_t *leat_loop_uv(struct leat_loop *l);
/* A read buffer of LEAT_READ_BUFFER bytes, shared by all connections of the loop: valid during one
 * read event. NULL: no memory. */
#define LEAT_READ_BUFFER ((size_t)128 * 1024)
uint8_t *leat_loop_read_buffer(struct leat_loop *l);
/* Zeroed memory of the loop's own for TLS, made at the first call; `size` is always the same.
 * NULL: no memory; after a call that was not, none is. */
void *leat_loop_scratch(struct leat_loop *l, size_t size);

/* Something is on its way out and will end by itself: leat_loop_free() waits for its release. */
void leat_loop_hold(struct leat_loop *l);
void leat_loop_release(struct leat_loop *l);
/* An open file (+1), a file that its owner has closed (-1): no handle of libuv stands for them. */
void leat_loop_count_files(struct leat_loop *l, int change);

#endif
