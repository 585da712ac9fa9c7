// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A slot is valid if and only if its commit word is valid. The commit word has magic, version and
 * length in one aligned word. It is written last and erased first. A process that is killed leaves
 * exactly the stores that it had executed, so only reordering by the compiler and the processor
 * must be prevented: with a release store when the word is written, and a full fence after it is
 * erased. A checksum is not needed: only the daemon writes to the slot, and an incomplete write has
 * no commit word.
 *
 * The size of the memfd is sealed, so the next daemon can map it without the risk of SIGBUS.
 */
#include "rescue.h"

#include <errno.h>
#include <fcntl.h>
#include <netlink/attr.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* The upper half of the commit word is "ESP" and the version of struct slot; the lower half is the
 * size of the attributes in bytes, which may be 0. A daemon of another build may be started and
 * read the slot, so the version must change with the layout. The kernel's structs cannot change
 * without a reboot. The commit words are the same in all versions, and in the same places. */
#define COMMIT_NAME (UINT64_C(0x455350) << 40)
#define COMMIT_NAME_MASK (UINT64_C(0xffffff) << 40)
#define COMMIT_MAGIC (COMMIT_NAME | UINT64_C(1) << 32)
#define COMMIT_SIZE UINT64_C(0xffffffff)

struct header {
	struct xfrm_usersa_info info;
	uint32_t replay_threshold;
	int32_t ifindex;
	uint32_t direction; /* enum sa_direction */
};

