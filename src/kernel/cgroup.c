/* cgroup: what the process's control groups leave it of memory and of tasks.
 *
 * For each controller the directory of the process's cgroup is found once: the path from
 * /proc/self/cgroup, below the mount of the hierarchy from /proc/self/mountinfo. A mount may show
 * only a part of the hierarchy (its "root" field, as bind mounts into containers do), and in a
 * cgroup namespace the path may lie outside of what the mount shows; then the mount's own top is
 * the best that is known. From there up to the mount every directory with a limit file goes into a
 * static table, so that the question of every tenth of a second opens only one file for each level
 * without a limit and three for each with one. Not for two threads at once.
 *
 * Files: mm/memcontrol.c, mm/memcontrol-v1.c, kernel/cgroup/pids.c, kernel/cgroup/cgroup.c,
 * fs/proc_namespace.c. */
#include "kernel/cgroup.h"

#include "base/limits.h"
#include "kernel/probe.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES  1024
#define LEVELS_MAX  32
#define V1_NO_LIMIT (UINT64_C(1) << 62) /* v1 says LONG_MAX, rounded down to pages */

/* A controller, its files by version (from 1), and where this process's cgroups have them. */
struct controller {
	const char *name;
	const char *limit_names[3], *usage_names[3];

	bool found;  /* the table is made, be it empty                      */
	bool missed; /* there is a cgroup, but no directory of it was found */
	int version;
	uint32_t count;
	char levels[LEVELS_MAX][PATH_BYTES]; /* directories with a limit file */
};

static struct controller memory = {
	.name = "memory",
	.limit_names = {NULL, "memory.limit_in_bytes", "memory.max"},
	.usage_names = {NULL, "memory.usage_in_bytes", "memory.current"},
};

static struct controller pids = {
	.name = "pids",
	.limit_names = {NULL, "pids.max", "pids.max"},
	.usage_names = {NULL, "pids.current", "pids.current"},
};

/* What one line of mountinfo says of a mount. */
struct mount {
	char root[PATH_BYTES], point[PATH_BYTES];
};

static char mounts_text[256 * 1024];
static char small_text[16 * 1024]; /* memory.stat, /proc/self/cgroup */

/* Appends `part` to `path`; false where it does not fit. */
static bool path_add(char *path, size_t size, const char *part)
{
	size_t at = strlen(path), len = strlen(part);

	if (len >= size - at)
		return false;
	memcpy(path + at, part, len + 1);
	return true;
}

/* Whether the comma list of `len` bytes has the word. */
static bool list_has(const char *list, size_t len, const char *word)
{
	const char *end = list + len, *comma;
	size_t word_len = strlen(word);

	for (;;) {
		comma = memchr(list, ',', (size_t)(end - list));
		if ((size_t)((comma ? comma : end) - list) == word_len &&
		    !memcmp(list, word, word_len))
			return true;
		if (!comma)
			return false;
		list = comma + 1;
	}
}

/* Which version's controller the line "id:controllers:path" is of, or 0. */
static int parse_line(const char *line, const char *end, const char *controller, const char **path)
{
	const char *first = memchr(line, ':', (size_t)(end - line)), *second;

	if (!first)
		return 0;
	second = memchr(first + 1, ':', (size_t)(end - first - 1));
	if (!second || second + 1 == end || second[1] != '/')
		return 0;
	*path = second + 1;
	if (list_has(first + 1, (size_t)(second - first - 1), controller))
		return 1;
	return first == line + 1 && *line == '0' && second == first + 1 ? 2 : 0;
}

int cgroup_parse(const char *text, const char *controller, char *path, unsigned long size)
{
	const char *line = text, *end, *at = NULL, *best = NULL;
	size_t best_len = 0;
	int version, best_version = 0;

	for (; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		version = parse_line(line, end, controller, &at);
		if (!version || (best_version && version >= best_version))
			continue;
		best_version = version;
		best = at;
		best_len = (size_t)(end - at);
	}
	if (!best_version || best_len >= size)
		return 0;
	memcpy(path, best, best_len);
	path[best_len] = '\0';
	return best_version;
}

