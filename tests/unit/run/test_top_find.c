/* Where admin sockets lie, which folders are trusted, and which sockets are found. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "run/top_find.h"

static char top[] = "/tmp/leat-find-XXXXXX";
static char path[300];

static const char *in(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", top, name);
    return path;
}

/* A listening socket; closed, it is one that a killed program has left behind. */
static int listen_at(const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", in(name));
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* The number of a process that was, and is no more. */
static pid_t gone(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    return pid;
}

static size_t find(const char *folder, pid_t pid, struct leat_top_finds *f)
{
    struct leat_admin_dirs dirs = {.paths = {leat_strdup(in(folder))}, .n = 1};

    leat_top_find(f, &dirs, pid);
    leat_admin_dirs_done(&dirs);
    return f->n;
}

static void test_found(void **state)
{
    struct leat_top_finds f;
    pid_t dead = gone();
    char name[64];
    int fds[4];

    (void)state;
    assert_int_equal(mkdir(in("a"), 0700), 0);
    fds[0] = listen_at("a/12.sock");
    fds[1] = listen_at("a/other.sock");
    snprintf(name, sizeof name, "a/%d.sock", (int)getpid());
    fds[2] = listen_at(name); /* refuses, but its process lives: it may be about to listen */
    close(fds[2]);
    snprintf(name, sizeof name, "a/%d.sock", (int)dead);
    fds[3] = listen_at(name);
    close(fds[3]);
    close(open(in("a/13.sock"), O_CREAT | O_WRONLY, 0600)); /* no socket */
    assert_int_equal(symlink("12.sock", in("a/14.sock")), 0);

    assert_int_equal(find("a", 0, &f), 1);
    assert_int_equal(f.items[0].pid, 12);
    assert_string_equal(f.items[0].path, in("a/12.sock"));
    assert_string_equal(leat_text_get(&f.looked), in("a"));
    leat_top_finds_done(&f);
    assert_int_equal(find("a", 13, &f), 0);
    leat_top_finds_done(&f);
    assert_int_equal(find("a", 12, &f), 1);
    leat_top_finds_done(&f);
    assert_int_equal(access(in(name), F_OK), -1);
    snprintf(name, sizeof name, "a/%d.sock", (int)getpid());
    assert_int_equal(access(in(name), F_OK), 0);
    assert_int_equal(access(in("a/13.sock"), F_OK), 0);
    close(fds[0]);
    close(fds[1]);
}

static void test_folders_that_are_not_trusted(void **state)
{
    struct leat_top_finds f;
    struct leat_err err;
    int fd;

    (void)state;
    assert_int_equal(mkdir(in("b"), 0700), 0);
    fd = listen_at("b/12.sock");
    assert_int_equal(symlink("b", in("link")), 0);
    assert_int_equal(find("link", 0, &f), 0);
    assert_non_null(strstr(leat_text_get(&f.looked), "is a symbolic link"));
    leat_top_finds_done(&f);
    assert_int_equal(leat_admin_dir_make(in("link"), &err), -1);
    assert_non_null(strstr(err.text, "is a symbolic link"));

    assert_int_equal(chmod(in("b"), 0722), 0);
    assert_int_equal(find("b", 0, &f), 0);
    assert_non_null(strstr(leat_text_get(&f.looked), "others may write in"));
    leat_top_finds_done(&f);
    assert_int_equal(leat_admin_dir_make(in("b"), &err), -1);

    assert_int_equal(find("b/12.sock", 0, &f), 0);
    assert_non_null(strstr(leat_text_get(&f.looked), "is no folder"));
    leat_top_finds_done(&f);
    assert_int_equal(find("nothing", 0, &f), 0);
    assert_string_equal(leat_text_get(&f.looked), in("nothing"));
    leat_top_finds_done(&f);
    close(fd);
}

/* Only root can give a folder away. */
static void test_a_foreign_folder(void **state)
{
    struct leat_top_finds f;
    struct leat_err err;
    int fd;

    (void)state;
    assert_int_equal(mkdir(in("c"), 0700), 0);
    fd = listen_at("c/12.sock");
    if (chown(in("c"), 4711, 4711) == 0) {
        assert_int_equal(find("c", 0, &f), 0);
        assert_non_null(strstr(leat_text_get(&f.looked), "belongs to another user (uid 4711)"));
        leat_top_finds_done(&f);
        assert_int_equal(leat_admin_dir_make(in("c"), &err), -1);
        assert_non_null(strstr(err.text, "belongs to another user (uid 4711)"));
        assert_int_equal(chown(in("c"), 0, 0), 0);
        assert_int_equal(chown(in("c/12.sock"), 4711, 4711), 0);
        assert_int_equal(find("c", 0, &f), 0);
        leat_top_finds_done(&f);
    }
    close(fd);
}

static void test_where_a_socket_is_put(void **state)
{
    struct leat_admin_dirs dirs = {.n = 0};
    struct leat_err err;
    struct stat st;
    char *chosen, wanted[300];

    (void)state;
    snprintf(wanted, sizeof wanted, "%s", in("made/5.sock"));
    close(open(in("file"), O_CREAT | O_WRONLY, 0600));
    dirs.paths[dirs.n++] = leat_strdup(in("missing/leat"));
    dirs.paths[dirs.n++] = leat_strdup(in("file"));
    assert_null(leat_admin_dir_path(&dirs, 5, &err));
    assert_non_null(strstr(err.text, "file is no folder"));
    dirs.paths[dirs.n++] = leat_strdup(in("made"));
    chosen = leat_admin_dir_path(&dirs, 5, &err);
    assert_non_null(chosen);
    assert_string_equal(chosen, wanted);
    leat_free(chosen);
    assert_int_equal(lstat(in("made"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    leat_admin_dirs_done(&dirs);
}

static void test_the_folders(void **state)
{
    struct leat_admin_dirs dirs;
    char own[64];

    (void)state;
    snprintf(own, sizeof own, "/tmp/leat-%lu", (unsigned long)geteuid());
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    leat_admin_dirs_init(&dirs);
    assert_int_equal(dirs.n, 3);
    assert_string_equal(dirs.paths[0], "/run/user/7/leat");
    assert_string_equal(dirs.paths[1], "/run/leat");
    assert_string_equal(dirs.paths[2], own);
    leat_admin_dirs_done(&dirs);
    setenv("XDG_RUNTIME_DIR", "relative", 1);
    leat_admin_dirs_init(&dirs);
    assert_int_equal(dirs.n, 2);
    assert_string_equal(dirs.paths[0], "/run/leat");
    leat_admin_dirs_done(&dirs);
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(leat_admin_dir_pid("1.sock"), 1);
    assert_int_equal(leat_admin_dir_pid("4194304.sock"), 4194304);
    assert_int_equal(leat_admin_dir_pid("0.sock"), 0);
    assert_int_equal(leat_admin_dir_pid("-1.sock"), 0);
    assert_int_equal(leat_admin_dir_pid(" 1.sock"), 0);
    assert_int_equal(leat_admin_dir_pid("1.sock2"), 0);
    assert_int_equal(leat_admin_dir_pid("1"), 0);
    assert_int_equal(leat_admin_dir_pid(".sock"), 0);
    assert_int_equal(leat_admin_dir_pid("99999999999.sock"), 0);
    assert_int_equal(leat_admin_dir_pid("99999999999999999999999.sock"), 0);
}

static int make_top(void **state)
{
    (void)state;
    return mkdtemp(top) == NULL;
}

static int remove_top(void **state)
{
    char command[320];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", top);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_folders_that_are_not_trusted),
        cmocka_unit_test(test_a_foreign_folder),
        cmocka_unit_test(test_where_a_socket_is_put),
        cmocka_unit_test(test_the_folders),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, make_top, remove_top);
}
