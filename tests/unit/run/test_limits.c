/* What cgroups v1 and v2 and the machine allow, read from made-up roots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include <cmocka.h>

#include "lib/path_root.h"
#include "run/limits.h"

static uint64_t machine(void)
{
    struct sysinfo info;

    sysinfo(&info);
    return (uint64_t)info.totalram * info.mem_unit;
}

static void test_nothing_there(void **state)
{
    struct path_root *r = *state;
    int is_cgroup;

    (void)r;
    assert_true(leat_limits_memory(&is_cgroup) == machine());
    assert_false(is_cgroup);
    assert_true(leat_limits_processors() >= 1);
}

static void test_v2_own_group(void **state)
{
    struct path_root *r = *state;
    int is_cgroup;

    path_root_write(r, "/proc/self/cgroup", "0::/kubepods/pod1/main\n");
    path_root_write(r, "/sys/fs/cgroup/kubepods/pod1/main/memory.max", "209715200\n");
    path_root_write(r, "/sys/fs/cgroup/kubepods/pod1/main/cpu.max", "50000 100000\n");
    assert_true(leat_limits_memory(&is_cgroup) == 209715200);
    assert_true(is_cgroup);
    assert_int_equal(leat_limits_processors(), 1);
}

static void test_v2_a_group_above_is_smaller(void **state)
{
    struct path_root *r = *state;
    int is_cgroup;

    path_root_write(r, "/proc/self/cgroup", "12:pids:/x\n0::/a/b\n");
    path_root_write(r, "/sys/fs/cgroup/a/b/memory.max", "max\n");
    path_root_write(r, "/sys/fs/cgroup/a/memory.max", "104857600\n");
    assert_true(leat_limits_memory(&is_cgroup) == 104857600);
    assert_true(is_cgroup);
    path_root_write(r, "/sys/fs/cgroup/a/b/memory.max", "52428800\n");
    assert_true(leat_limits_memory(&is_cgroup) == 52428800);
}

/* Inside a container the own group is the root of what one sees. */
static void test_v2_at_the_root(void **state)
{
    struct path_root *r = *state;
    int is_cgroup;

    path_root_write(r, "/proc/self/cgroup", "0::/\n");
    path_root_write(r, "/sys/fs/cgroup/memory.max", "33554432\n");
    path_root_write(r, "/sys/fs/cgroup/cpu.max", "max 100000\n");
    assert_true(leat_limits_memory(&is_cgroup) == 33554432);
    assert_true(leat_limits_processors() >= 1);
}

static void test_v1(void **state)
{
    struct path_root *r = *state;
    int is_cgroup;

    path_root_write(r, "/proc/self/cgroup", "5:memory:/docker/abc\n");
    path_root_write(r, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n");
    path_root_write(r, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
    path_root_write(r, "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_true(leat_limits_memory(&is_cgroup) == 268435456);
    assert_true(is_cgroup);
    assert_int_equal(leat_limits_processors(), 1);
    /* no limit: a very large number, and -1 */
    path_root_write(r, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    path_root_write(r, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    assert_true(leat_limits_memory(&is_cgroup) == machine());
    assert_false(is_cgroup);
}

/* In a v1 host without a container's mount the own group lies below. */
static void test_v1_own_group(void **state)
{
    struct path_root *r = *state;
    int is_cgroup;

    path_root_write(r, "/proc/self/cgroup",
                    "7:cpu,cpuacct:/leat.slice\n5:memory:/leat.slice\n0::/\n");
    path_root_write(r, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    path_root_write(r, "/sys/fs/cgroup/memory/leat.slice/memory.limit_in_bytes", "67108864\n");
    path_root_write(r, "/sys/fs/cgroup/cpu/leat.slice/cpu.cfs_quota_us", "20000\n");
    path_root_write(r, "/sys/fs/cgroup/cpu/leat.slice/cpu.cfs_period_us", "100000\n");
    assert_true(leat_limits_memory(&is_cgroup) == 67108864);
    assert_true(is_cgroup);
    assert_int_equal(leat_limits_processors(), 1);
}

static void test_odd_contents_are_no_limit(void **state)
{
    static const char *const odd[] = {"",    "\n",     "-5\n",
                                      "0\n", "many\n", "999999999999999999999999999999\n"};
    struct path_root *r = *state;
    int is_cgroup;

    path_root_write(r, "/proc/self/cgroup", "0::/\n");
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        path_root_write(r, "/sys/fs/cgroup/memory.max", odd[i]);
        path_root_write(r, "/sys/fs/cgroup/cpu.max", odd[i]);
        assert_true(leat_limits_memory(&is_cgroup) == machine());
        assert_true(leat_limits_processors() >= 1);
    }
}

int main(void)
{
#define AT(test) cmocka_unit_test_setup_teardown(test, path_root_setup, path_root_teardown)
    const struct CMUnitTest tests[] = {
        AT(test_nothing_there),
        AT(test_v2_own_group),
        AT(test_v2_a_group_above_is_smaller),
        AT(test_v2_at_the_root),
        AT(test_v1),
        AT(test_v1_own_group),
        AT(test_odd_contents_are_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
