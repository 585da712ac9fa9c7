// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vm-sandbox: tries what a service may do and what it may not, and prints one line for each
 * attempt: its name and the errno, or 0. It runs in place of a service's program, with all other
 * settings of its unit. It needs few system calls itself, unlike an interpreter.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define PAGE 4096

/* One line. result is that of a system call: negative if errno is set. */
static void report(const char *name, long result)
{
	printf("tried %s: %s\n", name, result < 0 ? strerrorname_np(errno) : "0");
}

/* By its number: the C library would check arguments, or use another call. */
#define TRY(name, ...) report(#name, syscall(SYS_##name, __VA_ARGS__))

static void try_forbidden_calls(void)
{
	union bpf_attr attributes = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
	struct sched_param realtime = {.sched_priority = 1};
	char buffer[8] = "";
	struct iovec local = {buffer, sizeof(buffer)};

	TRY(ptrace, PTRACE_TRACEME, 0, NULL, NULL);
	TRY(bpf, BPF_MAP_CREATE, &attributes, sizeof(attributes));
	TRY(mount, "none", "/tmp", "tmpfs", 0, NULL);
	TRY(umount2, "/tmp", 0);
	TRY(pivot_root, "/tmp", "/tmp");
	TRY(chroot, "/");
	TRY(kexec_load, 0, 0, NULL, 0);
	TRY(init_module, NULL, 0, "");
	TRY(delete_module, "espsim", O_NONBLOCK);
	TRY(reboot, 0, 0, 0, NULL);
	TRY(swapoff, "/tmp");
	TRY(sethostname, "sandbox", 7);
	TRY(settimeofday, NULL, NULL);
	TRY(unshare, CLONE_FILES);
	TRY(setns, -1, 0);
	TRY(perf_event_open, NULL, 0, -1, -1, 0);
	TRY(process_vm_readv, getpid(), &local, 1, &local, 1, 0);
	TRY(userfaultfd, 0);
	TRY(io_uring_setup, 0, NULL);
	TRY(add_key, "user", "sandbox", "x", 1, -2);
	TRY(sched_setscheduler, 0, SCHED_FIFO, &realtime);
	TRY(setpriority, PRIO_PROCESS, 0, 1);
	TRY(setuid, getuid());
	TRY(execveat, -1, "", NULL, NULL, 0);
	TRY(shmget, 0, PAGE, 0600);
	TRY(mknodat, AT_FDCWD, "/tmp/node", S_IFIFO | 0600, 0);
	TRY(symlinkat, "x", AT_FDCWD, "/tmp/link");
	TRY(clone3, NULL, 0);
}

static long clone_user_namespace(void)
{
	long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, 0);

	if (child == 0)
		_exit(0);
	return child;
}

/* What remains of a call that is allowed: other settings refuse some of its arguments. */
static void try_forbidden_arguments(void)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("sandbox", MFD_CLOEXEC);

	report("writable-code", mprotect(page, PAGE, PROT_READ | PROT_EXEC));
	report("set-user-id", fchmod(fd, 04700));
	report("new-namespace", clone_user_namespace());
	(void)close(fd);
}

static void try_open(const char *name, const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);

	report(name, fd);
	if (fd >= 0)
		(void)close(fd);
}

static void try_files(void)
{
	try_open("write-etc", "/etc/sandbox", O_WRONLY | O_CREAT);
	try_open("write-usr", "/usr/sandbox", O_WRONLY | O_CREAT);
	try_open("write-run", "/run/sandbox", O_WRONLY | O_CREAT);
	try_open("write-sysctl", "/proc/sys/net/core/xfrm_acq_expires", O_WRONLY);
	try_open("read-root", "/root", O_RDONLY | O_DIRECTORY);
	try_open("read-shadow", "/etc/shadow", O_RDONLY);
	try_open("other-process", "/proc/1/status", O_RDONLY);
	try_open("kernel-log", "/dev/kmsg", O_RDONLY);
	try_open("disk", "/dev/vda", O_RDONLY);
	try_open("read-sysctl", "/proc/sys/net/core/xfrm_acq_expires", O_RDONLY);
}

static void try_socket(const char *name, int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	report(name, fd);
	if (fd >= 0)
		(void)close(fd);
}

static void try_sockets(void)
{
	try_socket("inet", AF_INET, SOCK_DGRAM, 0);
	try_socket("inet6", AF_INET6, SOCK_DGRAM, 0);
	try_socket("packet", AF_PACKET, SOCK_RAW, 0);
	try_socket("key", AF_KEY, SOCK_RAW, 2);
	try_socket("alg", AF_ALG, SOCK_SEQPACKET, 0);
	try_socket("unix", AF_UNIX, SOCK_STREAM, 0);
	try_socket("netlink-xfrm", AF_NETLINK, SOCK_RAW, NETLINK_XFRM);
}

static void *run(void *argument)
{
	return argument;
}

/* What the daemon needs in an emergency: the rescue slot, locked memory, larval SAs, a thread, and
 * abort(). */
static void try_needed(void)
{
	pthread_t thread;
	int fd = memfd_create("sandbox", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *mapping;

	report("memfd", fd);
	report("memfd-size", ftruncate(fd, PAGE));
	report("memfd-seals", fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	mapping = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	report("memfd-map", mapping == MAP_FAILED ? -1 : 0);
	report("mlock", mlock(mapping, PAGE));
	report("no-dump", madvise(mapping, PAGE, MADV_DONTDUMP));
	report("no-fork", madvise(mapping, PAGE, MADV_DONTFORK));
	report("no-access", mprotect(mapping, PAGE, PROT_NONE));
	report("undumpable", prctl(PR_SET_DUMPABLE, 0));
	report("membarrier", syscall(SYS_membarrier, 0, 0, 0));
	errno = pthread_create(&thread, NULL, run, NULL);
	report("thread", errno ? -1 : pthread_join(thread, NULL));
	report("signal-itself", syscall(SYS_tgkill, getpid(), gettid(), 0));
	(void)close(fd);
}

int main(void)
{
	/* Root would succeed with much of it. */
	if (geteuid() == 0) {
		fputs("vm-sandbox: root may do this\n", stderr);
		return 1;
	}
	(void)sd_notify(0, "READY=1");
	try_forbidden_calls();
	try_forbidden_arguments();
	try_files();
	try_sockets();
	try_needed();
	return fflush(stdout) == 0 ? 0 : 1;
}
