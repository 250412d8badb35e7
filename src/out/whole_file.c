/* whole_file: written beside, then renamed. */
#include "out/whole_file.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *path, int code, struct err *err)
{
	return err_set(err, code, "cannot write %s: %s", path, strerror(-code));
}

bool whole_file_is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
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
	if (whole_file_is_special(path)) {
		failed = write_to(path, "we", put, context);
		return failed == 0 ? 0 : fail(path, failed, err);
	}
	if (snprintf(part, sizeof(part), "%s" WHOLE_FILE_PART, path) >= (int)sizeof(part))
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
