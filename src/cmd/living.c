/* living: see the header. */
#include "cmd/living.h"

#include <stddef.h>

const char *const living_traffic[] = {"hold", "echo", "push", "http", "script", NULL};
const char *const living_churn_by[] = {"fin", "rst", NULL};
