/* The libuv loop inside, for io and run only. */
#ifndef LEAT_IO_LOOP_UV_H
#define LEAT_IO_LOOP_UV_H

#include <uv.h>

#include "io/loop.h"

uv_loop_t *leat_loop_uv(struct leat_loop *l);
/* A read buffer of LEAT_READ_BUFFER bytes, shared by all connections of the loop: valid during one
 * read event. */
#define LEAT_READ_BUFFER ((size_t)128 * 1024)
uint8_t *leat_loop_read_buffer(struct leat_loop *l);

#endif
