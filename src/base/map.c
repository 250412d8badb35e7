/* map: pages are taken lazily by the kernel, so a table that is mapped large costs what is touched.
 */
#include "base/map.h"

#include <sys/mman.h>

static void *map(size_t bytes, int flags)
{
	void *at = mmap(NULL, bytes > 0 ? bytes : 1, PROT_READ | PROT_WRITE,
	                flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

void *map_private(size_t bytes)
{
	return map(bytes, MAP_PRIVATE);
}

void *map_shared(size_t bytes)
{
	return map(bytes, MAP_SHARED);
}

void map_drop(void *at, size_t bytes)
{
	if (at)
		munmap(at, bytes > 0 ? bytes : 1);
}
