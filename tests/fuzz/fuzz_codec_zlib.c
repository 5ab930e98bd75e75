/* Any bytes as a zlib body. */
#define FUZZ_CODEC LEAT_CODEC_ZLIB
#include "fuzz_codec.h"
