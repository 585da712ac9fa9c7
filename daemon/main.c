// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * espoffloadd: makes the manager with the real kernel, network and journal, and runs the event
 * loop. The protection of keys comes first: no core dumps, no tracing, locked memory.
 */
#include "base/cipher-cost.h"
#include "base/crypto-table.h"
#include "base/failed-starts.h"
#include "base/state-file.h"
#include "control/control.h"
#include "control/methods.h"
#include "manager/manager.h"
#include "move/rescue.h"
#include "report/event-log.h"
#include "report/journal.h"
#include "sa/ownership.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>

/* Bytes. One batch, one receive buffer and the images of current moves need less than 1 MiB. The
 * rest is for the shadows of SAs in NICs. Only used memory is locked. */
#define ARENA_LIMIT (48u * 1024u * 1024u)
/* Files in the runtime directory, beside the control socket. The option and the file have an older
 * word for ownership ("placed"), so that a new version finds the file of an older one. */
#define OWNERSHIP_NAME "placed"
#define ORDERS_NAME "orders"
#define FAILED_STARTS_NAME "failed-starts"

struct arguments {
	const char *config;
	char *socket;
	char *ownership;
	char *orders;
	char *failed_starts;
	bool debug;
};

static void arguments_done(struct arguments *arguments)
{
	free(arguments->socket);
	free(arguments->ownership);
	free(arguments->orders);
	free(arguments->failed_starts);
}

/* Unless `path` is set: the file in the directory that RuntimeDirectory= of the unit names. Each
 * instance, for another network namespace, has its own. */
static int set_default(char **path, const char *name)
{
	const char *directory = getenv("RUNTIME_DIRECTORY");

	if (*path)
		return 0;
	/* Colons separate several directories. */
	if (!directory || !directory[0] || strchr(directory, ':'))
		directory = CONTROL_DIRECTORY_DEFAULT;
	return asprintf(path, "%s/%s", directory, name) < 0 ? -ENOMEM : 0;
}

static int set_defaults(struct arguments *arguments)
{
	const struct {
		char **path;
		const char *name;
	} files[] = {
		{&arguments->socket, CONTROL_SOCKET_NAME},
		{&arguments->ownership, OWNERSHIP_NAME},
		{&arguments->orders, ORDERS_NAME},
		{&arguments->failed_starts, FAILED_STARTS_NAME},
	};

	for (size_t i = 0; i < ELEMENTSOF(files); i++)
		if (set_default(files[i].path, files[i].name) < 0)
			return -ENOMEM;
	return 0;
}

/* For an option with a path. */
static int set_path(char **path, const char *value)
{
	free(*path);
	*path = strdup(value);
	return *path ? 0 : -ENOMEM;
}

struct daemon {
	const struct clock *clock;
	sd_event *event;
	struct journal *journal;
	struct event_log *events;
	struct secret_arena *arena;
	struct rescue *rescue;
	struct ownership *ownership;
	struct manager *manager;
	struct methods methods;
	struct control *control;
	bool stopping;
	bool started;
	bool misconfigured; /* it did not start because of its configuration */
	struct utsname kernel;
};

static void usage(FILE *out)
{
	fprintf(out, "espoffloadd [OPTION...]\n\n"
		     "Keeps the busiest IPsec SAs in the NIC. Usually run by systemd.\n\n"
		     "  -c --config=FILE    this file alone (" CONFIG_PATH_DEFAULT "\n"
		     "                      and its drop-ins)\n"
		     "  -s --socket=PATH    control socket (" CONTROL_SOCKET_DEFAULT ")\n"
		     "     --placed=PATH    SAs that it offloaded (" CONTROL_DIRECTORY_DEFAULT
		     "/" OWNERSHIP_NAME ")\n"
		     "     --orders=PATH    orders of the operator (" CONTROL_DIRECTORY_DEFAULT
		     "/" ORDERS_NAME ")\n"
		     "  -d --debug          enable debug logging\n"
		     "  -h --help\n"
		     "     --version\n\n"
		     "See espoffloadd(8), espoffloadd.conf(5), espoffloadctl(1).\n");
}

