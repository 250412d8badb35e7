/* tun: TUNSETIFF (drivers/net/tun.c). */
#include "kernel/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TUN_FILE "/dev/net/tun"

static int cannot_open(int code, struct err *err)
{
	if (code == -ENOENT || code == -ENODEV || code == -ENXIO)
		return err_set(err, -ENOENT,
		               "cannot open %s: this kernel has no TUN driver, or this container "
		               "not its file; load the module tun, or take packet in its place",
		               TUN_FILE);
	if (code == -EACCES || code == -EPERM)
		return err_set(
			err, code,
			"cannot open %s: %s; it is root's here: a lab can have --clients packet",
			TUN_FILE, strerror(-code));
	return err_set(err, code, "cannot open %s: %s", TUN_FILE, strerror(-code));
}

static int cannot_make(int code, const char *pattern, struct err *err)
{
	if (code == -EPERM)
		return err_set(err, code,
		               "cannot make a TUN device (%s): %s; it needs CAP_NET_ADMIN: run "
		               "as root",
		               pattern, strerror(-code));
	return err_set(err, code, "cannot make a TUN device (%s): %s", pattern, strerror(-code));
}

int tun_open(const char *pattern, char name[IF_NAMESIZE], struct err *err)
{
	struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open(TUN_FILE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return cannot_open(-errno, err);
	memcpy(request.ifr_name, pattern, strnlen(pattern, IF_NAMESIZE - 1));
	if (ioctl(fd, TUNSETIFF, &request) != 0) {
		int code = -errno;

		close(fd);
		return cannot_make(code, pattern, err);
	}
	memcpy(name, request.ifr_name, IF_NAMESIZE);
	return fd;
}
