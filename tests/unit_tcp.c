/* unit_tcp: the state machine, against RFC 9293 section 3.10.7 row by row, in every state with
 * every kind of segment, and against the programs that the fuzzer has kept. */
#include "unit_tcp/groups.h"

int main(void)
{
	return run_opening_tests() + run_arrival_tests() + run_ack_tests() + run_data_tests() +
	       run_closing_tests() + run_again_tests() + run_window_tests() +
	       run_time_wait_tests() + run_matrix_tests() + run_replay_tests();
}
