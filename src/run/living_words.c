/* living_words: see the header. */
#include "run/living_words.h"

#include "base/conf.h"
#include "base/file.h"
#include "behave/script_parse.h"
#include "plan/endpoint.h"

#include <errno.h>
#include <string.h>

static bool has(const struct experiment *x, enum traffic_kind kind)
{
	for (uint32_t i = 0; i < x->stage_count; i++) {
		if (x->stages[i].traffic == kind)
			return true;
	}
	return false;
}

static int make_request(const char *path, const char *target, struct experiment *x, struct err *err)
{
	struct endpoint endpoint;
	int failed = endpoint_parse(target, "localhost", &endpoint, err);

	if (failed != 0)
		return failed;
	return request_make(&x->request, endpoint.host, endpoint.port_low, path ? path : "/", err);
}

static int read_script(const char *path, struct script *script, struct err *err)
{
	char text[SCRIPT_FILE_MOST + 1];
	ssize_t len = file_read(path, text, sizeof(text));

	if (len < 0) {
		err_set(err, 0, "cannot be read: %s", strerror((int)-len));
		return conf_blame(path, 0, (int)len, err);
	}
	if (len > SCRIPT_FILE_MOST) {
		err_set(err, 0, "larger than %d bytes: this is no script", SCRIPT_FILE_MOST);
		return conf_blame(path, 0, -EFBIG, err);
	}
	return script_parse(text, (size_t)len, path, script, err);
}

int living_words(const struct living_options *options, const char *target, struct experiment *x,
                 struct err *err)
{
	int failed = 0;

	if (has(x, TRAFFIC_HTTP))
		failed = make_request(options->path, target, x, err);
	if (failed == 0 && has(x, TRAFFIC_SCRIPT))
		failed = read_script(options->script, &x->script, err);
	return failed;
}
