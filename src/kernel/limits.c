/* limits: rlimits, file-max, affinity, and the memory that the process's cgroups leave.
 *
 * The cgroup part finds the directory of the process's memory cgroup once: the path from
 * /proc/self/cgroup, below the mount of the hierarchy from /proc/self/mountinfo. A mount may show
 * only a part of the hierarchy (its "root" field, as bind mounts into containers do), and in a
 * cgroup namespace the path may lie outside of what the mount shows; then the mount's own top is
 * the best that is known. From there up to the mount every directory with a limit file goes into a
 * static table, so that the question of every tenth of a second opens only one file for each level
 * without a limit and three for each with one. Not for two threads at once.
 *
 * Files: mm/memcontrol.c, mm/memcontrol-v1.c, kernel/cgroup/cgroup.c, fs/proc_namespace.c. */
#include "kernel/limits.h"

#include "kernel/probe.h"
#include "kernel/sysctl.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PATH_BYTES        1024
#define LEVELS_MAX        32
#define CPUS_MAX          8192
#define V1_NO_LIMIT       (UINT64_C(1) << 62) /* v1 says LONG_MAX, rounded down to pages */
#define CAP_IPC_LOCK_BIT  14                  /* linux/capability.h */
#define CAP_SYS_ADMIN_BIT 21

struct level {
	char limit[PATH_BYTES], usage[PATH_BYTES], stat[PATH_BYTES];
};

static struct {
	bool found; /* the table is made, be it empty */
	int version;
	uint32_t count;
	struct level levels[LEVELS_MAX];
} cgroup;

/* What one line of mountinfo says of a mount. */
struct mount {
	char root[PATH_BYTES], point[PATH_BYTES];
};

/* File names by version, from 1. */
static const char *const limit_names[] = {NULL, "memory.limit_in_bytes", "memory.max"};
static const char *const usage_names[] = {NULL, "memory.usage_in_bytes", "memory.current"};

static char mounts_text[256 * 1024];
static char small_text[16 * 1024]; /* memory.stat, /proc/self/cgroup, /proc/self/status */

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

/* Which version's memory controller the line "id:controllers:path" is of, or 0. */
static int cgroup_line(const char *line, const char *end, const char **path)
{
	const char *first = memchr(line, ':', (size_t)(end - line)), *second;

	if (!first)
		return 0;
	second = memchr(first + 1, ':', (size_t)(end - first - 1));
	if (!second || second + 1 == end || second[1] != '/')
		return 0;
	*path = second + 1;
	if (list_has(first + 1, (size_t)(second - first - 1), "memory"))
		return 1;
	return first == line + 1 && *line == '0' && second == first + 1 ? 2 : 0;
}

