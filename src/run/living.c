/* living: see the header. */
#include "run/living.h"

#include "base/clock.h"
#include "base/text.h"
#include "run/living_words.h"

#include <errno.h>
#include <string.h>

#define HTTP_MESSAGE_BYTES 4096
#define MESSAGE_BYTES_MOST 16384 /* of one send or receive: longer messages are several */

/* A sentence about a stage; one of a scenario is named. */
static int refuse(const struct living_stage *stage, struct err *err, const char *why)
{
	if (stage->name[0] == '\0')
		return err_set(err, -EINVAL, "--%s", why);
	return err_set(err, -EINVAL, "[stage %s]: %s", stage->name, why);
}

bool living_is_still(const struct living_stage *stage)
{
	return stage->traffic == TRAFFIC_HOLD && stage->message_rate_per_s == 0 &&
	       stage->every_ns == 0 && stage->in_flight == 0 && stage->size.high == 0 &&
	       stage->churn_per_s == 0 && stage->churn_by == 0 && !stage->storm.is_given &&
	       stage->storm_at_ns == 0;
}

static bool is_open_loop(const struct living_stage *stage)
{
	return stage->message_rate_per_s > 0 || stage->every_ns > 0;
}

/* What nothing is said of has no rate, and so on. */
static const char *find_unsaid(const struct living_stage *stage)
{
	if (stage->message_rate_per_s > 0)
		return "message-rate: of what? with traffic echo, http or script";
	if (stage->every_ns > 0)
		return "every: what? with traffic echo, push, http or script";
	if (stage->in_flight > 0)
		return "in-flight: of what? with traffic echo, http or script";
	if (stage->size.high > 0)
		return "message-size: of what? with traffic echo or push";
	return NULL;
}

static const char *find_in_traffic(const struct living_stage *stage)
{
	if (stage->traffic == TRAFFIC_HOLD)
		return find_unsaid(stage);
	if (stage->message_rate_per_s > 0 && stage->every_ns > 0)
		return "every and message-rate: one of them (a rate is of all connections "
		       "together)";
	if (stage->in_flight > 0 && is_open_loop(stage))
		return "in-flight is of a closed loop: not with every or message-rate";
	if (stage->traffic == TRAFFIC_PUSH && stage->message_rate_per_s > 0)
		return "message-rate: a push has rounds, give every";
	if (stage->traffic == TRAFFIC_PUSH && stage->in_flight > 0)
		return "in-flight: in a push the server speaks, nothing is asked";
	if (stage->size.high > 0 && stage->traffic == TRAFFIC_HTTP)
		return "message-size is of echo and push: a request is as long as it is";
	if (stage->size.high > 0 && stage->traffic == TRAFFIC_SCRIPT)
		return "message-size is of echo and push: a script has its own";
	return NULL;
}

static const char *find_in_churn(const struct living_stage *stage, uint64_t for_ns)
{
	if (stage->churn_per_s == UINT64_MAX && is_open_loop(stage))
		return "churn max has one exchange on each connection: not with every or "
		       "message-rate";
	if (stage->churn_per_s == UINT64_MAX && stage->traffic == TRAFFIC_PUSH)
		return "churn max has one exchange on each connection: not in a push";
	if (stage->churn_per_s == 0 && stage->churn_by != 0)
		return "churn-by: of what? with churn";
	if (stage->storm_at_ns > 0 && !stage->storm.is_given)
		return "at: what? with storm";
	if (stage->storm.is_given && stage->storm_at_ns >= for_ns)
		return stage->name[0] ? "storm: is not before its end (for)"
		                      : "storm: is not before the end of --hold";
	return NULL;
}

static const char *find_contradiction(const struct living_stage *stage, uint64_t for_ns)
{
	const char *why = find_in_traffic(stage);

	if (!why)
		why = find_in_churn(stage, for_ns);
	if (!why && for_ns == 0 && stage->traffic != TRAFFIC_HOLD)
		why = "traffic takes time: not with --hold 0";
	if (!why && for_ns == 0 && stage->churn_per_s > 0)
		why = "churn takes time: not with --hold 0";
	return why;
}

int living_check_stage(const struct living_stage *stage, uint64_t for_ns, struct err *err)
{
	const char *why = find_contradiction(stage, for_ns);

	return why ? refuse(stage, err, why) : 0;
}

