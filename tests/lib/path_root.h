/* A made-up root for /proc and /sys, as leat_limits_root() wants. */
#ifndef LEAT_TESTS_PATH_ROOT_H
#define LEAT_TESTS_PATH_ROOT_H

struct path_root {
    char folder[64];
};

/* cmocka's setup and teardown: *state is the root, which is set until the teardown. */
int path_root_setup(void **state);
int path_root_teardown(void **state);
/* Writes a file below the root, and the folders above it. */
void path_root_write(struct path_root *r, const char *path, const char *text);

#endif
