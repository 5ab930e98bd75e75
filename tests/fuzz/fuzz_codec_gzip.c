/* Any bytes as a gzip body. */
#define FUZZ_CODEC LEAT_CODEC_GZIP
#include "fuzz_codec.h"