/* The next word of the line, made a string in place; NULL at its end. */
static char *take_word(char **line)
{
	char *word = *line;

	if (!*word)
		return NULL;
	*line += strcspn(word, " ");
	if (**line)
		*(*line)++ = '\0';
	return word;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Copies a path of mountinfo, where blanks and backslashes are written as "\040". */
static bool copy_unescaped(const char *from, char *to, size_t size)
{
	size_t at = 0;

	while (*from) {
		if (at >= size - 1)
			return false;
		if (from[0] == '\\' && is_octal(from[1]) && is_octal(from[2]) &&
		    is_octal(from[3])) {
			to[at++] = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
			                  (from[3] - '0'));
			from += 4;
		} else {
			to[at++] = *from++;
		}
	}
	to[at] = '\0';
	return true;
}

/* "36 31 0:33 <root> <mount point> <options> <optional>... - <type> <source> <super options>":
 * whether it is a mount of the hierarchy with this controller. Cuts the line. */
static bool parse_mount(char *line, const struct controller *c, struct mount *out)
{
	char *root = NULL, *point = NULL, *type, *options, *word;
	int i;

	for (i = 0; i < 6; i++) {
		word = take_word(&line);
		if (i == 3)
			root = word;
		else if (i == 4)
			point = word;
	}
	do {
		word = take_word(&line);
	} while (word && strcmp(word, "-") != 0);
	type = take_word(&line);
	word = take_word(&line);
	options = take_word(&line);
	if (!root || !point || !type || !word || !options)
		return false;
	if (strcmp(type, c->version == 2 ? "cgroup2" : "cgroup") != 0)
		return false;
	if (c->version == 1 && !list_has(options, strlen(options), c->name))
		return false;
	return copy_unescaped(root, out->root, sizeof(out->root)) &&
	       copy_unescaped(point, out->point, sizeof(out->point));
}

