/* What the wire reader and writer take for granted about the machine. */
#include "proto/wire.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "fixed32 and fixed64 are copied as they are: add byte swaps to wire.h first");
