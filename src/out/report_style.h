/* report_style: how a report looks: on a screen, a phone and paper, light and dark. */
#pragma once

/* The parts of a style sheet, one after the other; NULL at the end. The nine colours c1 ... c9 can
 * be told apart by those who do not see all colours: neighbours differ in lightness too. */
extern const char *const report_style[];
