/* groups: the tests of the state machine, in a file each. */
#pragma once

int run_opening_tests(void);
int run_arrival_tests(void);
int run_ack_tests(void);
int run_data_tests(void);
int run_closing_tests(void);
int run_again_tests(void);
int run_window_tests(void);
int run_time_wait_tests(void);
int run_matrix_tests(void);
int run_replay_tests(void);