int limits_parse_cgroup(const char *text, char *path, unsigned long size)
{
	const char *line = text, *end, *at = NULL, *best = NULL;
	size_t best_len = 0;
	int version, best_version = 0;

	for (; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		version = cgroup_line(line, end, &at);
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
 * whether it is a mount of the hierarchy with this version's memory controller. Cuts the line. */
static bool parse_mount(char *line, int version, struct mount *out)
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
	if (strcmp(type, version == 2 ? "cgroup2" : "cgroup") != 0)
		return false;
	if (version == 1 && !list_has(options, strlen(options), "memory"))
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

/* Joins a directory and a file into `out`, which is left empty where it does not fit. */
static bool join(char out[PATH_BYTES], const char *directory, const char *name)
{
	out[0] = '\0';
	if (path_add(out, PATH_BYTES, directory) && path_add(out, PATH_BYTES, "/") &&
	    path_add(out, PATH_BYTES, name))
		return true;
	out[0] = '\0';
	return false;
}

static void add_level(const char *directory)
{
	struct level *level = &cgroup.levels[cgroup.count];

	if (cgroup.count == LEVELS_MAX)
		return;
	if (join(level->limit, directory, limit_names[cgroup.version]) &&
	    join(level->usage, directory, usage_names[cgroup.version]) &&
	    join(level->stat, directory, "memory.stat") && !access(level->limit, R_OK))
		cgroup.count++;
}

/* Adds every level from point/below up to the mount point. Cuts up `directory`. */
static void add_levels(char directory[PATH_BYTES], size_t point_len)
{
	char *slash;

	for (;;) {
		add_level(directory);
		slash = strrchr(directory, '/');
		if (!slash || strlen(directory) <= point_len || cgroup.count == LEVELS_MAX)
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

/* Looks for the mount under which the cgroup's directory is; else takes the first one's top. */
static void find_levels(const char *path)
{
	static struct mount m;
	static char directory[PATH_BYTES], top[PATH_BYTES];
	char *line = mounts_text, *end;
	bool there = false;

	if (probe_read_file("/proc/self/mountinfo", mounts_text, sizeof(mounts_text)) < 0)
		return;
	top[0] = '\0';
	for (; *line && !there; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		if (!parse_mount(line, cgroup.version, &m))
			continue;
		there = find_directory(&m, path, directory);
		if (!there && !top[0])
			memcpy(top, m.point, sizeof(top));
	}
	if (there)
		add_levels(directory, strlen(m.point));
	else if (top[0])
		add_level(top);
}

static void find_cgroup(void)
{
	static char path[PATH_BYTES];
	long len = probe_read_file("/proc/self/cgroup", small_text, sizeof(small_text));

	if (len == -EMFILE || len == -ENFILE)
		return; /* no descriptor is free now: look again at the next call */
	cgroup.found = true;
	if (len < 0)
		return;
	cgroup.version = limits_parse_cgroup(small_text, path, sizeof(path));
	if (cgroup.version)
		find_levels(path);
}

/* Parses digits; LIMITS_NONE for anything else ("max"). */
static uint64_t parse_number(const char *text)
{
	unsigned long long n;

	if (*text < '0' || *text > '9')
		return LIMITS_NONE;
	errno = 0;
	n = strtoull(text, NULL, 10);
	return errno ? LIMITS_NONE : n;
}

static uint64_t read_number(const char *path)
{
	char text[64];

	if (probe_read_file(path, text, sizeof(text)) < 0)
		return LIMITS_NONE;
	return parse_number(text);
}

/* The number of the line "name 123", or LIMITS_NONE. */
static uint64_t stat_value(const char *text, const char *name)
{
	size_t len = strlen(name);
	const char *line = text;

	while (line && *line) {
		if (!strncmp(line, name, len) && line[len] == ' ')
			return parse_number(line + len + 1);
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return LIMITS_NONE;
}

static uint64_t stat_or_0(const char *text, const char *name)
{
	uint64_t value = stat_value(text, name);

	return value == LIMITS_NONE ? 0 : value;
}

/* The page cache that could be dropped. v1's plain lines are of the cgroup alone, its "total_"
 * lines are with its children, as its usage is. */
static uint64_t droppable_bytes(const char *stat_path)
{
	uint64_t active, inactive, dirty, sum;

	if (probe_read_file(stat_path, small_text, sizeof(small_text)) < 0)
		return 0;
	if (cgroup.version == 2) {
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

static uint64_t level_left_bytes(const struct level *level)
{
	uint64_t limit = read_number(level->limit), usage, room;

	if (limit >= V1_NO_LIMIT)
		return LIMITS_NONE;
	usage = read_number(level->usage);
	if (usage == LIMITS_NONE)
		return LIMITS_NONE;
	if (__builtin_add_overflow(limit, droppable_bytes(level->stat), &room))
		return LIMITS_NONE;
	return room > usage ? room - usage : 0;
}

uint64_t limits_cgroup_left_bytes(void)
{
	uint64_t least = LIMITS_NONE, left;
	uint32_t i;

	if (!cgroup.found)
		find_cgroup();
	for (i = 0; i < cgroup.count; i++) {
		left = level_left_bytes(&cgroup.levels[i]);
		if (left < least)
			least = left;
	}
	return least;
}

/* Capabilities that the kernel asks of with capable() count only in the first user namespace. That
 * we are in it is seen by the map of all ids to themselves. */
static bool in_first_user_namespace(void)
{
	const char *at = small_text;
	char *next;
	static const unsigned long long whole[] = {0, 0, 4294967295};
	size_t i;

	if (probe_read_file("/proc/self/uid_map", small_text, sizeof(small_text)) <= 0)
		return false;
	for (i = 0; i < 3; i++) {
		if (strtoull(at, &next, 10) != whole[i] || next == at)
			return false;
		at = next;
	}
	return true;
}

static uint64_t effective_capabilities(void)
{
	const char *at;

	if (probe_read_file("/proc/self/status", small_text, sizeof(small_text)) < 0)
		return 0;
	at = strstr(small_text, "\nCapEff:");
	return at ? strtoull(at + sizeof("\nCapEff:") - 1, NULL, 16) : 0;
}

static bool is_capable(unsigned int bit)
{
	return (effective_capabilities() >> bit & 1) && in_first_user_namespace();
}

static uint64_t hard_limit(__rlimit_resource_t resource)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0 || limit.rlim_max == RLIM_INFINITY)
		return LIMITS_NONE;
	return limit.rlim_max;
}

static uint64_t memlock_bytes(void)
{
	struct rlimit limit;

	if (is_capable(CAP_IPC_LOCK_BIT) || getrlimit(RLIMIT_MEMLOCK, &limit) < 0 ||
	    limit.rlim_cur == RLIM_INFINITY)
		return LIMITS_NONE;
	return limit.rlim_cur;
}

static uint64_t files_left(void)
{
	uint64_t max, used;

	if (is_capable(CAP_SYS_ADMIN_BIT) || sysctl_get_u64("fs.file-max", &max) ||
	    sysctl_get_u64("fs.file-nr", &used))
		return LIMITS_NONE;
	return max > used ? max - used : 0;
}

void limits_read(struct limits *out)
{
	out->nofile_hard = hard_limit(RLIMIT_NOFILE);
	out->memlock_bytes = memlock_bytes();
	out->files_left = files_left();
	out->cgroup_left_bytes = limits_cgroup_left_bytes();
	out->cpus = limits_cpus(NULL, 0);
}

uint32_t limits_cpus(uint32_t *cpus, uint32_t max)
{
	static cpu_set_t set[CPUS_MAX / CPU_SETSIZE];
	uint32_t cpu, count = 0;

	memset(set, 0, sizeof(set));
	if (sched_getaffinity(0, sizeof(set), set) < 0)
		return 0;
	for (cpu = 0; cpu < CPUS_MAX; cpu++) {
		if (!CPU_ISSET_S(cpu, sizeof(set), set))
			continue;
		if (count < max)
			cpus[count] = cpu;
		count++;
	}
	return count;
}

void limits_raise_nofile(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}