/* Returns 0 to continue, 1 to exit (--help, --version), -EINVAL for a usage error, or -ENOMEM. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	enum { OPTION_PLACED = 256, OPTION_ORDERS, OPTION_VERSION };
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"socket", required_argument, NULL, 's'},
		{"placed", required_argument, NULL, OPTION_PLACED},
		{"orders", required_argument, NULL, OPTION_ORDERS},
		{"debug", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, OPTION_VERSION},
		{},
	};
	int c, r = 0;

	while (r == 0 && (c = getopt_long(argc, argv, "c:s:dh", options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			arguments->config = optarg;
			break;
		case 's':
			r = set_path(&arguments->socket, optarg);
			break;
		case OPTION_PLACED:
			r = set_path(&arguments->ownership, optarg);
			break;
		case OPTION_ORDERS:
			r = set_path(&arguments->orders, optarg);
			break;
		case 'd':
			arguments->debug = true;
			break;
		case 'h':
			usage(stdout);
			return 1;
		case OPTION_VERSION:
			puts("espoffloadd " ESPOFFLOAD_VERSION);
			return 1;
		default:
			return -EINVAL;
		}
	}
	if (r < 0)
		return r;
	if (optind < argc) {
		fprintf(stderr, "espoffloadd: unexpected argument '%s'\n", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

/* Reads a number from a file below /proc/sys. -1: it cannot be read. */
static int64_t read_sysctl(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[32];
	char *end;
	long value;

	if (!file || !fgets(line, sizeof(line), file))
		return -1;
	errno = 0;
	value = strtol(line, &end, 10);
	return errno || end == line ? -1 : value;
}

static void on_stopped(void *userdata)
{
	struct daemon *d = userdata;

	(void)sd_event_exit(d->event, 0);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct daemon *d = userdata;

	(void)source;
	if (info->ssi_signo == SIGHUP) {
		(void)sd_notify(0, "RELOADING=1");
		(void)manager_reload(d->manager, 0, NULL);
		(void)sd_notify(0, "READY=1");
	} else if (d->stopping) {
		return sd_event_exit(d->event, 0); /* second signal: stop at once */
	} else {
		d->stopping = true;
		(void)sd_notify(0, "STOPPING=1");
		manager_stop(d->manager, on_stopped, d);
	}
	return 0;
}

static int on_status(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct daemon *d = userdata;
	struct manager *m = d->manager;
	uint64_t used = 0;

	for (size_t i = 0; i < nics_count(m->nics); i++)
		used += nics_at(m->nics, i)->used_in + nics_at(m->nics, i)->used_out;
	(void)sd_notifyf(0, "STATUS=%s%s%s: %llu of %zu SAs in NICs, %llu moves",
			 m->config->mode == CONFIG_MODE_ENFORCE ? "Enforcing" : "Observing",
			 orders_are_paused(m->orders) ? " (paused)" : "",
			 manager_is_on_trial(m) ? " (configuration on trial)" : "",
			 (unsigned long long)used, m->sas->n,
			 (unsigned long long)(m->promoted + m->evicted));
	journal_flush(d->journal);
	(void)sd_event_source_set_time(source, usec + 10 * UINT64_C(1000000));
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int add_signals(struct daemon *d)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t set;
	int r;

	sigemptyset(&set);
	for (size_t i = 0; i < ELEMENTSOF(signals); i++)
		sigaddset(&set, signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
		r = sd_event_add_signal(d->event, NULL, signals[i], on_signal, d);
		if (r < 0)
			return r;
	}
	return 0;
}

static void open_rescue(struct daemon *d)
{
	unsigned unread = 0;
	int r = rescue_open_inherited(&d->rescue, &unread);

	if (r < 0) {
		r = rescue_open(-1, &d->rescue);
		if (r >= 0)
			r = rescue_publish(d->rescue);
	}
	if (unread > 0)
		journal_log(d->journal, LOG_ERR,
			    "Another version of espoffloadd ended while an SA was not in the "
			    "kernel. Only that version can put it back: start it again, or have "
			    "the IKE daemon negotiate the SA anew");
	if (r < 0)
		journal_log(
			d->journal, LOG_WARNING,
			"No rescue slot, an SA is lost if the daemon is killed while moving it: %s",
			strerror(-r));
}

