/* Any bytes as an htpasswd text, and as the value of an Authorization header. */
#include <string.h>

#include "base/check.h"
#include "io/htpasswd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct leat_htpasswd *known;
    struct leat_err err = {""};
    struct leat_htpasswd *h;

    if (known == NULL)
        known = leat_htpasswd_new(leat_bytes_str("a:{SHA}87u9ZqY9S/F0eUBXjsPQEDUw4h0=\n"
                                                 "b:$apr1$abcdefgh$5VEbMkemELfbhC5ck.U.z1\nc:c"),
                                  leat_bytes(NULL, 0), NULL);
    leat_htpasswd_admit(known, leat_bytes(data, len));
    h = leat_htpasswd_new(leat_bytes(data, len / 2), leat_bytes(data + len / 2, len - len / 2),
                          &err);
    LEAT_CHECK((h == NULL) == (err.text[0] != '\0'));
    if (h != NULL)
        leat_htpasswd_check(h, leat_bytes_str("a"), leat_bytes(data, len < 8 ? len : 8));
    leat_htpasswd_free(h);
    return 0;
}
