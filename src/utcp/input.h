/* input: what a segment does to a connection (RFC 9293 section 3.10.7). Internal to tcp.c. Pure. */
#pragma once

#include "utcp/step.h"

/* In SYN-SENT, and in every state behind it. */
void input_syn_sent(struct step *s, const struct segment *segment);
void input_synchronized(struct step *s, const struct segment *segment);
