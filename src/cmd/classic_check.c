/* classic_check: looks at addresses, and asks the server a question on a connection that it does
 * not count (run/hello). */
#include "cmd/classic_check.h"

#include "base/clock.h"
#include "base/text.h"
#include "cmd/classic_host.h"
#include "out/fetch.h"
#include "run/hello.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_NS    (3 * NS_PER_S)
#define ANSWER_BYTES 4096 /* of who the server is */

static const char *sudo(void)
{
	return geteuid() == 0 ? "" : "sudo ";
}

/* ---- the server ----------------------------------------------------------------------------- */

/* By bind(2), which also knows of ip_nonlocal_bind. */
int classic_check_server(const struct classic_conf *conf, struct err *err)
{
	struct sockaddr_storage address;
	socklen_t len = ip_sockaddr(&conf->server, 0, &address);
	int fd = socket(conf->server.family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is_absent = fd >= 0 && bind(fd, (const struct sockaddr *)&address, len) != 0 &&
	                 errno == EADDRNOTAVAIL;

	if (fd >= 0)
		close(fd);
	if (!is_absent)
		return 0;
	return err_set(
		err, -EADDRNOTAVAIL,
		"server-ip %s is not this host's: make run-srv is for the host that has it "
		"(here, on the client: %smake ifup, then make run-cli), or correct server-ip",
		conf->server_ip, sudo());
}

/* ---- the client ----------------------------------------------------------------------------- */

static int check_addresses(const struct classic_conf *conf, const struct classic_host *host,
                           struct err *err)
{
	uint32_t needed = conf->solution == 2 ? 1 : host->clients;

	if (!host->uses_absent)
		return 0;
	if (host->has_server && host->clients_here == 0)
		return err_set(err, -EADDRNOTAVAIL,
		               "this is the server's host (server-ip %s is its own, client-ips are "
		               "not): make run-cli is for the client (for both on one host: %smake "
		               "ifup first)",
		               conf->server_ip, sudo());
	if (conf->solution == 2)
		return err_set(
			err, -EADDRNOTAVAIL,
			"the first of client-ips, which solution 2 connects from, is not this "
			"host's: %smake ifup first",
			sudo());
	return err_set(err, -EADDRNOTAVAIL,
	               "%u of %u client-ips are this host's: %smake ifup first", host->clients_here,
	               needed, sudo());
}

void classic_check_explain(const struct classic_conf *conf, int code, bool is_last, struct err *err)
{
	unsigned int port = conf->server_ports.low;
	const char *host = conf->server_ip;

	if (is_last) {
		port += classic_conf_server_ports(conf) - 1;
		err_set(err, 0,
		        "%s port %u: %s, but port %u answers: the server's megaconn.conf has "
		        "another solution or other server-ports: make both files the same, then "
		        "on the server: make stop-srv, make run-srv",
		        host, port, strerror(-code), (unsigned int)conf->server_ports.low);
		return;
	}
	switch (-code) {
	case ECONNREFUSED:
		err_set(err, 0, "nobody listens on %s port %u: on the server, first: make run-srv",
		        host, port);
		break;
	case ETIMEDOUT:
		err_set(err, 0,
		        "%s port %u does not answer to %s: is it up, has it a route back to "
		        "client-ips, does a firewall drop what comes? on the server: make run-srv",
		        host, port, conf->client_ips);
		break;
	case EHOSTUNREACH:
		err_set(err, 0,
		        "no host answers for %s (ARP, or a router says so): is the server up, and "
		        "server-ip right?",
		        host);
		break;
	case ENETUNREACH:
		err_set(err, 0, "there is no route to %s from here: ip route get %s", host, host);
		break;
	default:
		err_set(err, 0, "cannot connect to %s port %u: %s", host, port, strerror(-code));
		break;
	}
}

/* The first of the server's ports, and where there are more, the last one. */
static int check_server_answers(const struct classic_conf *conf, struct err *err)
{
	struct hello_path path = {
		.source = pool_at(&conf->clients, 0),
		.target = conf->server,
		.port = conf->server_ports.low,
		.binds_source = true,
		.freebind = conf->server.family == AF_INET6,
	};
	int why;

	(void)hello_ask_over(&path, 0, ANSWER_NS, &why);
	if (why == 0 && classic_conf_server_ports(conf) > 1) {
		path.port = (uint16_t)(path.port + classic_conf_server_ports(conf) - 1);
		(void)hello_ask_over(&path, 0, ANSWER_NS, &why);
	}
	if (why != 0)
		classic_check_explain(conf, why, path.port != conf->server_ports.low, err);
	return why;
}

/* Whether the server tells its counts, where the file says so. Other ends of that are connect's. */
static int check_server_tells(const struct classic_conf *conf, struct err *err)
{
	static const char cure[] =
		"make http and token of both files the same, then on the server: "
		"make stop-srv, make run-srv";
	struct fetch_host host = {
		.token = conf->token, .connect_ns = ANSWER_NS, .whole_ns = 2 * ANSWER_NS};
	char http[CLASSIC_TARGET_BYTES], answer[ANSWER_BYTES];
	struct fetch what = {
		.method = "GET", .path = "/api/v1/server", .into = answer, .size = sizeof(answer)};
	struct err why = {""};
	unsigned int status = 0;
	size_t len;

	if (conf->http == 0)
		return 0;
	classic_conf_http(conf, http);
	snprintf(host.base, sizeof(host.base), "http://%s", http);
	int failed = fetch(&host, &what, &status, &len, &why);

	if (failed < 0)
		return err_set(err, failed, "the server does not tell its counts on %s (%s): %s",
		               http, why.text, cure);
	return status == 401
	               ? err_set(err, -EACCES, "the server on %s has another token: %s", http, cure)
	               : 0;
}

int classic_check_client(const struct classic_conf *conf, struct err *err)
{
	struct classic_host host;
	int failed = classic_host_look(conf, &host, err);

	if (failed == 0)
		failed = check_addresses(conf, &host, err);
	if (failed < 0 || ip_is_public(&conf->server)) /* which connect refuses by itself */
		return failed;
	failed = check_server_answers(conf, err);
	return failed == 0 ? check_server_tells(conf, err) : failed;
}
