/* flights: a stack of free numbers, and a table from connections to them. */
#include "run/flights.h"

#include "base/clock.h"
#include "base/map.h"

#define NO_FLIGHT UINT16_MAX
#define TICK_NS   (10 * NS_PER_MS)

bool flights_init(struct flights *f, uint32_t count, uint32_t connections)
{
	f->count = f->free_count = count;
	f->free = map_private(count * sizeof(*f->free));
	f->of = map_private(connections * sizeof(*f->of));
	f->all = map_private(count * sizeof(*f->all));
	f->timers = map_private(count * sizeof(*f->timers));
	if (!f->free || !f->of || !f->all || !f->timers)
		return false;
	for (uint32_t i = 0; i < connections; i++)
		f->of[i] = NO_FLIGHT;
	for (uint32_t i = 0; i < count; i++)
		f->free[i] = (uint16_t)i;
	wheel_init(&f->wheel, f->timers, sizeof(*f->timers), count, TICK_NS, clock_now_ns());
	return true;
}

struct flight *flights_take_off(struct flights *f, uint32_t conn, enum flight_kind kind)
{
	uint16_t number = f->free[--f->free_count];

	f->of[conn] = number;
	f->all[number] = (struct flight){.conn = conn, .kind = (uint8_t)kind};
	return &f->all[number];
}

void flights_land(struct flights *f, struct flight *flight)
{
	uint16_t number = (uint16_t)(flight - f->all);

	wheel_cancel(&f->wheel, number);
	f->of[flight->conn] = NO_FLIGHT;
	f->free[f->free_count++] = number;
}

struct flight *flights_of(struct flights *f, uint32_t conn)
{
	return f->of[conn] == NO_FLIGHT ? NULL : &f->all[f->of[conn]];
}

struct flight *flights_at(struct flights *f, uint32_t number)
{
	return f->of[f->all[number].conn] == number ? &f->all[number] : NULL;
}

bool flights_any(const struct flights *f)
{
	return f->free_count < f->count;
}

void flights_arm(struct flights *f, const struct flight *flight, uint64_t deadline_ns)
{
	wheel_arm(&f->wheel, (uint32_t)(flight - f->all), deadline_ns);
}
