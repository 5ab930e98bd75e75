/* Any bytes as a snappy body. */
#define FUZZ_CODEC LEAT_CODEC_SNAPPY
#include "fuzz_codec.h"
