/* Files: reading whole, appending in order, torn and failed writes, rotation, watching. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/file.h"
#include "lib/io_loopback.h"

static char dir[] = "/tmp/leat-file-XXXXXX";
static char path[64], other[64];

static int make_dir(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/f", dir);
    snprintf(other, sizeof other, "%s/g", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    return rmdir(dir);
}

static void assert_content(const char *where, const char *expected)
{
    struct leat_text t;
    struct leat_err err = {""};

    if (leat_file_read(where, 1000, &t, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(leat_text_get(&t), expected);
    leat_text_done(&t);
}

static void put(const char *where, const char *text)
{
    FILE *f = fopen(where, "w");

    assert_true(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void reads_up_to_a_maximum(void **state)
{
    struct leat_text t;
    struct leat_err err;

    (void)state;
    put(path, "0123456789");
    assert_int_equal(leat_file_read(path, 10, &t, &err), 0);
    assert_string_equal(leat_text_get(&t), "0123456789");
    leat_text_done(&t);
    assert_int_equal(leat_file_read(path, 9, &t, &err), -1);
    assert_non_null(strstr(err.text, "is larger than 9 bytes"));
    leat_text_done(&t);
    assert_int_equal(leat_file_read(dir, 9, &t, &err), -1);
    assert_non_null(strstr(err.text, "Is a directory"));
    leat_text_done(&t);
    assert_int_equal(leat_file_read("/nonexistent", 9, &t, &err), -1);
    assert_string_equal(err.text, "cannot read /nonexistent: No such file or directory");
    leat_text_done(&t);
    put(path, "");
    assert_int_equal(leat_file_read(path, 9, &t, &err), 0);
    assert_string_equal(leat_text_get(&t), "");
    leat_text_done(&t);
    unlink(path);
}

struct line {
    struct leat_file_write write;
    int done, result, order;
};
static int order;

static void on_done(struct leat_file_write *w, int result)
{
    struct line *l = LEAT_OWNER(w, struct line, write);

    l->done++;
    l->result = result;
    l->order = ++order;
}

static void write_line(struct leat_file *f, struct line *l, const char *text)
{
    *l = (struct line){.write = {.bytes = leat_bytes_str(text), .done = on_done}};
    leat_file_write(f, &l->write);
    assert_int_equal(l->done, 0); /* never from inside the call */
}

static void count(void *arg)
{
    ++*(int *)arg;
}

static bool unreadable; /* what the watch looks at */

static bool changed(void *arg)
{
    ++*(int *)arg;
    return !unreadable;
}

static void note(void *arg, int result)
{
    *(int *)arg = result;
}

static void appends_in_order(void **state)
{
    struct leat_loop *loop = leat_loop_new(NULL);
    struct leat_err err = {""};
    struct leat_file *f;
    struct line l[3];
    int closed = 0;

    (void)state;
    put(path, "old,");
    f = leat_file_open(loop, path, false, &err);
    assert_non_null(f);
    assert_int_equal(leat_file_size(f), 4);
    order = 0;
    write_line(f, &l[0], "one,");
    write_line(f, &l[1], "two,");
    write_line(f, &l[2], "three");
    assert_int_equal(leat_file_size(f), 17); /* with what is being written */
    leat_file_close(f, count, &closed);
    assert_int_equal(closed, 0);
    IO_UNTIL(loop, closed);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(l[i].done, 1);
        assert_int_equal(l[i].result, 0);
        assert_int_equal(l[i].order, i + 1);
    }
    assert_content(path, "old,one,two,three");
    f = leat_file_open(loop, path, true, &err);
    assert_int_equal(leat_file_size(f), 0);
    leat_file_close(f, NULL, NULL);
    leat_loop_free(loop); /* waits for it */
    assert_content(path, "");
    assert_null(leat_file_open(NULL, "/nonexistent/f", false, &err));
    assert_string_equal(err.text,
                        "cannot open /nonexistent/f for writing: No such file or directory");
    leat_file_close(NULL, count, &closed);
    assert_int_equal(closed, 2);
    unlink(path);
}

/* Takes three bytes at a time, and none after `room` bytes. Only the pool's one worker under way
 * calls it. */
static size_t room;

static long scarce_write(int fd, const void *data, size_t len)
{
    size_t n = len < 3 ? len : 3;

    if (room == 0) {
        errno = ENOSPC;
        return -1;
    }
    n = n < room ? n : room;
    room -= n;
    return write(fd, data, n);
}