struct slot {
	_Atomic uint64_t commit; /* 0: empty */
	struct header header;
	uint8_t attributes[];
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a lock would not survive a kill");

#define SLOT_SIZE (RESCUE_SIZE / 2)
#define ATTRIBUTES_MAX (SLOT_SIZE - sizeof(struct slot))

enum { SLOT_FIRST, SLOT_EXACT };

struct rescue {
	int fd;
	struct slot *slot; /* RESCUE_SIZE bytes */
};

static void free_names(char **names)
{
	for (char **name = names; *name; name++)
		free(*name);
	free(names);
}
DEFINE_CLEANUP(char **, free_names);

static int make_memory(void)
{
	_cleanup_close_ int fd =
		memfd_create("espoffloadd-rescue", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, RESCUE_SIZE) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* Only a memfd has seals. An earlier run made it if it has exactly these seals and this size. */
static int check_memory(int fd)
{
	struct stat status;
	int seals = fcntl(fd, F_GET_SEALS);

	if (fstat(fd, &status) < 0 || seals != SEALS || status.st_size != RESCUE_SIZE)
		return -EBADF;
	return 0;
}

static int map_memory(int fd, struct slot **ret_slot)
{
	void *mapping = mmap(NULL, RESCUE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int r;

	if (mapping == MAP_FAILED)
		return -errno;
	if (madvise(mapping, RESCUE_SIZE, MADV_DONTDUMP) < 0 ||
	    madvise(mapping, RESCUE_SIZE, MADV_DONTFORK) < 0 || mlock(mapping, RESCUE_SIZE) < 0) {
		r = -errno;
		(void)munmap(mapping, RESCUE_SIZE);
		return r;
	}
	*ret_slot = mapping;
	return 0;
}

static struct slot *slot_at(const struct rescue *rescue, unsigned which)
{
	return (struct slot *)((uint8_t *)rescue->slot + which * SLOT_SIZE);
}

static uint64_t commit_of(const struct rescue *rescue, unsigned which)
{
	return atomic_load_explicit(&slot_at(rescue, which)->commit, memory_order_acquire);
}

static bool is_empty(const struct rescue *rescue)
{
	return commit_of(rescue, SLOT_FIRST) == 0 && commit_of(rescue, SLOT_EXACT) == 0;
}

static bool is_of_another_version(uint64_t commit)
{
	return (commit & COMMIT_NAME_MASK) == COMMIT_NAME &&
	       (commit & ~COMMIT_SIZE) != COMMIT_MAGIC;
}

int rescue_open(int fd, struct rescue **ret_rescue)
{
	_cleanup_free_ struct rescue *rescue = calloc(1, sizeof(*rescue));
	_cleanup_close_ int made = -1;
	int r;

	if (!rescue)
		return -ENOMEM;
	if (fd < 0) {
		fd = made = make_memory();
		if (made < 0)
			return made;
	} else {
		r = check_memory(fd);
		if (r < 0)
			return r;
	}
	r = map_memory(fd, &rescue->slot);
	if (r < 0)
		return r;
	if (is_of_another_version(commit_of(rescue, SLOT_FIRST)) ||
	    is_of_another_version(commit_of(rescue, SLOT_EXACT))) {
		(void)munmap(rescue->slot, RESCUE_SIZE);
		return -ENOTSUP;
	}
	rescue->fd = fd;
	(void)TAKE_FD(made);
	*ret_rescue = TAKE_PTR(rescue);
	return 0;
}

struct rescue *rescue_close(struct rescue *rescue)
{
	if (!rescue)
		return NULL;
	(void)munmap(rescue->slot, RESCUE_SIZE);
	(void)close(rescue->fd);
	free(rescue);
	return NULL;
}

int rescue_open_inherited(struct rescue **ret_rescue, unsigned *ret_unread)
{
	_cleanup_(free_namesp) char **names = NULL;
	_cleanup_(rescue_closep) struct rescue *best = NULL;
	int n = sd_listen_fds_with_names(0, &names);

	*ret_unread = 0;
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		_cleanup_(rescue_closep) struct rescue *rescue = NULL;
		int fd = SD_LISTEN_FDS_START + i;
		int r;

		if (strcmp(names[i], RESCUE_FD_NAME) != 0)
			continue;
		r = rescue_open(fd, &rescue);
		if (r < 0)
			(void)close(fd);
		if (r == -ENOTSUP)
			++*ret_unread;
		else if (r < 0 && r != -EBADF)
			return r;
		if (rescue && (!best || (is_empty(best) && !is_empty(rescue)))) {
			rescue_close(best);
			best = TAKE_PTR(rescue);
		}
	}
	if (!best)
		return -ENOENT;
	*ret_rescue = TAKE_PTR(best);
	return 0;
}

int rescue_publish(struct rescue *rescue)
{
	return sd_pid_notify_with_fds(0, false, "FDSTORE=1\nFDNAME=" RESCUE_FD_NAME, &rescue->fd,
				      1);
}

static int store(struct slot *slot, const struct sa_image *image, const struct sa_offload *target)
{
	if (atomic_load_explicit(&slot->commit, memory_order_relaxed) != 0)
		return -EBUSY;
	if (image->size > ATTRIBUTES_MAX)
		return -EMSGSIZE;
	slot->header = (struct header){
		.info = image->info,
		.replay_threshold = image->replay_threshold,
		.ifindex = target->ifindex,
		.direction = (uint32_t)target->direction,
	};
	if (image->attributes)
		memcpy(slot->attributes, image->attributes, image->size);
	atomic_store_explicit(&slot->commit, COMMIT_MAGIC | image->size, memory_order_release);
	return 0;
}

int rescue_store(struct rescue *rescue, const struct sa_image *image,
		 const struct sa_offload *target)
{
	return store(slot_at(rescue, SLOT_FIRST), image, target);
}

int rescue_store_exact(struct rescue *rescue, const struct sa_image *image,
		       const struct sa_offload *target)
{
	return store(slot_at(rescue, SLOT_EXACT), image, target);
}

static void clear(struct slot *slot)
{
	atomic_store_explicit(&slot->commit, 0, memory_order_relaxed);
	/* With only a release store the wiping could be reordered before it. */
	atomic_thread_fence(memory_order_seq_cst);
	explicit_bzero(&slot->header, sizeof(slot->header));
	explicit_bzero(slot->attributes, ATTRIBUTES_MAX);
}

/* The exact image is cleared last: if the daemon is killed in between, the image that is left is
 * still correct. */
void rescue_clear(struct rescue *rescue)
{
	clear(slot_at(rescue, SLOT_FIRST));
	clear(slot_at(rescue, SLOT_EXACT));
}

static bool attributes_are_valid(void *stream, size_t size)
{
	struct nlattr *attribute = stream;
	int left = (int)size;

	while (nla_ok(attribute, left)) {
		/* nla_next() assumes that there is padding, even behind the last attribute. */
		if (nla_type(attribute) == 0 || NLA_ALIGN(attribute->nla_len) > left)
			return false;
		attribute = nla_next(attribute, &left);
	}
	return left == 0;
}

/* Checks what is true of every image that is stored. */
static bool header_is_valid(const struct header *header)
{
	const struct xfrm_usersa_info *info = &header->info;

	return (info->family == AF_INET || info->family == AF_INET6) &&
	       info->id.proto == IPPROTO_ESP && info->id.spi != 0 && header->ifindex >= 0 &&
	       header->direction <= SA_DIRECTION_OUT;
}

static int load(const struct slot *slot, struct secret_arena *arena, struct sa_image *ret_image,
		struct sa_offload *ret_target)
{
	uint64_t commit = atomic_load_explicit(&slot->commit, memory_order_acquire);
	size_t size = commit & COMMIT_SIZE;
	struct header header;
	uint8_t *attributes;

	if (commit == 0)
		return -ENOENT;
	if ((commit & ~COMMIT_SIZE) != COMMIT_MAGIC || size > ATTRIBUTES_MAX)
		return -EBADMSG;
	attributes = secret_alloc(arena, size);
	if (!attributes)
		return -ENOMEM;
	/* The copy is checked, since the slot could change after the check. */
	header = slot->header;
	memcpy(attributes, slot->attributes, size);
	if (!header_is_valid(&header) || !attributes_are_valid(attributes, size)) {
		secret_free(arena, attributes);
		return -EBADMSG;
	}
	*ret_image = (struct sa_image){
		.arena = arena,
		.info = header.info,
		.attributes = attributes,
		.size = size,
		.replay_threshold = header.replay_threshold,
	};
	*ret_target = (struct sa_offload){
		.ifindex = header.ifindex,
		.direction = (enum sa_direction)header.direction,
	};
	return 0;
}

int rescue_load(const struct rescue *rescue, struct secret_arena *arena, struct sa_image *ret_image,
		struct sa_offload *ret_target)
{
	int r = load(slot_at(rescue, SLOT_EXACT), arena, ret_image, ret_target);

	if (r >= 0)
		return 1;
	if (r != -ENOENT)
		return r;
	return load(slot_at(rescue, SLOT_FIRST), arena, ret_image, ret_target);
}
