/* HTTP/1.1 as an attacker writes it. */
#include "fuzz/fuzz_served.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len > 1)
        fuzz_feed(data + 1, len - 1, data[0]);
    return 0;
}