static void set_stage(const struct living_stage *from, uint64_t for_ns, struct stage *to)
{
	struct text t;

	*to = (struct stage){
		.duration_ns = for_ns,
		.connections = from->connections,
		.rate_per_s = from->rate_per_s,
		.traffic = (enum traffic_kind)from->traffic,
		.message_rate_per_s = from->message_rate_per_s,
		.every_ns = from->every_ns,
		.in_flight = from->in_flight,
		.size_least_bytes = (uint32_t)from->size.low,
		.size_most_bytes = (uint32_t)from->size.high,
		.churn_per_s = from->churn_per_s,
		.churn_by_reset = from->churn_by == 1,
		.storm_parts = (uint32_t)from->storm.parts,
		.storm_at_ns = from->storm_at_ns,
	};
	if (from->size.high == 0)
		to->size_least_bytes = to->size_most_bytes = LIVING_SIZE_USUAL;
	if (to->traffic == TRAFFIC_PUSH && to->every_ns == 0)
		to->every_ns = LIVING_PUSH_NS;
	text_init(&t, to->name, sizeof(to->name));
	text_add(&t, "%s", from->name[0] ? from->name : "hold");
}

static int add_stage(const struct living_stage *from, uint64_t for_ns, struct experiment *x,
                     struct err *err)
{
	int failed = living_check_stage(from, for_ns, err);

	if (failed != 0)
		return failed;
	set_stage(from, for_ns, &x->stages[x->stage_count++]);
	x->hold_ns = for_ns == UINT64_MAX ? UINT64_MAX : x->hold_ns + for_ns;
	return 0;
}

static int set_stages(const struct living_options *options, uint64_t hold_ns, struct experiment *x,
                      struct err *err)
{
	struct living_stage hold = options->hold;
	int failed = 0;

	x->stage_count = 0;
	x->hold_ns = 0;
	if (hold.traffic == TRAFFIC_HOLD && options->script)
		hold.traffic = TRAFFIC_SCRIPT;
	if (options->stage_count == 0)
		return add_stage(&hold, hold_ns, x, err);
	for (uint32_t i = 0; i < options->stage_count && failed == 0; i++)
		failed = add_stage(&options->stages[i], options->stages[i].for_ns, x, err);
	return failed;
}

static bool has_traffic(const struct experiment *x, enum traffic_kind kind)
{
	for (uint32_t i = 0; i < x->stage_count; i++) {
		if (x->stages[i].traffic == kind)
			return true;
	}
	return false;
}

static bool says_anything(const struct experiment *x)
{
	for (uint32_t i = 0; i < x->stage_count; i++) {
		if (x->stages[i].traffic != TRAFFIC_HOLD)
			return true;
	}
	return false;
}

/* Options that are of the whole run, with traffic that no stage has. */
static const char *find_in_whole(const struct living_options *options, const struct experiment *x)
{
	if (options->path && !has_traffic(x, TRAFFIC_HTTP))
		return "path is of traffic http";
	if (options->script && !has_traffic(x, TRAFFIC_SCRIPT))
		return "script is of traffic script";
	if (!options->script && has_traffic(x, TRAFFIC_SCRIPT))
		return options->stage_count > 0 ? "traffic script: which one? script = FILE"
		                                : "traffic script: which one? --script FILE";
	if (options->p99_most_ns > 0 && !says_anything(x))
		return "p99 is of answers: with traffic";
	return NULL;
}

static int check_whole(const struct living_options *options, const struct experiment *x,
                       struct err *err)
{
	const char *why = find_in_whole(options, x);

	if (why)
		return err_set(err, -EINVAL, "%s%s",
		               options->stage_count > 0 ? "[scenario]: " : "--", why);
	if (options->find_max && options->stage_count > 0)
		return err_set(err, -EINVAL, "--find-max is of one hold: not with a scenario");
	if (options->find_max && options->hold.storm.is_given)
		return err_set(err, -EINVAL, "--find-max: a storm has no rate: without --storm");
	return 0;
}

/* One lab has one kind of server. */
static int choose_mode(struct experiment *x, struct err *err)
{
	bool http = has_traffic(x, TRAFFIC_HTTP), push = has_traffic(x, TRAFFIC_PUSH);
	bool others = push || has_traffic(x, TRAFFIC_ECHO) || has_traffic(x, TRAFFIC_SCRIPT);

	if (x->kind == RUN_LAB && http && others)
		return err_set(err, -EINVAL,
		               "a lab's servers are of one kind: http, or echo and push, not "
		               "both in one scenario");
	x->mode = http ? SERVE_HTTP : push ? SERVE_PUSH : SERVE_ECHO;
	for (uint32_t i = 0; push && i < x->stage_count; i++) {
		if (x->stages[i].traffic == TRAFFIC_PUSH)
			x->push = x->stages[i];
	}
	x->body_bytes = SERVE_BODY_USUAL;
	if (http)
		x->proof = false;
	return 0;
}

