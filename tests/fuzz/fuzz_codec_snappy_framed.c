/* Any bytes as a snappy_framed body. */
#define FUZZ_CODEC LEAT_CODEC_SNAPPY_FRAMED
#include "fuzz_codec.h"
