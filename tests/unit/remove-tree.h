/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removes the files of a test. Included after the headers of cmocka. */
#pragma once

#include <ftw.h>
#include <stdio.h>

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static inline void remove_tree(const char *root)
{
	assert_int_equal(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}
