/* whole_file: written beside, then renamed. */
#include "out/whole_file.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_ENDING ".part"

static int fail(const char *path, int code, struct err *err)
{
	return err_set(err, code, "cannot write %s: %s", path, strerror(-code));
}

/* A terminal, a pipe or /dev/null is written to; only a file is replaced. */
static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

/* Splits off the directory of `path` into `directory` (PATH_MAX bytes). Returns the last name. */
static const char *split(const char *path, char *directory)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		snprintf(directory, PATH_MAX, ".");
	else
		snprintf(directory, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path),
		         path);
	return slash ? slash + 1 : path;
}

int whole_file_check(const char *path, struct err *err)
{
	char directory[PATH_MAX];
	struct stat st;

	if (strcmp(path, "-") == 0)
		return 0;
	if (strlen(path) + sizeof(PART_ENDING) > PATH_MAX)
		return fail(path, -ENAMETOOLONG, err);
	const char *name = split(path, directory);

	if (name[0] == '\0')
		return fail(path, path[0] == '\0' ? -ENOENT : -EISDIR, err);
	if (strlen(name) + strlen(PART_ENDING) > NAME_MAX)
		return fail(path, -ENAMETOOLONG, err);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return fail(path, -EISDIR, err);
	if (is_special(path))
		return access(path, W_OK) == 0 ? 0 : fail(path, -errno, err);
	return access(directory, W_OK | X_OK) == 0 ? 0 : fail(path, -errno, err);
}

/* Has it written to `name`, opened in `mode`; 0, or a negative errno. */
static int write_to(const char *name, const char *mode, void (*put)(FILE *, const void *),
                    const void *context)
{
	FILE *file = fopen(name, mode);
	int failed = 0;

	if (!file)
		return -errno;
	errno = 0;
	put(file, context);
	if (ferror(file))
		failed = errno != 0 ? -errno : -EIO;
	if (fclose(file) != 0 && failed == 0)
		failed = -errno;
	return failed;
}

int whole_file_write(const char *path, void (*put)(FILE *to, const void *context),
                     const void *context, struct err *err)
{
	char part[PATH_MAX];
	int failed;

	if (strcmp(path, "-") == 0) {
		put(stdout, context);
		return fflush(stdout) == 0 && !ferror(stdout) ? 0
		                                              : fail("standard output", -EIO, err);
	}
	if (is_special(path)) {
		failed = write_to(path, "we", put, context);
		return failed == 0 ? 0 : fail(path, failed, err);
	}
	if (snprintf(part, sizeof(part), "%s" PART_ENDING, path) >= (int)sizeof(part))
		return fail(path, -ENAMETOOLONG, err);
	unlink(part); /* of one that was killed; a link of others' is not followed */
	failed = write_to(part, "wxe", put, context);
	if (failed == 0 && rename(part, path) != 0)
		failed = -errno;
	if (failed == 0)
		return 0;
	unlink(part);
	return fail(path, failed, err);
}
