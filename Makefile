# megaconn: GNU make; everything that is made goes below build/. `make help` prints the verbs.
#
# B is the build directory, WERROR=1 turns warnings into errors (lint.sh uses both).
# V=1 shows the commands. CC, CFLAGS_EXTRA, LDFLAGS, PREFIX and DESTDIR are the user's.

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

.DEFAULT_GOAL := all

ifeq ($(origin CC),default)
CC := gcc
endif
FUZZ_CC ?= clang
PREFIX ?= /usr/local
B ?= build
N ?= 1M
CONFIG ?= megaconn.conf
FUZZ_SECONDS ?= 60

# ---- flags ----------------------------------------------------------------------------------

# $(call pkg,OPTION,PACKAGES,FALLBACK): what pkg-config says, FALLBACK where it or a .pc is missing.
pkg = $(shell pkg-config $(1) $(2) 2>/dev/null || echo '$(3)')

LIB_CFLAGS    := $(call pkg,--cflags,liburing libmnl jansson inih zlib libmicrohttpd libcurl,)
LIB_LIBS      := $(call pkg,--libs,liburing libmnl jansson inih zlib libmicrohttpd libcurl ncursesw,-luring \
	-lmnl -ljansson -linih -lz -lmicrohttpd -lcurl -lncursesw -ltinfo) -lhttp_parser
CMOCKA_CFLAGS := $(call pkg,--cflags,cmocka,)
CMOCKA_LIBS   := $(call pkg,--libs,cmocka,-lcmocka)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef -Wcast-qual \
	-Wpointer-arith -Wwrite-strings -Wnull-dereference
ifdef WERROR
WARNINGS += -Werror
endif

# What every compiler and clang-tidy must see; optimisation and hardening come apart from it.
BASE_CFLAGS := -std=gnu11 -D_GNU_SOURCE -Isrc -pthread $(WARNINGS) $(LIB_CFLAGS)
CFLAGS := $(BASE_CFLAGS) -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
# The sanitizers' own checks make gcc see null dereferences that are none. Lines are all that their
# reports name.
ASAN_CFLAGS := $(BASE_CFLAGS) -O1 -g1 -fno-omit-frame-pointer -Wno-null-dereference \
	-fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_CFLAGS := $(BASE_CFLAGS) -O1 -g -fno-omit-frame-pointer \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
TEST_CFLAGS := -Itests $(CMOCKA_CFLAGS)
LDLIBS := $(LIB_LIBS) -lm

# One short line for each file made.
# -A is the sanitized build, -F the fuzzers.
ifdef V
say =
Q :=
else
say = @printf '  %-6s %s\n' $(1) '$@'
Q := @
endif

# ---- what there is --------------------------------------------------------------------------