static void set_message_bytes(struct experiment *x)
{
	bool is_script = has_traffic(x, TRAFFIC_SCRIPT);
	uint64_t most = is_script || has_traffic(x, TRAFFIC_HTTP) ? HTTP_MESSAGE_BYTES : 0;

	if (is_script && script_longest(&x->script) > most)
		most = script_longest(&x->script);
	for (uint32_t i = 0; i < x->stage_count; i++) {
		if (x->stages[i].traffic != TRAFFIC_HOLD && x->stages[i].size_most_bytes > most)
			most = x->stages[i].size_most_bytes;
	}
	most = most < MESSAGE_BYTES_MOST ? most : MESSAGE_BYTES_MOST;
	x->message_bytes = most > ENGINE_SEND_MAX ? engine_send_most((uint32_t)most) : 0;
}

static int refuse_count(const char *section, const char *name, uint64_t count, uint64_t n,
                        struct err *err)
{
	char why[128];
	struct text t;

	text_init(&t, why, sizeof(why));
	text_count(&t, count);
	text_add(&t, " connections, and the run has ");
	text_count(&t, n);
	return err_set(err, -EINVAL, "[%s%s]: %s (connections in [scenario])", section, name, why);
}

/* A change that cannot be over in the time of its stage. */
static int check_move(const struct stage *stage, uint64_t before, struct err *err)
{
	uint64_t after = stage->connections;
	uint64_t change = after > before ? after - before : before - after;
	char why[128];
	struct text t;

	if (stage->rate_per_s == 0 || (double)change / (double)stage->rate_per_s <=
	                                      (double)stage->duration_ns / (double)NS_PER_S)
		return 0;
	text_init(&t, why, sizeof(why));
	text_count(&t, change);
	text_add(&t, after > before ? " more at " : " fewer at ");
	text_count(&t, stage->rate_per_s);
	text_add(&t, "/s take longer than ");
	text_duration(&t, stage->duration_ns);
	return err_set(err, -EINVAL, "[stage %s]: %s (for)", stage->name, why);
}

/* No stage has more than the plan, nor the ramp; and what changes has its time. */
static int check_counts(const struct living_options *options, struct experiment *x, struct err *err)
{
	uint64_t before = options->ramp_to > 0 ? options->ramp_to : x->asked;
	int failed = 0;

	if (options->ramp_to > x->asked)
		return refuse_count("ramp", "", options->ramp_to, x->asked, err);
	for (uint32_t i = 0; i < x->stage_count && failed == 0; i++) {
		const struct stage *stage = &x->stages[i];

		if (stage->connections == 0)
			continue;
		if (stage->connections > x->asked)
			return refuse_count("stage ", stage->name, stage->connections, x->asked,
			                    err);
		failed = check_move(stage, before, err);
		before = stage->connections;
	}
	if (failed != 0)
		return failed;
	x->ramp_to = options->ramp_to == x->asked ? 0 : options->ramp_to;
	return 0;
}

int living_set(const struct living_options *options, uint64_t hold_ns, const char *target,
               struct experiment *x, struct err *err)
{
	int failed = set_stages(options, hold_ns, x, err);

	if (failed == 0)
		failed = check_whole(options, x, err);
	if (failed == 0)
		failed = check_counts(options, x, err);
	if (failed == 0)
		failed = choose_mode(x, err);
	if (failed == 0)
		failed = living_words(options, target, x, err);
	if (failed != 0)
		return failed;
	set_message_bytes(x);
	x->p99_most_ns = options->p99_most_ns;
	x->has_failed_most = options->failed_most.is_given;
	x->failed_most_parts = (uint32_t)options->failed_most.parts;
	return 0;
}

int living_check(const struct living_options *options, enum run_kind kind, uint64_t n,
                 uint64_t hold_ns, struct err *err)
{
	struct experiment x = {.kind = kind, .asked = n, .n = n};

	return living_set(options, hold_ns, "localhost:80", &x, err);
}
