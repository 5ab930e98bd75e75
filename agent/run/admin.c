/* The admin socket. */
#include "run/admin.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/units.h"
#include "io/listen_bind.h"
#include "run/admin_dir.h"
#include "run/house.h"
#include "run/page.h"
#include "run/report.h"

#define SOURCE_MAX 300 /* bytes of a source's name */
#define ONLY_OURS  0600

struct leat_admin {
    struct leat_admin_conf conf;
    struct leat_page *page;
    int64_t born;
};

/* A source that is the configuration itself may hold secrets: its scheme will do. */
static void add_source(struct leat_report *r, const char *source)
{
    char name[SOURCE_MAX];

    snprintf(name, sizeof name, "%s", strncmp(source, "yaml:", 5) == 0 ? "yaml:…" : source);
    leat_report_add_config(r, name);
}

static void status(void *arg, struct leat_text *out)
{
    struct leat_admin *a = arg;
    struct leat_report *r = leat_report_collect(a->conf.house, a->born);

    for (unsigned i = 0; i < a->conf.nsources; i++)
        add_source(r, a->conf.sources[i]);
    leat_report_write(r, out);
    leat_report_free(r);
}

static bool is_off(const char *setting)
{
    return setting != NULL && strcmp(setting, "none") == 0;
}

int leat_admin_check(const char *setting, struct leat_err *err)
{
    const size_t most = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    int word;

    if (setting == NULL || is_off(setting))
        return 0;
    if (setting[0] == '\0' || leat_parse_bool(setting, &word) == 0)
        return leat_fail(err, "must be the path of a socket, or none");
    if (strlen(setting) > most)
        return leat_fail(
            err, "must be a path of at most %zu bytes: sockets cannot have longer ones", most);
    return 0;
}

int leat_admin_try(const char *setting, struct leat_err *err)
{
    struct leat_bind_ask ask = {
        .endpoint = setting, .type = SOCK_STREAM, .family = AF_UNIX, .permissions = ONLY_OURS};
    struct leat_bind bind;

    if (setting == NULL || is_off(setting))
        return 0;
    if (leat_bind(&bind, &ask, err) < 0)
        return -1;
    leat_bind_done(&bind);
    return 0;
}

static int serve(struct leat_admin *a, const char *path, struct leat_loop *loop,
                 struct leat_err *err)
{
    struct leat_page_conf conf = {
        .who = "admin", .endpoint = path, .unix_socket = true, .status = status, .arg = a};

    a->page = leat_page_new(&conf, loop, leat_house_of(a->conf.house), err);
    return a->page == NULL ? -1 : 0;
}

static int serve_default(struct leat_admin *a, struct leat_loop *loop, struct leat_err *err)
{
    struct leat_admin_dirs dirs;
    char *path;
    int result;

    leat_admin_dirs_init(&dirs);
    path = leat_admin_dir_path(&dirs, getpid(), err);
    result = path != NULL ? serve(a, path, loop, err) : -1;
    leat_free(path);
    leat_admin_dirs_done(&dirs);
    return result;
}

int leat_admin_open(const struct leat_admin_conf *conf, struct leat_loop *loop,
                    struct leat_admin **ret, struct leat_err *err)
{
    struct leat_admin *a;

    *ret = NULL;
    if (is_off(conf->setting))
        return 0;
    a = leat_new(sizeof *a);
    a->conf = *conf;
    a->born = leat_clock_mono();
    if ((conf->setting != NULL ? serve(a, conf->setting, loop, err)
                               : serve_default(a, loop, err)) == 0) {
        leat_debug(NULL, "admin socket at %s", leat_page_text(a->page));
        *ret = a;
        return 0;
    }
    leat_admin_free(a);
    if (conf->setting != NULL)
        return leat_fail_in(err, "leat.admin");
    leat_warn(NULL,
              "no admin socket, so 'leat top' cannot see this program: %s (leat.admin names "
              "another place; none says that there should be none)",
              err->text);
    return 0;
}

void leat_admin_free(struct leat_admin *a)
{
    if (a == NULL)
        return;
    leat_page_free(a->page);
    leat_free(a);
}