static double monotonic_clock(void *userdata)
{
	struct timespec now;

	(void)userdata;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t realtime_clock(void *userdata)
{
	(void)userdata;
	return (uint64_t)time(NULL);
}

static double precise_clock(void *userdata)
{
	struct timespec now;

	(void)userdata;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int open_ownership(struct daemon *d, const char *path)
{
	int r = ownership_new(path, &d->ownership);

	if (r < 0)
		return r;
	r = ownership_load(d->ownership);
	if (r < 0)
		journal_log(d->journal, LOG_WARNING,
			    "Cannot read %s, SAs in NICs count as foreign: %s (it is kept as "
			    "%s.damaged)",
			    path, state_file_error(r), path);
	return 0;
}

static int load_config(struct daemon *d, const struct config_source *source,
		       struct config **ret_config)
{
	_cleanup_(config_report_done) struct config_report report = {0};
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_free_ char *messages = NULL;
	char name[CONFIG_NAME_SIZE];
	int r, printed;

	r = config_load_source(source, &report, &config);
	if (r == -ENOENT) {
		journal_log(d->journal, LOG_NOTICE,
			    "There is no %s: observing, nothing is offloaded",
			    config_source_name(source));
		return config_new_default(ret_config);
	}
	printed = config_report_text(&report, &messages);
	if (printed < 0)
		return printed;
	if (r < 0) {
		struct journal_event event = {.kind = JOURNAL_CONFIGURATION_REJECTED, .error = r};

		journal_event(d->journal, &event, "Cannot start with %s:\n%s",
			      config_source_name(source), messages);
	} else if (messages[0]) {
		struct journal_event event = {
			.kind = JOURNAL_CONFIGURATION_LOADED,
			.priority = LOG_WARNING,
		};

		journal_event(d->journal, &event, "Loaded %s:\n%s", config_name(config, name),
			      messages);
	}
	if (r >= 0)
		*ret_config = TAKE_PTR(config);
	return r;
}

/* Takes the configuration. */
static int open_manager(struct daemon *d, const struct arguments *arguments, struct config *config)
{
	struct manager_environment environment = {
		.clock = *d->clock,
		.arena = d->arena,
		.journal = d->journal,
		.ownership = d->ownership,
		.rescue = d->rescue,
		.config_source.path = arguments->config,
		.orders_path = arguments->orders,
		.crypto_path = CRYPTO_TABLE_PATH,
		.measure_cpu_cost = cipher_cost_measure,
		.event_timer_default = read_sysctl("/proc/sys/net/core/xfrm_aevent_etime"),
		.no_offload_module = {access("/sys/module/esp4_offload", F_OK) < 0,
				      access("/sys/module/esp6_offload", F_OK) < 0},
		.fips = read_sysctl("/proc/sys/crypto/fips_enabled") == 1,
		.kernel_release = d->kernel.release,
	};
	int r = kernel_netlink_new(d->arena, &environment.kernel);

	if (r < 0) {
		config_free(config);
		journal_log(d->journal, LOG_ERR, "Cannot talk to XFRM: %s%s", strerror(-r),
			    r == -EPERM ? " (CAP_NET_ADMIN is needed)" : "");
		return r;
	}
	r = manager_new(&environment, config, &d->manager);
	if (r < 0)
		return r;
	r = network_new(d->event, &manager_network_callbacks, d->manager,
			&d->manager->environment.network);
	if (r < 0) {
		journal_log(d->journal, LOG_ERR, "Cannot watch network devices: %s", strerror(-r));
		return r;
	}
	r = manager_start(d->manager);
	if (r < 0) {
		journal_log(d->journal, LOG_ERR, "Cannot read the SAs: %s", strerror(-r));
		return r;
	}
	return manager_attach(d->manager, d->event);
}

static void on_event(void *userdata)
{
	struct daemon *d = userdata;

	control_wake(d->control);
}

static int start(struct daemon *d, const struct arguments *arguments)
{
	const struct config_source source = {.path = arguments->config};
	struct control_settings settings = control_settings_default;
	uint64_t now;
	struct config *config;
	int loaded, r;

	if ((r = sd_event_default(&d->event)) < 0 || (r = add_signals(d)) < 0)
		return r;
	r = secret_arena_new(ARENA_LIMIT, &d->arena);
	if (r < 0) {
		journal_log(d->journal, LOG_ERR,
			    "Cannot lock memory for keys: %s (LimitMEMLOCK= of the unit)",
			    strerror(-r));
		return r;
	}
	(void)uname(&d->kernel);
	open_rescue(d);
	if ((r = open_ownership(d, arguments->ownership)) < 0)
		return r;
	/* An interrupted move must be completed even if the configuration has errors. So the
	 * manager starts with the default configuration, which moves nothing. */
	loaded = load_config(d, &source, &config);
	if (loaded < 0 && (r = config_new_default(&config)) < 0)
		return r;
	if ((r = open_manager(d, arguments, config)) < 0)
		return r;
	if (loaded < 0) {
		d->misconfigured = loaded != -ENOMEM;
		return loaded;
	}
	if ((r = event_log_new(d->journal, d->clock, &d->events)) < 0)
		return r;
	event_log_on_event(d->events, on_event, d);
	d->methods.manager = d->manager;
	d->methods.events = d->events;
	settings.refused = methods_refused;
	r = control_new_with(d->event, arguments->socket, methods_table, methods_count, &d->methods,
			     &settings, &d->control);
	if (r < 0) {
		journal_log(d->journal, LOG_ERR, "Cannot listen at %s: %s", arguments->socket,
			    strerror(-r));
		return r;
	}
	(void)sd_event_set_watchdog(d->event, true);
	(void)sd_event_now(d->event, CLOCK_MONOTONIC, &now);
	return sd_event_add_time(d->event, NULL, CLOCK_MONOTONIC, now, 0, on_status, d);
}

static void stop(struct daemon *d)
{
	control_free(d->control);
	event_log_free(d->events);
	snapshots_release(&d->methods.snapshots);
	plans_release(&d->methods.plans);
	manager_free(d->manager);
	if (d->ownership)
		(void)ownership_save_if_changed(d->ownership);
	ownership_free(d->ownership);
	rescue_close(d->rescue);
	secret_arena_free(d->arena);
	sd_event_unref(d->event);
}

static int run(struct daemon *d, const struct arguments *arguments)
{
	struct journal_event event = {.kind = JOURNAL_STARTED};
	int r = start(d, arguments);

	if (r < 0)
		return r;
	d->started = true;
	journal_event(d->journal, &event,
		      "espoffloadd " ESPOFFLOAD_VERSION " %s on Linux %s: %zu SAs",
		      d->manager->config->mode == CONFIG_MODE_ENFORCE ? "enforcing" : "observing",
		      d->kernel.release, d->manager->sas->n);
	failed_starts_forget(arguments->failed_starts);
	(void)sd_notify(0, "READY=1");
	r = sd_event_loop(d->event);
	report_stopping(d->manager->reporter, manager_owes(d->manager), 0);
	return r;
}

/* The service manager restarts the daemon at once, so the daemon waits before it exits, longer each
 * time. A signal to stop ends the waiting. */
static void wait_after_failure(struct journal *journal, const char *path)
{
	double seconds = failed_starts_note(path);
	struct timespec wait = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - floor(seconds)) * 1e9),
	};
	sigset_t signals;

	if (seconds == 0)
		return;
	journal_log(journal, LOG_NOTICE, "The start failed repeatedly: waiting for %g s", seconds);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	(void)sigtimedwait(&signals, NULL, &wait);
}

