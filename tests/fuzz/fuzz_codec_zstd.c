/* Any bytes as a zstd body. */
#define FUZZ_CODEC LEAT_CODEC_ZSTD
#include "fuzz_codec.h"