/* The part of the cgroup's path that is below the mount's root; NULL where it is not below. */
static const char *below_root(const struct mount *m, const char *path)
{
	size_t len = strlen(m->root);

	if (!strncmp(path, "/..", 3))
		return NULL; /* outside of our cgroup namespace */
	if (!strcmp(m->root, "/"))
		return strcmp(path, "/") != 0 ? path : "";
	if (strncmp(path, m->root, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path + len;
}

/* Joins a directory and a file; false where it does not fit. */
static bool join(char out[PATH_BYTES], const char *directory, const char *name)
{
	out[0] = '\0';
	return path_add(out, PATH_BYTES, directory) && path_add(out, PATH_BYTES, "/") &&
	       path_add(out, PATH_BYTES, name);
}

/* Existence alone is asked: a limit that is there and cannot be read is not the same as none. */
static void add_level(struct controller *c, const char *directory)
{
	char limit[PATH_BYTES];

	if (c->count == LEVELS_MAX || !join(limit, directory, c->limit_names[c->version]) ||
	    access(limit, F_OK) != 0)
		return;
	c->levels[c->count][0] = '\0';
	if (path_add(c->levels[c->count], PATH_BYTES, directory))
		c->count++;
}

/* Adds every level from point/below up to the mount point. Cuts up `directory`. */
static void add_levels(struct controller *c, char directory[PATH_BYTES], size_t point_len)
{
	char *slash;

	for (;;) {
		add_level(c, directory);
		slash = strrchr(directory, '/');
		if (!slash || strlen(directory) <= point_len || c->count == LEVELS_MAX)
			return;
		*slash = '\0';
	}
}

/* Writes the cgroup's directory under this mount; false where it is not there. */
static bool find_directory(struct mount *m, const char *path, char directory[PATH_BYTES])
{
	const char *below = below_root(m, path);

	directory[0] = '\0';
	return below && path_add(directory, PATH_BYTES, m->point) &&
	       path_add(directory, PATH_BYTES, below) && !access(directory, F_OK);
}

/* Looks for the mount under which the cgroup's directory is; else takes the first one's top, which
 * says nothing where it has no limit. */
static void find_levels(struct controller *c, const char *path)
{
	static struct mount m;
	static char directory[PATH_BYTES], top[PATH_BYTES];
	char *line = mounts_text, *end;
	bool there = false;

	top[0] = '\0';
	for (; *line && !there; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		if (!parse_mount(line, c, &m))
			continue;
		there = find_directory(&m, path, directory);
		if (!there && !top[0])
			memcpy(top, m.point, sizeof(top));
	}
	if (there)
		add_levels(c, directory, strlen(m.point));
	else if (top[0])
		add_level(c, top);
	c->missed = !there && c->count == 0;
}

/* No descriptor is free now: look again at the next call. */
static bool is_passing(long failed)
{
	return failed == -EMFILE || failed == -ENFILE;
}

static void find_cgroup(struct controller *c)
{
	static char path[PATH_BYTES];
	long len = probe_read_file("/proc/self/cgroup", small_text, sizeof(small_text));
	long mounts_len = probe_read_file("/proc/self/mountinfo", mounts_text, sizeof(mounts_text));

	if (is_passing(len) || is_passing(mounts_len))
		return;
	c->found = true;
	/* A kernel without cgroups has no such file; a process always has mounts. */
	c->missed = mounts_len < 0 || (len < 0 && len != -ENOENT);
	if (len < 0 || mounts_len < 0)
		return;
	c->version = cgroup_parse(small_text, c->name, path, sizeof(path));
	if (c->version)
		find_levels(c, path);
}

/* Parses digits; "max" is no limit, anything else unknown. */
static uint64_t parse_number(const char *text)
{
	unsigned long long n;

	if (!strncmp(text, "max", 3))
		return LIMITS_NONE;
	if (*text < '0' || *text > '9')
		return LIMITS_UNKNOWN;
	errno = 0;
	n = strtoull(text, NULL, 10);
	return errno ? LIMITS_UNKNOWN : n;
}

static uint64_t read_number(const char *directory, const char *name)
{
	char path[PATH_BYTES], text[64];

	if (!join(path, directory, name) || probe_read_file(path, text, sizeof(text)) < 0)
		return LIMITS_UNKNOWN;
	return parse_number(text);
}

/* The number of the line "name 123", or 0. */
static uint64_t stat_or_0(const char *text, const char *name)
{
	size_t len = strlen(name);
	const char *line = text;
	uint64_t value;

	while (line && *line) {
		if (!strncmp(line, name, len) && line[len] == ' ') {
			value = parse_number(line + len + 1);
			return value < LIMITS_UNKNOWN ? value : 0;
		}
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return 0;
}

/* The page cache that could be dropped. v1's plain lines are of the cgroup alone, its "total_"
 * lines are with its children, as its usage is. */
static uint64_t droppable_bytes(const char *directory, int version)
{
	uint64_t active, inactive, dirty, sum;
	char path[PATH_BYTES];

	if (!join(path, directory, "memory.stat") ||
	    probe_read_file(path, small_text, sizeof(small_text)) < 0)
		return 0;
	if (version == 2) {
		active = stat_or_0(small_text, "active_file");
		inactive = stat_or_0(small_text, "inactive_file");
		dirty = stat_or_0(small_text, "file_dirty");
	} else {
		active = stat_or_0(small_text, "total_active_file");
		inactive = stat_or_0(small_text, "total_inactive_file");
		dirty = stat_or_0(small_text, "total_dirty");
	}
	if (__builtin_add_overflow(active, inactive, &sum))
		return 0;
	return sum > dirty ? sum - dirty : 0;
}

static uint64_t level_left(const struct controller *c, const char *directory)
{
	uint64_t limit = read_number(directory, c->limit_names[c->version]), usage, room;

	if (limit == LIMITS_UNKNOWN)
		return LIMITS_UNKNOWN;
	if (limit >= V1_NO_LIMIT)
		return LIMITS_NONE;
	usage = read_number(directory, c->usage_names[c->version]);
	if (usage >= LIMITS_UNKNOWN)
		return LIMITS_UNKNOWN;
	room = c == &memory ? droppable_bytes(directory, c->version) : 0;
	if (__builtin_add_overflow(limit, room, &room))
		return LIMITS_NONE;
	return room > usage ? room - usage : 0;
}

static uint64_t left(struct controller *c)
{
	uint64_t least = LIMITS_NONE, here;
	uint32_t i;

	if (!c->found)
		find_cgroup(c);
	if (!c->found || c->missed)
		return LIMITS_UNKNOWN;
	for (i = 0; i < c->count; i++) {
		here = level_left(c, c->levels[i]);
		if (here < least)
			least = here;
	}
	return least;
}

uint64_t cgroup_memory_left_bytes(void)
{
	return left(&memory);
}

uint64_t cgroup_pids_left(void)
{
	return left(&pids);
}
