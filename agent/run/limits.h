/* What this process may use: processors and memory, as its cgroup (v2 or v1) and the machine say.
 */
#ifndef LEAT_RUN_LIMITS_H
#define LEAT_RUN_LIMITS_H

#include <stdint.h>

unsigned leat_limits_processors(void); /* at least 1; a quota of 1.5 counts as 2 */
uint64_t
leat_limits_memory(int *ret_is_cgroup); /* bytes; *ret_is_cgroup: the cgroup is the smaller */
/* With another root for /proc and /sys: for tests. */
void leat_limits_root(const char *root);

#endif
