/* groups: the tests of packets, in a file each. */
#pragma once

int run_captured_tests(void);
int run_made_tests(void);
int run_odd_tests(void);
