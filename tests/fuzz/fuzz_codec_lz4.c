/* Any bytes as a lz4 body. */
#define FUZZ_CODEC LEAT_CODEC_LZ4
#include "fuzz_codec.h"
