/* page: page.html, page.css and the scripts page*.js beside this file, put together by the
 * assembler, which looks for them from where make runs. */
#include "out/page.h"

/* page.html ends where the style begins. */
__asm__(".section .rodata\n"
        ".local page_begin, page_end\n"
        "page_begin:\n"
        ".incbin \"src/out/page.html\"\n"
        ".ascii \"<style>\\n\"\n"
        ".incbin \"src/out/page.css\"\n"
        ".ascii \"</style>\\n<script>\\n\"\n"
        ".incbin \"src/out/page_data.js\"\n"
        ".incbin \"src/out/page_cards.js\"\n"
        ".incbin \"src/out/page.js\"\n"
        ".ascii \"</script>\\n\"\n"
        "page_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char page_begin[], page_end[];

const char *page_text(size_t *len)
{
	*len = (size_t)(page_end - page_begin);
	return page_begin;
}
