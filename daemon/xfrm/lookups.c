// SPDX-License-Identifier: GPL-2.0-or-later
#include "xfrm/lookups.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

/* Used instead of a grace period. A lookup takes longer only if the host of a virtual machine
 * interrupts it. */
#define LOOKUPS_WAIT_NS (20 * 1000 * 1000)

/* membarrier() calls synchronize_rcu() in the kernel. It does not with nohz_full CPUs (EINVAL), nor
 * with a single CPU, where a lookup can still be preempted. */
void lookups_wait(void)
{
	static const struct timespec wait = {.tv_nsec = LOOKUPS_WAIT_NS};

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0 || get_nprocs() == 1)
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
}

static void *run(void *userdata)
{
	const struct lookups *lookups = userdata;

	lookups_wait();
	(void)eventfd_write(lookups->fd, 1);
	return NULL;
}

static void join(struct lookups *lookups)
{
	eventfd_t value;

	if (!lookups->running)
		return;
	(void)pthread_join(lookups->thread, NULL);
	(void)eventfd_read(lookups->fd, &value);
	lookups->running = false;
}

int lookups_init(struct lookups *lookups)
{
	*lookups = (struct lookups){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	return lookups->fd < 0 ? -errno : 0;
}

void lookups_release(struct lookups *lookups)
{
	join(lookups);
	if (lookups->fd >= 0)
		(void)close(lookups->fd);
	lookups->fd = -1;
}

void lookups_begin(struct lookups *lookups)
{
	join(lookups);
	lookups->running = pthread_create(&lookups->thread, NULL, run, lookups) == 0;
	if (!lookups->running)
		lookups_wait();
}

bool lookups_are_awaited(struct lookups *lookups)
{
	eventfd_t value;

	if (!lookups->running)
		return false;
	if (eventfd_read(lookups->fd, &value) < 0)
		return true;
	join(lookups);
	return false;
}
