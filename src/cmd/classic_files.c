/* classic_files: see the header. */
#include "cmd/classic_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAIL_BYTES 8192 /* of a log: what is looked for stands at its end */

static const struct {
	const char *file, *what, *stop;
} sides[] = {
	[CLASSIC_SIDE_SERVER] = {"srv", "server", "make stop-srv"},
	[CLASSIC_SIDE_CLIENT] = {"cli", "client", "make stop-cli"},
};

const char *classic_side_name(enum classic_side side)
{
	return sides[side].what;
}

static void name_pidfile(enum classic_side side, const char *dir, struct pidfile *out)
{
	*out = (struct pidfile){.what = sides[side].what, .stop = sides[side].stop};
	snprintf(out->path, sizeof(out->path), "%s/%s.pid", dir, sides[side].file);
}

int classic_files_find(enum classic_side side, struct classic_files *out, struct err *err)
{
	char dir[PIDFILE_DIR_BYTES];
	int failed = pidfile_dir(dir, err);

	if (failed < 0)
		return failed;
	name_pidfile(side, dir, &out->pidfile);
	snprintf(out->log, sizeof(out->log), "%s/%s.log", dir, sides[side].file);
	snprintf(out->json, sizeof(out->json), "%s/%s.json", dir, sides[side].file);
	return 0;
}

static bool runs_in(enum classic_side side, const char *dir, struct pidfile_process *who)
{
	struct pidfile file;

	name_pidfile(side, dir, &file);
	return pidfile_check(&file, who, NULL) == PIDFILE_LIVE;
}

bool classic_runs(enum classic_side side, struct pidfile_process *who)
{
	const char *behind = geteuid() == 0 ? getenv("SUDO_UID") : NULL;
	char dir[PIDFILE_DIR_BYTES];

	if (pidfile_dir(dir, NULL) == 0 && runs_in(side, dir, who))
		return true;
	if (!behind || behind[0] == '\0' || strspn(behind, "0123456789") != strlen(behind))
		return false;
	snprintf(dir, sizeof(dir), "/run/user/%.10s/megaconn", behind);
	if (runs_in(side, dir, who))
		return true;
	snprintf(dir, sizeof(dir), "/tmp/megaconn-%.10s", behind);
	return runs_in(side, dir, who);
}

static ssize_t read_tail(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
	off_t from = end > (off_t)size ? end - (off_t)size : 0;
	ssize_t len = end >= 0 ? pread(fd, text, size, from) : -1;

	if (fd >= 0)
		close(fd);
	return len;
}

bool classic_files_said(const char *log, const char *mark, char *out, size_t size)
{
	char text[TAIL_BYTES + 1], line[64];
	ssize_t len = read_tail(log, text, TAIL_BYTES);

	if (len < 0)
		return false;
	text[len] = '\0';
	snprintf(line, sizeof(line), "megaconn: %s", mark);
	const char *at = strstr(text, line);

	if (!at)
		return false;
	at += strlen(line);
	size_t bytes = strcspn(at, "\r\n");

	if (bytes >= size)
		return false;
	memcpy(out, at, bytes);
	out[bytes] = '\0';
	return true;
}

bool classic_files_is_part(const char *held)
{
	const char *of = strstr(held, " of ");
	size_t len = of ? (size_t)(of - held) : 0;

	return of && (strncmp(of + 4, held, len) != 0 || of[4 + len] != ' ');
}
