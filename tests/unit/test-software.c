/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who does the cryptography of an SA in software, and rules that leave such SAs there. */
#include "base/crypto-table.h"
#include "manager-bench.h"
#include "sa/software.h"

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static char path[] = "/tmp/test-software-XXXXXX";

static int make_path(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	closep(&fd);
	return fd < 0;
}

static void test_table(void **state)
{
	struct crypto_table table = {};
	const struct crypto_entry *entry;

	(void)state;
	write_file(path, "name         : cbc(aes)\ndriver       : cbc-aes-aesni\n"
			 "module       : aesni_intel\npriority     : 400\ninternal     : no\n\n"
			 "name         : cbc(aes)\ndriver       : cbc(aes-generic)\n"
			 "priority     : 100\n\n"
			 "name         : cbc(aes)\ndriver       : __cbc-aes-aesni\n"
			 "priority     : 900\ninternal     : yes\n\n"
			 "driver       : nameless\npriority     : 9999\n\n"
			 "name         : ctr(aes)\ndriver       : ctr\033[2J-generic\n"
			 "priority     : -5\n\n"
			 "name         : ctr(aes)\ndriver       : ctr-fast\npriority     : 1");
	assert_int_equal(crypto_table_read(&table, path), 0);
	assert_int_equal(table.n, 2);
	entry = crypto_table_find(&table, "cbc(aes)");
	assert_string_equal(entry->driver, "cbc-aes-aesni");
	assert_int_equal(entry->priority, 400);
	/* The last entry ends with the file. */
	assert_string_equal(crypto_table_find(&table, "ctr(aes)")->driver, "ctr-fast");
	assert_null(crypto_table_find(&table, "cbc"));
	/* What is read replaces what was there, also if it fails. */
	write_file(path, "name : a\ndriver : b\033c\n");
	assert_int_equal(crypto_table_read(&table, path), 0);
	assert_int_equal(table.n, 1);
	assert_string_equal(crypto_table_find(&table, "a")->driver, "b?c");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(crypto_table_read(&table, path), -ENOENT);
	assert_int_equal(table.n, 0);
	crypto_table_done(&table);
}

static void test_pattern(void **state)
{
	static const char driver[] = "seqiv(pcrypt(rfc4106-gcm-aesni))";

	(void)state;
	assert_true(crypto_driver_matches(driver, "pcrypt*"));
	assert_true(crypto_driver_matches(driver, "pcrypt(rfc4106-gcm-aesni)"));
	assert_true(crypto_driver_matches(driver, "rfc4106-gcm-aesni"));
	assert_true(crypto_driver_matches(driver, driver));
	assert_true(crypto_driver_matches(driver, "*"));
	assert_false(crypto_driver_matches(driver, "crypt*"));
	assert_false(crypto_driver_matches(driver, "pcrypt"));
	assert_false(crypto_driver_matches(driver, "seqiv(pcrypt)"));
	assert_true(crypto_driver_matches("authenc(hmac(sha1-generic),cbc-aes-aesni)", "cbc-*"));
	assert_true(crypto_driver_matches("authenc(hmac(sha1-generic),cbc-aes-aesni)", "hmac(*)"));
	assert_true(crypto_driver_matches("qat_aes_cbc_hmac_sha1", "qat_*"));
	assert_false(crypto_driver_matches("", "*"));
	assert_true(crypto_driver_matches("a((b", "b"));
	assert_true(crypto_driver_matches(")))a", "a"));
}

