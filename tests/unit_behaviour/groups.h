/* groups: the tests of the behaviours, in a file each. */
#pragma once

int run_fake_tests(void);
int run_client_tests(void);
int run_server_tests(void);
int run_mode_tests(void);
int run_traffic_tests(void);
