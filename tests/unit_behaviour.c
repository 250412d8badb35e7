/* unit_behaviour: the real client and server workers over the fake engine, whose faults are drawn
 * from hundreds of seeds: whatever happens, the sums are exact, nothing is sent twice and nothing
 * hangs. SEED=7 runs one. */
#include "unit_behaviour/groups.h"

int main(void)
{
	return run_fake_tests() + run_client_tests() + run_server_tests() + run_mode_tests() +
	       run_traffic_tests();
}