int main(int argc, char **argv)
{
	_cleanup_(arguments_done) struct arguments arguments = {0};
	_cleanup_(journal_freep) struct journal *journal = NULL;
	static const struct clock clock = {
		.monotonic = monotonic_clock, .realtime = realtime_clock, .precise = precise_clock};
	struct daemon d = {.clock = &clock};
	int r = parse_arguments(argc, argv, &arguments);

	if (r != 0)
		return r == -EINVAL ? EX_USAGE : r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	if (set_defaults(&arguments) < 0)
		return EXIT_FAILURE;
	/* Before the first key is read: no core file, no ptrace by the same user. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return EXIT_FAILURE;
	if (journal_new(&clock, journal_default_output(), arguments.debug ? LOG_DEBUG : LOG_INFO,
			&journal) < 0)
		return EXIT_FAILURE;
	d.journal = journal;
	r = run(&d, &arguments);
	if (r < 0 && !d.misconfigured)
		journal_log(journal, LOG_ERR, "Failed: %s", strerror(-r));
	stop(&d);
	if (r < 0 && !d.started && !d.misconfigured)
		wait_after_failure(journal, arguments.failed_starts);
	if (d.misconfigured)
		return EX_CONFIG; /* not restarted: RestartPreventExitStatus= of the unit */
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