static void short_writes_go_on_and_torn_ones_are_cut_back(void **state)
{
    static const struct leat_file_test_hooks scarce = {.write = scarce_write};
    struct leat_loop *loop = leat_loop_new(NULL);
    struct leat_file *f = leat_file_open(loop, path, true, NULL);
    struct line l[3];

    (void)state;
    leat_file_set_test_hooks(&scarce);
    room = 15;
    write_line(f, &l[0], "0123456789,");
    write_line(f, &l[1], "abcdefghi,");
    write_line(f, &l[2], "x");
    IO_UNTIL(loop, l[2].done);
    assert_int_equal(l[0].result, 0);
    assert_int_equal(l[1].result, -ENOSPC);
    assert_int_equal(l[2].result, -ENOSPC);
    assert_content(path, "0123456789,");
    assert_int_equal(leat_file_size(f), 11);
    room = 100; /* there is space again */
    write_line(f, &l[1], "abcdefghi,");
    IO_UNTIL(loop, l[1].done);
    assert_int_equal(l[1].result, 0);
    assert_content(path, "0123456789,abcdefghi,");
    leat_file_close(f, NULL, NULL);
    leat_loop_free(loop);
    leat_file_set_test_hooks(NULL);
    unlink(path);
}

static int no_open(const char *where, int flags, unsigned mode)
{
    (void)where;
    (void)flags;
    (void)mode;
    errno = EMFILE;
    return -1;
}

static void rotates_between_writes(void **state)
{
    static const struct leat_file_test_hooks closed_door = {.open = no_open};
    struct leat_loop *loop = leat_loop_new(NULL);
    struct leat_file *f = leat_file_open(loop, path, true, NULL);
    struct line l[3];
    int result = 1;

    (void)state;
    write_line(f, &l[0], "before");
    assert_int_equal(leat_file_rotate(f, other, note, &result), 0);
    write_line(f, &l[1], "after");
    assert_int_equal(result, 1);
    IO_UNTIL(loop, l[1].done);
    assert_int_equal(result, 0);
    assert_content(other, "before");
    assert_content(path, "after");
    assert_int_equal(leat_file_size(f), 5);

    result = 1; /* no new file: all stays as it was */
    leat_file_set_test_hooks(&closed_door);
    assert_int_equal(leat_file_rotate(f, other, note, &result), 0);
    IO_UNTIL(loop, result != 1);
    assert_int_equal(result, -EMFILE);
    leat_file_set_test_hooks(NULL);
    write_line(f, &l[2], ",more");
    IO_UNTIL(loop, l[2].done);
    assert_content(path, "after,more");
    leat_file_close(f, NULL, NULL);
    leat_loop_free(loop);
    unlink(path);
    unlink(other);
}

static void a_watch_sees_each_change_once(void **state)
{
    struct leat_loop *loop = leat_loop_new(NULL);
    struct leat_watch *w;
    int changes = 0;

    (void)state;
    leat_clock_fake(LEAT_SEC, 0);
    w = leat_watch_new(loop, path, LEAT_SEC, changed, &changes);
    assert_false(leat_loop_turn(loop)); /* keeps nobody alive */
    leat_clock_step(LEAT_SEC);
    leat_loop_turn(loop);
    assert_int_equal(changes, 0);
    put(path, "a"); /* it appears */
    leat_loop_turn(loop);
    assert_int_equal(changes, 0);
    leat_clock_step(LEAT_SEC);
    leat_loop_turn(loop);
    assert_int_equal(changes, 1);
    leat_clock_step(LEAT_SEC);
    leat_loop_turn(loop);
    assert_int_equal(changes, 1);
    put(other, "b"); /* another takes its place: same size */
    assert_int_equal(rename(other, path), 0);
    leat_clock_step(LEAT_SEC);
    leat_loop_turn(loop);
    assert_int_equal(changes, 2);
    unlink(path); /* it goes */
    leat_clock_step(LEAT_SEC);
    leat_loop_turn(loop);
    assert_int_equal(changes, 3);
    unreadable = true;
    put(path, "c");
    for (int i = 4; i < 7; i++) { /* again at each look */
        leat_clock_step(LEAT_SEC);
        leat_loop_turn(loop);
        assert_int_equal(changes, i);
        unreadable = i < 5;
    }
    leat_clock_step(LEAT_SEC);
    leat_loop_turn(loop);
    assert_int_equal(changes, 6);
    leat_watch_free(w);
    leat_watch_free(NULL);
    leat_clock_real();
    leat_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_up_to_a_maximum),
        cmocka_unit_test(appends_in_order),
        cmocka_unit_test(short_writes_go_on_and_torn_ones_are_cut_back),
        cmocka_unit_test(rotates_between_writes),
        cmocka_unit_test(a_watch_sees_each_change_once),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
