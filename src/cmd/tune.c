/* tune: parses the verb, asks the doctor what N connections need, and raises that. */
#include "cmd/tune.h"

#include "base/opt.h"
#include "base/result.h"
#include "base/text.h"
#include "cmd/choices.h"
#include "cmd/classic_conf.h"
#include "cmd/classic_files.h"
#include "cmd/classic_host.h"
#include "cmd/classic_next.h"
#include "cmd/tune_say.h"
#include "cmd/verb.h"
#include "kernel/persist.h"
#include "kernel/settings.h"
#include "run/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N_DEFAULT    1000000
#define NOFILE_SPARE 1024 /* that a process has open beside its connections */

struct command {
	uint64_t n; /* 0: not given */
	int role;   /* -1: not given */
	const char *source, *target, *config;
	struct opt_ports ports;
	uint64_t nofile; /* 0: not given */
	bool dry_run, force, help;
};

#define AT(field) offsetof(struct command, field)
static const struct opt options[] = {
	{"connections", 'n', OPT_COUNT, AT(n), 1, UINT64_C(1000000000000), NULL, "N",
         "how many connections (default 1M, or what FILE says)"},
	CHOICES_ROW_ROLE(role),
	CHOICES_ROW_SOURCE(source),
	CHOICES_ROW_PORTS(ports),
	{"target", 0, OPT_TEXT, AT(target), 0, 0, NULL, "HOST:PORT[-PORT]",
         "where to, as connect has it"},
	{"config", 'c', OPT_TEXT, AT(config), 0, 0, NULL, "FILE",
         "n, source, ports, target and role from a megaconn.conf, and say the next step; options "
         "given beside it win"},
	{"nofile", 0, OPT_COUNT, AT(nofile), 1024, PERSIST_NOFILE_MOST, NULL, "N",
         "of persist: open files of a process (default n + 1024, or what is now)"},
	{"dry-run", 0, OPT_FLAG, AT(dry_run), 0, 0, NULL, NULL,
         "say what would be done, and write nothing"},
	{"force", 'f', OPT_FLAG, AT(force), 0, 0, NULL, NULL,
         "of revert: put back also what somebody else has changed since"},
	CHOICES_ROW_HELP,
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static struct settings_list list, journalled;

/* ---- what all verbs need -------------------------------------------------------------------- */

static int exit_code(int failed)
{
	switch (failed) {
	case -EPERM:
	case -EACCES:
	case -EROFS:
	case -EBUSY:
	case -EEXIST:
	case -EXDEV:
		return EXIT_REFUSED;
	default:
		return failed < 0 ? EXIT_FAILED : EXIT_PASS;
	}
}

static int fail(int failed, const struct err *err)
{
	err_print(err);
	return exit_code(failed);
}

/* Returns the exit code of a command that has said what it would do. */
static int need_root(const char *verb)
{
	struct err err;

	err_set(&err, 0, "tune %s needs root: nothing was changed (sudo megaconn tune %s ...)",
	        verb, verb);
	err_print(&err);
	return EXIT_REFUSED;
}

static bool is_root(void)
{
	return geteuid() == 0;
}

/* What this host is for, by the addresses that it has. */
static void take_role(struct command *c, const struct classic_conf *conf)
{
	static const enum wall_role roles[] = {
		[CLASSIC_NEITHER] = WALL_ROLE_BOTH,
		[CLASSIC_SERVER] = WALL_ROLE_SERVER,
		[CLASSIC_CLIENT] = WALL_ROLE_CLIENT,
		[CLASSIC_ONE_HOST] = WALL_ROLE_BOTH,
	};
	struct classic_host host;
	struct err err;

	if (c->role < 0 && classic_host_look(conf, &host, &err) == 0)
		c->role = (int)roles[host.place];
}

/* n, source, ports, target and role of the file, where they were not given. */
static int take_config(struct command *c, struct err *err)
{
	static char target[CLASSIC_TARGET_BYTES], first[IP_TEXT_BYTES];
	static struct classic_conf conf;

	if (!c->config)
		return 0;
	int failed = classic_conf_read(c->config, &conf, err);

	if (failed < 0)
		return failed;
	c->n = c->n > 0 ? c->n : conf.n;
	c->ports = c->ports.low > 0 ? c->ports : conf.client_ports;
	c->source = c->source ? c->source : classic_conf_source(&conf, first);
	c->target = c->target ? c->target : classic_conf_target(&conf, target);
	take_role(c, &conf);
	return 0;
}

/* Asks the doctor; *code is the exit code where that fails. */
static int ask(struct command *c, struct settings_item items[WALL_ASKS_MOST], uint32_t *count,
               int *code)
{
	static struct wall_report report;
	struct err err = {""};
	int failed = take_config(c, &err);

	*code = EXIT_USAGE;
	if (failed == 0) {
		c->n = c->n > 0 ? c->n : N_DEFAULT;
		const struct doctor_options doctor = {
			.n = c->n,
			.role = c->role >= 0 ? (enum wall_role)c->role : WALL_ROLE_BOTH,
			.source = c->source,
			.target = c->target,
			.port_low = c->ports.low,
			.port_high = c->ports.high,
			.is_assumed = true,
		};

		failed = doctor_examine(&doctor, NULL, &report, &err);
		*code = failed == -EINVAL ? EXIT_USAGE : exit_code(failed);
	}
	if (failed < 0) {
		err_print(&err);
		return failed;
	}
	*count = report.ask_count;
	for (uint32_t i = 0; i < report.ask_count; i++)
		items[i] = (struct settings_item){report.asks[i].name, report.asks[i].value};
	return 0;
}

/* Fills `list` with what the doctor asks for and what is now. */
static int plan(struct command *c, int *code)
{
	struct settings_item items[WALL_ASKS_MOST];
	struct err err = {""};
	uint32_t count = 0;
	int failed = ask(c, items, &count, code);

	if (failed < 0)
		return failed;
	failed = settings_plan(items, count, &list, &err);
	if (failed < 0)
		*code = fail(failed, &err);
	return failed;
}

/* Of which end, where it is one. */
static const char *role_words(const struct command *c)
{
	return c->role == WALL_ROLE_SERVER   ? " at the server's end"
	       : c->role == WALL_ROLE_CLIENT ? " at the client's end"
	                                     : "";
}

static void say_nothing_to_change(const struct command *c)
{
	char buffer[32];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	text_count(&text, c->n);
	printf("nothing to change: no setting stands in the way of %s connections%s\n", buffer,
	       role_words(c));
}

/* ---- apply, show, diff ---------------------------------------------------------------------- */

static int apply(struct command *c)
{
	struct settings_item items[WALL_ASKS_MOST];
	struct err err = {""};
	uint32_t count = 0;
	int code;

	if (ask(c, items, &count, &code) < 0)
		return code;
	bool is_wish = c->dry_run || !is_root();
	int rc = is_wish ? settings_plan(items, count, &list, &err)
	                 : settings_apply(items, count, &list, &err);

	if (rc < 0)
		return fail(rc, &err);
	if (tune_say_changes(&list, is_wish ? "would set " : "") == 0) {
		say_nothing_to_change(c);
		if (!c->dry_run)
			classic_next(CLASSIC_TUNED, c->config);
		return EXIT_PASS;
	}
	if (is_wish)
		return c->dry_run ? EXIT_PASS : need_root("apply");
	if (c->config)
		printf("no other setting is in the way%s; make untune puts it back\n",
		       role_words(c));
	else
		printf("next: megaconn tune revert puts it back; megaconn tune persist keeps it\n");
	classic_next(CLASSIC_TUNED, c->config);
	return EXIT_PASS;
}

/* Newest first: the last one that is told of a setting is what was before all. */
static void note_journalled(void *context, const struct settings_told *told)
{
	uint32_t at = 0;

	(void)context;
	if (told->event == SETTINGS_PROBLEM) {
		struct err err;

		err_set(&err, 0, "%s", told->why);
		err_print(&err);
		return;
	}
	while (at < journalled.count &&
	       strcmp(journalled.records[at].name, told->record->name) != 0)
		at++;
	if (at == SETTINGS_MOST)
		return;
	journalled.records[at] = *told->record;
	journalled.count = at == journalled.count ? at + 1 : journalled.count;
}

static int show(struct command *c)
{
	const struct settings_view view = {.tell = note_journalled};
	struct err err = {""};
	int code;

	if (plan(c, &code) < 0)
		return code;
	journalled.count = 0;
	int rc = settings_each(&view, &err);
	bool is_hidden = rc == -EACCES && !is_root();

	tune_say_table(&list, is_hidden ? NULL : &journalled);
	if (is_hidden)
		printf("(what is journalled, only root may see)\n");
	return rc < 0 && !is_hidden ? fail(rc, &err) : EXIT_PASS;
}

static int diff(struct command *c)
{
	int code;

	if (plan(c, &code) < 0)
		return code;
	if (tune_say_changes(&list, "") == 0)
		say_nothing_to_change(c);
	return EXIT_PASS;
}

/* ---- revert --------------------------------------------------------------------------------- */

/* Whether it had to. */
static bool warn_of_running(void)
{
	bool has_warned = false;
	struct pidfile_process who;
	struct err err;

	for (int i = 0; i < 2; i++) {
		enum classic_side side = i == 0 ? CLASSIC_SIDE_SERVER : CLASSIC_SIDE_CLIENT;

		if (!classic_runs(side, &who))
			continue;
		err_set(&err, 0,
		        "warning: the %s that %s started runs (pid %d), with settings that are "
		        "put back under it: %s is what comes before",
		        classic_side_name(side), i == 0 ? "run-srv" : "run-cli", who.pid,
		        i == 0 ? "make stop-srv" : "make stop-cli");
		err_print(&err);
		has_warned = true;
	}
	return has_warned;
}

static int revert(struct command *c)
{
	struct tune_say_revert say = {.dry_run = c->dry_run || !is_root()};
	const struct settings_revert how = {.force = c->force, .dry_run = say.dry_run};
	const struct settings_view view = {.tell = tune_say_told, .context = &say};
	struct err err = {""};

	bool has_warned = !say.dry_run && warn_of_running();
	int rc = settings_revert(&how, &view, &err);

	if (rc == 0)
		printf("nothing to revert\n");
	else if (!is_root() && (!c->dry_run || rc == -EACCES))
		return need_root("revert");
	else if (rc < 0)
		return fail(rc, &err);
	if (!say.dry_run && !has_warned)
		classic_next(CLASSIC_UNTUNED, c->config);
	return EXIT_PASS;
}

/* ---- persist, unpersist --------------------------------------------------------------------- */

static void say_drop_in(const struct persist *persist)
{
	printf("for a service of systemd, which reads neither, a drop-in:\n"
	       "/etc/systemd/system/NAME.service.d/60-megaconn.conf\n"
	       "[Service]\n");
	if (persist->nofile_soft == persist->nofile_hard)
		printf("LimitNOFILE=%" PRIu64 "\n", persist->nofile_hard);
	else
		printf("LimitNOFILE=%" PRIu64 ":%" PRIu64 "\n", persist->nofile_soft,
		       persist->nofile_hard);
}

static int persist(struct command *c)
{
	bool is_wish = c->dry_run || !is_root();
	struct persist what;
	struct err err = {""};
	int code;

	if (plan(c, &code) < 0)
		return code;
	bool is_chosen = c->nofile > 0;
	uint64_t nofile = is_chosen ? c->nofile : c->n + NOFILE_SPARE;
	int failed = persist_init(&what, &list, nofile, is_chosen, &err);

	if (failed == 0)
		failed = is_wish ? persist_check(&err) : persist_write(&what, &err);
	if (failed < 0)
		return fail(failed, &err);
	for (enum persist_file which = 0; which < PERSIST_FILE_COUNT; which++)
		printf("%s %s:\n%s\n", is_wish ? "would write" : "written:", persist_path(which),
		       persist_text(&what, which));
	say_drop_in(&what);
	if (is_wish)
		return c->dry_run ? EXIT_PASS : need_root("persist");
	printf("next: sysctl --system sets them now; limits hold from the next login; megaconn "
	       "tune unpersist removes both files\n");
	return EXIT_PASS;
}

/* Removes one file where it is ours; returns an exit code. */
static int unpersist_one(enum persist_file which, bool is_wish, bool *is_there)
{
	const char *path = persist_path(which);
	struct err err = {""};
	int state = persist_look(which, &err);

	if (state < 0)
		return fail(state, &err);
	if (state == PERSIST_NONE) {
		printf("%s: is not there\n", path);
		return EXIT_PASS;
	}
	if (state == PERSIST_FOREIGN) {
		err_set(&err, 0, "%s is not megaconn's: left", path);
		return fail(-EEXIST, &err);
	}
	*is_there = true;
	int failed = is_wish ? 0 : persist_remove(which, &err);

	if (failed < 0)
		return fail(failed, &err);
	printf("%s: %s\n", path, is_wish ? "would be removed" : "removed");
	return EXIT_PASS;
}

static int unpersist(struct command *c)
{
	bool is_wish = c->dry_run || !is_root(), is_there = false;
	/* The limits first: they may need the setting of fs.nr_open. */
	int limits = unpersist_one(PERSIST_LIMITS, is_wish, &is_there);
	int settings = limits == EXIT_FAILED ? EXIT_FAILED
	                                     : unpersist_one(PERSIST_SYSCTL, is_wish, &is_there);

	if (is_wish && !c->dry_run && is_there)
		return need_root("unpersist");
	return limits != EXIT_PASS ? limits : settings;
}

/* ---- the command ---------------------------------------------------------------------------- */

static const struct verb {
	const char *name;
	int (*act)(struct command *c);
	bool asks; /* the doctor: takes -n and what goes with it */
	const char *help;
} verbs[] = {
	{"apply", apply, true, "raises the settings that N connections need; lowers none"},
	{"show", show, true, "what is now, what is wanted, and what was before, as a table"},
	{"diff", diff, true, "only what apply would change"},
	{"persist", persist, true, "files with which they hold after the next start"},
	{"unpersist", unpersist, false, "removes these files"},
	{"revert", revert, false, "puts back what apply changed, also after a crash"},
};
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static void print_help(void)
{
	printf("usage: megaconn tune VERB [-n N] [options]\n\n"
	       "Raises the kernel settings that N connections need, and puts them back.\n\n");
	for (size_t i = 0; i < VERB_COUNT; i++)
		printf("  %-10s %s\n", verbs[i].name, verbs[i].help);
	printf("\n");
	opt_print_help(options, OPTION_COUNT);
	printf("\nThe old values are in /var/lib/megaconn before the first new one is written.\n\n"
	       "exit codes: 0 done, 1 failed, or somebody else has changed a setting since,\n"
	       "2 usage, 4 refused: no root, no permission, another network namespace, a file\n"
	       "that is not megaconn's, more open files than fs.nr_open\n");
}

/* Options that the verb does not take are a misunderstanding. */
static int refuse_strange(const struct verb *verb, const struct command *c, struct err *err)
{
	const char *strange = NULL;

	if (!verb->asks && (c->n > 0 || c->role >= 0 || c->source || c->target))
		strange = "-n, --role, --source and --target";
	else if (!verb->asks && verb->act != revert && c->config)
		strange = "--config";
	else if (c->nofile > 0 && verb->act != persist)
		strange = "--nofile";
	else if (c->force && verb->act != revert)
		strange = "--force";
	if (!strange)
		return 0;
	return err_set(err, -EINVAL, "'tune %s' does not take %s (see 'megaconn tune --help')",
	               verb->name, strange);
}

static int find_verb(int argc, char **argv, struct command *c, const struct verb **verb,
                     struct err *err)
{
	const struct verb_table table = {.command = "tune",
	                                 .ask = "which verb?",
	                                 .rows = verbs,
	                                 .row_bytes = sizeof(verbs[0]),
	                                 .row_count = VERB_COUNT,
	                                 .is_alone = true};
	int at;
	int failed = opt_parse(options, OPTION_COUNT, "tune", argc, argv, c, &at, err);

	if (failed < 0 || c->help)
		return failed;
	*verb = verb_find(&table, argc, argv, at, err);
	return *verb ? refuse_strange(*verb, c, err) : -EINVAL;
}

int cmd_tune(int argc, char **argv)
{
	struct command c = {.role = -1};
	const struct verb *verb = NULL;
	struct err err = {""};

	if (find_verb(argc, argv, &c, &verb, &err) < 0) {
		err_print(&err);
		return EXIT_USAGE;
	}
	if (c.help || !verb) {
		print_help();
		return EXIT_PASS;
	}
	return verb->act(&c);
}
