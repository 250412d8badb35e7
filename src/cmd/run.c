/* run: reads a scenario, and calls the command that it is of with its words, and after them those
 * that were given here: the last one holds. */
#include "cmd/run.h"

#include "base/conf.h"
#include "base/result.h"
#include "base/text.h"
#include "cmd/connect.h"
#include "cmd/lab.h"
#include "cmd/scenario.h"
#include "cmd/tell.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WORDS_MOST (SCENARIO_WORDS_MOST + 128)

static void print_help(void)
{
	printf("usage: megaconn run FILE [options]\n\n"
	       "Runs a scenario: a lab, or clients alone, whose hold is stages one after the\n"
	       "other: traffic, churn, a storm, more connections or fewer.\n\n"
	       "  [scenario]\n"
	       "  command = lab              or connect, with target = HOST:PORT\n"
	       "  connections = 100k         and other options of that command\n\n"
	       "  [ramp]                     may be left out\n"
	       "  connections = 50k          open after it (default: all)\n"
	       "  rate = 20k/s\n\n"
	       "  [stage rush]               as many as are wanted, in their order\n"
	       "  for = 30s\n"
	       "  connections = 100k         opened or closed until there are so many\n"
	       "  rate = 10k/s\n"
	       "  traffic = echo             and message-rate, every, message-size, in-flight,\n"
	       "  message-rate = 20k/s       churn, churn-by, storm, at, as options are called\n\n"
	       "Options are those of the command ('megaconn lab --help'), and hold in place of\n"
	       "what [scenario] says: megaconn run FILE -n 10k --json -\n\n"
	       "docs/scenario.md has every key; examples/ has files to begin with.\n");
}

/* [program] command [target] words of the file, words that were given. */
static int call(const struct scenario_command *command, struct scenario *s, int argc, char **argv,
                struct err *err)
{
	static char *words[WORDS_MOST + 1];
	static char name[16];
	struct text t;
	int count = 0;

	if ((size_t)argc + s->count + 4 > WORDS_MOST)
		return err_set(err, -EINVAL, "too many options");
	text_init(&t, name, sizeof(name));
	text_add(&t, "%s", command->name);
	words[count++] = argv[-1];
	words[count++] = name;
	if (s->target)
		words[count++] = s->target;
	for (uint32_t i = 0; i < s->count; i++)
		words[count++] = s->words[i];
	for (int i = 2; i < argc; i++)
		words[count++] = argv[i];
	words[count] = NULL;
	s->argc = argc;
	s->argv = argv;
	return command->run(s, count - 1, words + 1);
}

int cmd_run(int argc, char **argv)
{
	static char text[CONF_BYTES_MOST + 1];
	static struct scenario scenario;
	const struct scenario_command commands[] = {lab_scenario_command(),
	                                            connect_scenario_command()};
	struct err err = {""};
	ssize_t len;
	int failed;

	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return tell_usage(0, &err, print_help);
	if (argc < 2 || argv[1][0] == '-') {
		failed = err_set(&err, -EINVAL,
		                 "which file? megaconn run FILE [options] (see 'megaconn run "
		                 "--help')");
		return tell_usage(failed, &err, print_help);
	}
	len = conf_load(argv[1], text, &err);
	failed = len < 0 ? (int)len
	                 : scenario_parse(commands, sizeof(commands) / sizeof(commands[0]), argv[1],
	                                  text, (size_t)len, &scenario, &err);
	if (failed != 0)
		return tell_usage(failed, &err, print_help);
	int code = call(&commands[scenario.command], &scenario, argc, argv, &err);

	return code < 0 ? tell_usage(code, &err, print_help) : code;
}