static void test_names(void **state)
{
	static const struct {
		struct sa_shape shape;
		const char *name;
	} cases[] = {
		{{.aead = "rfc4106(gcm(aes))", .esn = true}, "seqiv(rfc4106(gcm(aes)))"},
		{{.cipher = "cbc(aes)", .authenticator = "hmac(sha256)"},
		 "echainiv(authenc(hmac(sha256),cbc(aes)))"},
		{{.cipher = "cbc(aes)", .authenticator = "hmac(sha256)", .esn = true},
		 "echainiv(authencesn(hmac(sha256),cbc(aes)))"},
		{{.cipher = "rfc3686(ctr(aes))", .authenticator = "hmac(sha1)"},
		 "seqiv(authenc(hmac(sha1),rfc3686(ctr(aes))))"},
		{{.cipher = "ecb(cipher_null)", .authenticator = "hmac(sha1)"},
		 "authenc(hmac(sha1),ecb(cipher_null))"},
		{{.cipher = "cbc(aes)"}, "echainiv(authenc(digest_null,cbc(aes)))"},
	};
	char name[SOFTWARE_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_string_equal(software_algorithm(&cases[i].shape, name), cases[i].name);
}

/* The list is read again when it is old, and without it no driver is known. */
static void test_age(void **state)
{
	static const struct sa_shape shape = {.aead = "rfc4106(gcm(aes))"};
	static const struct sa_shape other = {.cipher = "cbc(aes)"};
	struct software *software, *without;

	(void)state;
	assert_int_equal(software_new(path, &software), 0);
	assert_int_equal(software_new(NULL, &without), 0);
	assert_null(software_driver(without, &shape, 1));
	(void)unlink(path);
	assert_null(software_driver(software, &shape, 1));
	/* Only what it would be made from. */
	write_file(path, "name : rfc4106(gcm(aes))\ndriver : inner\n");
	assert_null(software_driver(software, &shape, 1 + SOFTWARE_MAX_AGE - 0.1));
	assert_string_equal(software_driver(software, &shape, 1 + SOFTWARE_MAX_AGE), "inner");
	assert_null(software_driver(software, &other, 1 + SOFTWARE_MAX_AGE));
	write_file(path, "name : rfc4106(gcm(aes))\ndriver : inner\npriority : 9\n\n"
			 "name : seqiv(rfc4106(gcm(aes)))\ndriver : outer\n");
	assert_string_equal(software_driver(software, &shape, 2 + SOFTWARE_MAX_AGE), "inner");
	assert_true(software_has_changed(software, 2 + SOFTWARE_MAX_AGE)); /* unknown, then inner */
	assert_false(software_has_changed(software, 2 + SOFTWARE_MAX_AGE));
	assert_true(software_has_changed(software, 1 + 2 * SOFTWARE_MAX_AGE));
	assert_false(software_has_changed(software, 1 + 4 * SOFTWARE_MAX_AGE));
	assert_string_equal(software_driver(software, &shape, 1 + 4 * SOFTWARE_MAX_AGE), "outer");
	assert_int_equal(unlink(path), 0);
	assert_null(software_driver(software, &shape, 1 + 5 * SOFTWARE_MAX_AGE));
	assert_true(software_has_changed(software, 1 + 5 * SOFTWARE_MAX_AGE));
	assert_false(software_has_changed(without, 1 + 5 * SOFTWARE_MAX_AGE));
	software_free(software);
	software_free(without);
}

static void open_with(struct bench *b, const char *driver)
{
	open_bench_with(b,
			"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n"
			"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n"
			"rules: [{match: {reqid: 1}, leave-software-driver: \"pcrypt*\"}]\n");
	set_software_driver(b, driver);
}

static void check_shown(struct bench *b, const struct fake_belief *belief, const char *driver)
{
	json_t *object = describe_sa(b->manager, entry(b, belief), 1, false);
	const char *shown = json_string_value(json_object_get(object, "softwareDriver"));

	assert_non_null(shown);
	assert_string_equal(shown, driver);
	json_decref(object);
}

/* The sentence with the driver and the pattern. */
static void check_explained(struct bench *b)
{
	json_t *sas = ask_explain(b, "0x00000777"), *sentence;
	const json_t *sentences = json_object_get(json_array_get(sas, 0), "sentences");
	bool found = false;
	size_t i;

	json_array_foreach((json_t *)sentences, i, sentence)
		found |= strcmp(json_string_value(sentence),
				"Its software driver is seqiv(pcrypt(rfc4106-gcm-aesni)), and the "
				"rule "
				"has the pattern 'pcrypt*'.") == 0;
	assert_true(found);
	json_decref(sas);
}

/* Such an SA stays in software, others do not. */
static void test_rule(void **state)
{
	static const struct {
		uint32_t reqid;
		const char *driver;
		bool left;
	} cases[] = {
		{1, "seqiv(pcrypt(rfc4106-gcm-aesni))", true},
		{1, "seqiv(rfc4106-gcm-aesni)", false},
		{2, "seqiv(pcrypt(rfc4106-gcm-aesni))", false},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_sa_spec spec = {.spi = 0x777, .peer = 10, .reqid = cases[i].reqid};
		struct fake_belief *belief;
		struct bench b;

		open_with(&b, cases[i].driver);
		belief = add(&b, spec);
		work(&b, 0.6, belief);
		check_shown(&b, belief, cases[i].driver);
		if (cases[i].left) {
			check_reason(&b, belief, "software-driver");
			check_explained(&b);
		} else {
			assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
		}
		close_bench(&b);
	}
}

/* An SA in the NIC leaves it when such a driver answers, and comes back when it does not. */
static void test_leaves(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_with(&b, "seqiv(rfc4106-gcm-aesni)");
	belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	set_software_driver(&b, "seqiv(pcrypt(rfc4106-gcm-aesni))");
	work(&b, SOFTWARE_MAX_AGE + 1, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_int_equal(entry(&b, belief)->candidate.candidacy, CANDIDACY_SOFTWARE_DRIVER);
	set_software_driver(&b, "seqiv(rfc4106-gcm-aesni)");
	work(&b, SOFTWARE_MAX_AGE + 1, belief);
	assert_int_equal(entry(&b, belief)->candidate.candidacy, CANDIDACY_OK);
	close_bench(&b);
}

/* An order of the operator decides before the rule. */
static void test_order(void **state)
{
	struct sa_order order = {.until = 1e9};
	struct fake_belief *belief;
	struct bench b;
	size_t n;

	(void)state;
	open_with(&b, "seqiv(pcrypt(rfc4106-gcm-aesni))");
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	work(&b, 0.6, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	sa_order_set_sa(&order, &entry(&b, belief)->description);
	assert_int_equal(manager_add_sa_order(b.manager, &order, &n), 0);
	assert_int_equal(n, 1);
	work(&b, 0.6, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_pattern),
		cmocka_unit_test(test_names), cmocka_unit_test(test_age),
		cmocka_unit_test(test_rule),  cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests_name("software", tests, make_path, NULL);
}
