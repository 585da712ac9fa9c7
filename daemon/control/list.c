/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ListSAs: the SAs, hottest first. */
#include "control/describe.h"
#include "control/methods.h"

#include <errno.h>
#include <string.h>

static bool matches(const json_t *object, const char *filter)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		if (json_is_string(value) && strcasestr(json_string_value(value), filter))
			return true;
	}
	return false;
}

int method_list_sas(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error)
{
	struct manager *m = userdata;
	_cleanup_free_ struct ranked_sa *ranked = NULL;
	const json_t *limit = json_object_get(parameters, "limit");
	const char *filter = json_string_value(json_object_get(parameters, "filter"));
	bool history = json_is_true(json_object_get(parameters, "history"));
	size_t rows = json_is_integer(limit) ? (size_t)json_integer_value(limit) : SIZE_MAX;
	size_t total = 0;
	json_t *sas;
	int r;

	(void)ret_error;
	r = describe_rank(m, &ranked);
	if (r < 0)
		return r;
	sas = json_array();
	for (size_t i = 0; i < m->sas->n; i++) {
		json_t *object;

		if (!filter && total >= rows) {
			total = m->sas->n;
			break;
		}
		object = describe_sa(m, ranked[i].sa, i + 1, history);
		if (filter && !matches(object, filter)) {
			json_decref(object);
			continue;
		}
		if (total++ < rows)
			r |= json_array_append_new(sas, object);
		else
			json_decref(object);
	}
	if (r == 0)
		*ret_reply = json_pack("{s:o, s:I}", "sas", sas, "total", (json_int_t)total);
	else
		json_decref(sas);
	return *ret_reply ? 0 : -ENOMEM;
}
