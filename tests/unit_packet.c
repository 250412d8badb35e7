/* unit_packet: packets that a kernel sent, byte by byte; packets of ours, against sums that are
 * made in the plainest way; and what a packet may be besides: odd, wrong, or nothing to do with us.
 */
#include "unit_packet/groups.h"

int main(void)
{
	return run_captured_tests() + run_made_tests() + run_odd_tests();
}