SRC   := $(sort $(wildcard src/*/*.c))
UNIT  := $(sort $(wildcard tests/unit_*.c))
LAB   := $(sort $(wildcard tests/lab_*.c))
FUZZ  := $(sort $(wildcard tests/fuzz_*.c))
BENCH := $(sort $(wildcard bench/*.c))

OBJ       := $(SRC:%.c=$(B)/obj/%.o)
ASAN_OBJ  := $(SRC:%.c=$(B)/asan/obj/%.o)
FUZZ_OBJ  := $(SRC:%.c=$(B)/fuzz/obj/%.o)
UNIT_BIN  := $(UNIT:tests/%.c=$(B)/tests/%)
LAB_BIN   := $(LAB:tests/%.c=$(B)/tests/%)
ASAN_UNIT := $(UNIT:tests/%.c=$(B)/asan/tests/%)
ASAN_LAB  := $(LAB:tests/%.c=$(B)/asan/tests/%)
# Labs that mostly wait, or show numbers: sanitized, they are test-full's.
ASAN_LATE := $(filter $(addprefix $(B)/asan/tests/lab_,addr addr_wire apart api api_token bill capture \
	classic_hosts churn clients connect endings faults find idle lan latency limits loss modes others path peers plain \
	push record room scenario servers shards solutions storm traffic traffic_servers via walls_% \
	watch),$(ASAN_LAB))
FUZZ_BIN  := $(FUZZ:tests/%.c=$(B)/fuzz/%)
# The inputs kept for a fuzzer, replayed without one.
REPLAY    := $(patsubst tests/fixtures/fuzz_%,$(B)/asan/tests/replay_%,$(sort $(wildcard tests/fixtures/fuzz_*)))
BENCH_BIN := $(BENCH:bench/%.c=$(B)/bench/%)

# What tests share, and parts that a large one has in a directory of its name.
LAB_TOOLS := tests/apart.c tests/capture.c tests/cgroup.c tests/counts.c tests/ground.c \
	tests/guardian.c tests/hlog.c tests/hosts.c tests/killer.c tests/others.c tests/peer.c tests/rules.c \
	tests/sealed.c tests/snapshot.c tests/staged.c tests/trial.c tests/tuned.c tests/wall.c \
	tests/web.c tests/wire.c
FAKE      := tests/fake_engine.c tests/fake_poll.c
WATCH     := tests/watch.c tests/watch_program.c
TEST_PART := $(LAB_TOOLS) $(FAKE) $(WATCH) $(sort $(wildcard tests/unit_*/*.c tests/lab_*/*.c))
TEST_OBJ  := $(patsubst %.c,$(B)/obj/%.o,$(UNIT) $(LAB) $(TEST_PART))
ASAN_TEST := $(patsubst %.c,$(B)/asan/obj/%.o,$(UNIT) $(LAB) $(TEST_PART))

# ---- verbs ----------------------------------------------------------------------------------

.PHONY: all deps deps-test deps-servers deps-lint deps-fuzz deps-full deps-bench million millions run-srv \
	run-cli stop-cli stop-srv watch ping ifup ifdown tune untune test test-full walls boxes bench lint format clean install help \
	everything print-tidy-flags

all: $(B)/megaconn ## check what is needed, then build build/megaconn

deps: ## install what the build needs, if something is missing
	@CC='$(CC)' scripts/deps.sh build

deps-test: deps ## install what the tests need
	@CC='$(CC)' scripts/deps.sh test

deps-servers: deps-test ## install nginx, redis, haproxy and tshark, for tests that skip without them
	@scripts/deps.sh servers

# One group after the other: two apt-get at a time would fight for the lock.
deps-fuzz: deps-test
	@scripts/deps.sh fuzz

deps-full: deps-fuzz ## install what test-full needs: chromium, prometheus, node; and packages of npm
	@scripts/deps.sh full
	@$(MAKE) '$(B)/npm/installed'

deps-bench: deps-servers ## install what bench measures itself beside: nginx, wrk, h2load, sockperf
	@scripts/deps.sh bench

deps-lint: deps-test ## install what lint needs
	@scripts/deps.sh lint

# Each run has a record of its own, with a report to look at: lab says where.
RECORD = $(B)/runs/$(shell date +%Y%m%d-%H%M%S)

million: $(B)/megaconn ## a million connections on this machine, no root needed (N=100k for fewer)
	@mkdir -p '$(B)/runs'
	$(B)/megaconn lab -n $(N) --out '$(RECORD)'

millions: $(B)/megaconn ## as many as its memory holds, clients by our own TCP, held for a minute
	@mkdir -p '$(B)/runs'
	$(B)/megaconn lab -n max --hold 60s --out '$(RECORD)'

run-srv: $(B)/megaconn ## start the server in the background, as megaconn.conf says (or CONFIG=FILE)
	@mkdir -p '$(B)/runs'
	@$(B)/megaconn classic run-srv --config '$(CONFIG)' --out '$(RECORD)-srv'

run-cli: $(B)/megaconn ## start the client in the background, likewise
	@mkdir -p '$(B)/runs'
	@$(B)/megaconn classic run-cli --config '$(CONFIG)' --out '$(RECORD)-cli'

stop-cli: $(B)/megaconn ## end the client that run-cli started, and say what came of it
	@$(B)/megaconn classic stop-cli --config '$(CONFIG)'

stop-srv: $(B)/megaconn ## end the server that run-srv started, and say what it has counted
	@$(B)/megaconn classic stop-srv --config '$(CONFIG)'

watch: $(B)/megaconn ## what this host's TCP does while it runs: sockets, memory, slab caches, limits
	@$(B)/megaconn watch

ping: $(B)/megaconn ## which client-ips of megaconn.conf somebody has already (root)
	@$(B)/megaconn addr ping --config '$(CONFIG)'

ifup: $(B)/megaconn ## add client-ips of megaconn.conf to its device (root)
	@$(B)/megaconn addr up --config '$(CONFIG)'

ifdown: $(B)/megaconn ## take away exactly what ifup added (root)
	@$(B)/megaconn addr down --config '$(CONFIG)'

tune: $(B)/megaconn ## raise what megaconn.conf needs (root); untune puts it back
	@$(B)/megaconn tune apply --config '$(CONFIG)'

untune: $(B)/megaconn ## put back what tune raised (root)
	@$(B)/megaconn tune revert --config '$(CONFIG)'

# Arguments NAME=VALUE are the environment of the programs after them: MEGACONN is the program
# that a lab test starts, SMALL=1 and FULL=1 say how large it may be, LANES how many run side by
# side. Alone are labs that change settings of the machine, measure memory, or count what a machine
# counts as a whole. Calm ones want time-outs to be those of the wire, and mostly wait themselves.
CALM  := lab_capture lab_loss
ALONE := lab_walls_files lab_walls_memory lab_walls_net lab_bill lab_doctor lab_endings lab_limits \
	lab_plain lab_room lab_solutions
# An ordinary user's locked memory, which rings are made of, is one account for all programs.
lanes = LANES=$(if $(filter 0,$(shell id -u)),$(1),1)
among = $(filter $(2:%=$(B)/$(1)/%),$(3))
others = $(filter-out $(CALM:%=$(B)/$(1)/%) $(ALONE:%=$(B)/$(1)/%),$(2))
ASAN_SOON := $(filter-out $(ASAN_LATE),$(ASAN_LAB))
TEST_RUN = $(call lanes,3) MEGACONN=$(B)/megaconn $(UNIT_BIN) $(call others,tests,$(LAB_BIN)) \
	$(call lanes,2) $(call among,tests,$(CALM),$(LAB_BIN)) \
	LANES=1 $(call among,tests,$(ALONE),$(LAB_BIN)) \
	LABEL=asan MEGACONN=$(B)/asan/megaconn SMALL=1 $(call among,asan/tests,$(ALONE),$(ASAN_SOON)) \
	$(call lanes,2) $(call among,asan/tests,$(CALM),$(ASAN_SOON)) \
	$(call lanes,3) $(ASAN_UNIT) $(REPLAY) $(call others,asan/tests,$(ASAN_SOON))
FULL_RUN = LANES=1 $(ASAN_LATE) LABEL=full MEGACONN=$(B)/megaconn SMALL= FULL=1 TIMEOUT=1200 \
	NODE_PATH='$(abspath $(B)/npm/node_modules)' $(B)/tests/unit_engine $(LAB_BIN) \
	LABEL= FUZZ_SECONDS=$(FUZZ_SECONDS) $(FUZZ_BIN)

TEST_NEEDS = deps-test $(B)/megaconn $(B)/asan/megaconn $(UNIT_BIN) $(LAB_BIN) $(ASAN_UNIT) \
	$(ASAN_SOON) $(REPLAY)

test: $(TEST_NEEDS) ## unit and lab tests, plain and sanitized
	@LOGS='$(B)/test-logs' scripts/run-tests.sh $(TEST_RUN)

test-full: deps-full $(TEST_NEEDS) $(ASAN_LATE) $(FUZZ_BIN) ## test, then the full labs and the fuzzers
	@LOGS='$(B)/test-logs' scripts/run-tests.sh $(TEST_RUN) $(FULL_RUN)

WALLS := $(filter $(B)/tests/lab_walls_%,$(LAB_BIN))

walls: deps-servers $(B)/megaconn $(WALLS) ## provoke every limit, and write docs/walls.md (root)
	@MEGACONN=$(B)/megaconn scripts/walls.sh $(WALLS)

boxes: deps-servers $(B)/megaconn $(B)/tests/lab_via ## fill each box that a lab may have in between, and write docs/boxes.md (root)
	@MEGACONN=$(B)/megaconn scripts/boxes.sh $(B)/tests/lab_via

bench: deps-bench $(B)/megaconn $(BENCH_BIN) ## measure by design and size, in one run (BENCH_SIZES="10k 100k 1M" BENCH_ROUNDS=2)
	bench/run.sh
	bench/watch.sh
	bench/living.sh
	bench/hosts.sh
	bench/boxes.sh

lint: deps-lint ## format, clang-tidy, both compilers with -Werror, house rules
	@scripts/lint.sh

format: deps-lint ## let clang-format write
	@find src tests bench -name '*.[ch]' -exec clang-format -i {} +

clean: ## remove build/
	rm -rf '$(B)'

install: $(B)/megaconn ## PREFIX=/usr/local, DESTDIR=
	install -D -m 755 $(B)/megaconn '$(DESTDIR)$(PREFIX)/bin/megaconn'
	install -D -m 644 dashboards/megaconn.json '$(DESTDIR)$(PREFIX)/share/megaconn/megaconn.json'
	@for page in docs/*.[1-8] docs/man/*.[1-8]; do \
		[ -f "$$page" ] || continue; \
		install -D -m 644 "$$page" \
			"$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}" || exit 1; \
	done

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s  %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# For lint.sh: all that one compiler can compile, without the sanitizers.
everything: $(B)/megaconn $(UNIT_BIN) $(LAB_BIN) $(BENCH_BIN) $(FUZZ:%.c=$(B)/obj/%.o) $(B)/obj/tests/replay.o

print-tidy-flags:
	@echo '$(BASE_CFLAGS) $(TEST_CFLAGS)'

# ---- rules ----------------------------------------------------------------------------------

# deps is order-only: it runs first, and makes nothing old.

$(B)/obj/tests/%.o: tests/%.c Makefile | deps-test
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CFLAGS) $(TEST_CFLAGS) $(CFLAGS_EXTRA) -MMD -MP -c -o $@ $<

$(B)/obj/%.o: %.c Makefile | deps
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CFLAGS) $(CFLAGS_EXTRA) -MMD -MP -c -o $@ $<

$(B)/asan/obj/tests/%.o: tests/%.c Makefile | deps-test
	@mkdir -p $(@D)
	$(call say,CC-A)
	$(Q)$(CC) $(ASAN_CFLAGS) $(TEST_CFLAGS) $(CFLAGS_EXTRA) -MMD -MP -c -o $@ $<

$(B)/asan/obj/%.o: %.c Makefile | deps-test
	@mkdir -p $(@D)
	$(call say,CC-A)
	$(Q)$(CC) $(ASAN_CFLAGS) $(CFLAGS_EXTRA) -MMD -MP -c -o $@ $<

$(B)/fuzz/obj/%.o: %.c Makefile | deps-fuzz
	@mkdir -p $(@D)
	$(call say,CC-F)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -Itests -MMD -MP -c -o $@ $<

# The assembler puts these into the object.
$(B)/obj/src/out/page.o $(B)/asan/obj/src/out/page.o $(B)/fuzz/obj/src/out/page.o: \
	$(wildcard src/out/page*.html src/out/page*.css src/out/page*.js)

# Of which a program takes what it needs: tests that are linked with all of it would fill 2 GB. The
# objects stay where they are (T).
$(B)/obj/megaconn.a: $(OBJ)
$(B)/asan/obj/megaconn.a: $(ASAN_OBJ)
$(B)/obj/megaconn.a $(B)/asan/obj/megaconn.a:
	$(call say,AR)
	$(Q)rm -f $@
	$(Q)$(AR) rcsT $@ $^

$(B)/megaconn: $(B)/obj/src/main.o $(OBJ)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/asan/megaconn: $(B)/asan/obj/src/main.o $(ASAN_OBJ)
	$(call say,LINK-A)
	$(Q)$(CC) $(ASAN_CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LAB_BIN): $(LAB_TOOLS:%.c=$(B)/obj/%.o)
$(ASAN_LAB): $(LAB_TOOLS:%.c=$(B)/asan/obj/%.o)

# Unit tests that write where root writes, in a file tree of their own.
SEALED_UNIT := unit_journal unit_settings
$(SEALED_UNIT:%=$(B)/tests/%): $(B)/obj/tests/sealed.o
$(SEALED_UNIT:%=$(B)/asan/tests/%): $(B)/asan/obj/tests/sealed.o

$(B)/tests/unit_hdr: $(B)/obj/tests/hlog.o
$(B)/asan/tests/unit_hdr: $(B)/asan/obj/tests/hlog.o

# The behaviours' time is the test's, and so is our TCP's.
$(B)/tests/unit_engine $(B)/tests/unit_behaviour: $(FAKE:%.c=$(B)/obj/%.o)
$(B)/asan/tests/unit_engine $(B)/asan/tests/unit_behaviour: $(FAKE:%.c=$(B)/asan/obj/%.o)
$(B)/tests/unit_behaviour $(B)/asan/tests/unit_behaviour $(B)/tests/unit_utcp \
	$(B)/asan/tests/unit_utcp: TEST_LDFLAGS := -Wl,--wrap=clock_now_ns

# Where the kernel is an older one, or takes less than it is given.
$(B)/tests/lab_devices $(B)/asan/tests/lab_devices: TEST_LDFLAGS := \
	-Wl,--wrap=io_uring_queue_init,--wrap=io_uring_submit

# A connection under watch, which its fuzzer and its tables share.
$(B)/tests/unit_tcp: $(WATCH:%.c=$(B)/obj/%.o)
$(B)/asan/tests/unit_tcp: $(WATCH:%.c=$(B)/asan/obj/%.o)
$(B)/fuzz/fuzz_segments: $(WATCH:%.c=$(B)/fuzz/obj/%.o)
$(B)/asan/tests/replay_segments: $(WATCH:%.c=$(B)/asan/obj/%.o)

# $(call parts,OBJECTS,DIR): the objects of a directory's sources. Without patsubst, whose % a
# static pattern rule would replace by the stem.
parts = $(addprefix $(1)/,$(addsuffix .o,$(basename $(sort $(wildcard $(2)/*.c)))))

.SECONDEXPANSION:
$(UNIT_BIN) $(LAB_BIN): $(B)/tests/%: $(B)/obj/tests/%.o $(B)/obj/megaconn.a \
	$$(call parts,$(B)/obj,tests/$$*)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) $(TEST_LDFLAGS) -o $@ $(filter %.o,$^) \
		$(filter %.a,$^) $(CMOCKA_LIBS) $(LDLIBS)

$(ASAN_UNIT) $(ASAN_LAB): $(B)/asan/tests/%: $(B)/asan/obj/tests/%.o $(B)/asan/obj/megaconn.a \
	$$(call parts,$(B)/asan/obj,tests/$$*)
	@mkdir -p $(@D)
	$(call say,LINK-A)
	$(Q)$(CC) $(ASAN_CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) $(TEST_LDFLAGS) -o $@ $(filter %.o,$^) \
		$(filter %.a,$^) $(CMOCKA_LIBS) $(LDLIBS)

$(REPLAY): $(B)/asan/tests/replay_%: $(B)/asan/obj/tests/fuzz_%.o $(B)/asan/obj/tests/replay.o \
	$(B)/asan/obj/megaconn.a
	@mkdir -p $(@D)
	$(call say,LINK-A)
	$(Q)$(CC) $(ASAN_CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) \
		$(CMOCKA_LIBS) $(LDLIBS)

$(FUZZ_BIN): $(B)/fuzz/%: $(B)/fuzz/obj/tests/%.o $(FUZZ_OBJ)
	$(call say,LINK-F)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -o $@ $^ $(LDLIBS)

# A bench program may have parts of its own in a directory of its name.
$(BENCH_BIN): $(B)/bench/%: $(B)/obj/bench/%.o $$(call parts,$(B)/obj,bench/$$*)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS) $(CFLAGS_EXTRA) $(LDFLAGS) -o $@ $^ \
		-Wl,--as-needed $(call pkg,--libs,jansson,-ljansson) -lm

# What tests ask others for, by node.
$(B)/npm/installed: tests/npm/package.json
	@mkdir -p $(@D)
	$(call say,NPM)
	$(Q)cp $< $(@D)/package.json
	$(Q)cd $(@D) && npm install --silent --no-audit --no-fund --ignore-scripts
	$(Q)touch $@

# Kept between runs: make would take them for intermediate files and delete them.
.SECONDARY:

-include $(patsubst %.o,%.d,$(B)/obj/src/main.o $(B)/asan/obj/src/main.o $(OBJ) $(ASAN_OBJ) \
	$(FUZZ_OBJ) $(TEST_OBJ) $(ASAN_TEST) $(FUZZ:%.c=$(B)/fuzz/obj/%.o) $(FUZZ:%.c=$(B)/obj/%.o) \
	$(FUZZ:%.c=$(B)/asan/obj/%.o) $(B)/obj/tests/replay.o $(B)/asan/obj/tests/replay.o \
	$(WATCH:%.c=$(B)/fuzz/obj/%.o) \
	$(patsubst %.c,$(B)/obj/%.o,$(BENCH) $(wildcard bench/*/*.c)))
