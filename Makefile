# SPDX-License-Identifier: GPL-2.0
# `make help` lists the targets and the settings.

O       ?= build
# Named as from here, however it was given: other flags would build all of it again.
override O := $(patsubst $(CURDIR)/%,%,$(abspath $(O)))
PREFIX  ?= /usr/local
DESTDIR ?=
CLANG   ?= clang
STRIP   ?= llvm-strip
OBJCOPY ?= objcopy
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/bin/bpftool) bpftool)
ifneq ($(filter default undefined,$(origin CC)),)
CC := gcc
endif
VERSION := 0.1.0
ARCH    := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
MAKEFLAGS += --no-print-directory
endif

CFLAGS ?= -O2 -g
WARN   := -Wall -Wextra -Werror -Wno-unused-parameter -Wmissing-prototypes
# SAN=1: address and undefined-behaviour sanitizers; SAN=fuzz: libFuzzer's coverage as well.
ifneq ($(SAN),)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
ALL_CFLAGS := -std=gnu11 $(WARN) $(CFLAGS) $(SANITIZE) \
	      $(if $(filter fuzz,$(SAN)),-fsanitize=fuzzer-no-link) \
	      -DHVTRACE_VERSION='"$(VERSION)"' -I$(O)
ALL_LDFLAGS := $(SANITIZE) $(LDFLAGS)
BPF_CFLAGS := -std=gnu11 -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Wall -Wextra \
	      -Werror -Wno-unused-parameter
# What GLPK's shared library brings along, and its archive does not.
GLPK_LIBS  := -lcolamd -lamd -lsuitesparseconfig -lltdl -lgmp -lz -lm
LIBS       := -lbpf -lelf -lz -lzstd -luring -lxxhash -ljansson -lyaml -lglpk -lpthread -lm

objs = $(patsubst %.c,$(O)/%.o,$(1))
srcs = $(filter-out $(2),$(wildcard $(1)))

# Everything but the tracers (and main) does without a BPF object: one archive, from which
# the program and each test take what they need.
TRACER_SRCS := $(wildcard loader/tracer*.c loader/foreign*.c)
PLAIN_SRCS  := $(call srcs,cache/*.c cache/*/*.c analysis/*.c analysis/policy/*.c analysis/plan/*.c \
	       loader/*.c loader/trace/*.c cli/*.c cli/actuator/*.c,$(TRACER_SRCS) cli/main.c)
TRACER      := $(call objs,$(TRACER_SRCS))
PLAIN       := $(O)/libhvtrace.a
MAIN        := $(call objs,$(wildcard cli/main.c))

# The part that others may link: one object, in which only what its header names is visible.
LIBRARY      := $(O)/libhvanalysis.a
LIBRARY_OBJS := $(call objs,$(wildcard analysis/policy/*.c) \
		$(addprefix cache/,region.c slot_set.c page_table.c lru_stack.c) \
		$(addprefix analysis/,mrc.c detail.c filter.c sampler.c distinct.c curve.c curve_window.c \
		estimate.c reuse_histogram.c dense_histogram.c log_histogram.c reading.c))

.PHONY: all
all: $(O)/hvtrace $(LIBRARY)
	@:

# Only weak symbols ask for the HTTP server, and without the library there is none: its archive
# would want all of GnuTLS in the static program.
$(O)/hvtrace: $(MAIN) $(TRACER) $(PLAIN)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -Wl,--no-as-needed -lmicrohttpd

$(O)/hvtrace-static: $(MAIN) $(TRACER) $(PLAIN)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -static -o $@ $^ $(LIBS) $(GLPK_LIBS)

# Thin: members are known by path, two files of one name do not collide.
$(PLAIN): $(call objs,$(PLAIN_SRCS))
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcsT $@ $^

$(LIBRARY): $(LIBRARY_OBJS) analysis/hvanalysis.h
	$(say) LIB $@
	$(Q)grep -oE '\b[a-z0-9_]+__[a-z0-9_]+\(' analysis/hvanalysis.h | tr -d '(' | sort -u \
		>$(O)/hvanalysis.names
	$(Q)$(LD) -r -o $(O)/hvanalysis.o $(LIBRARY_OBJS)
	$(Q)$(OBJCOPY) --keep-global-symbols=$(O)/hvanalysis.names $(O)/hvanalysis.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(O)/hvanalysis.o

$(O)/%.o: %.c $(O)/.flags
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/bpf/%.bpf.o: bpf/%.bpf.c
	$(say) BPF $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<
	$(Q)$(STRIP) -g $@

$(O)/%.skel.h: $(O)/bpf/%.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf > $@.tmp && mv $@.tmp $@

$(TRACER): $(O)/hvtrace.skel.h $(O)/foreign.skel.h

# Other flags or another compiler in the same folder: build again.
same  = $(and $(findstring $(1),$(2)),$(findstring $(2),$(1)))
FLAGS := $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(O)/.flags: $(if $(call same,$(file <$(O)/.flags),$(FLAGS)),,force)
	$(shell mkdir -p $(@D))$(file >$@,$(FLAGS))
.PHONY: force
force:

include tests/rules.mk

# --- checks ---------------------------------------------------------------------------------

.PHONY: deps check lint format bench bench-mrc bench-plan bench-serve bench-balance eval demo
deps:
	$(Q)tools/deps.sh

# All CPUs build, unless -j says how many.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
check: deps
	$(Q)$(MAKE) $(JOBS) all static tests
	$(Q)$(MAKE) $(JOBS) O=$(O)/san SAN=1 CFLAGS='-O1 -g -Wno-format-truncation' unit-tests vhost-tests
	$(Q)$(MAKE) $(JOBS) O=$(O)/fuzz SAN=fuzz CC=$(CLANG) fuzz-tests
	$(Q)BUILD=$(abspath $(O)) CLANG=$(CLANG) MAKE='$(MAKE)' tests/run $(TESTS)

C_FILES = $(sort $(shell find bpf loader cache analysis cli tests bench -name '*.[ch]'))
SH_FILES = $(sort $(shell find tools tests bench .ci -name '*.sh') tests/run .ci/run \
	   $(shell find bench/eval/workloads -type f ! -name '*.sql'))

lint:
	$(say) FORMAT '$(words $(C_FILES)) files'
	$(Q)clang-format --dry-run -Werror $(C_FILES)
	$(say) CPPCHECK
	$(Q)mkdir -p $(O)/cppcheck
	$(Q)cppcheck --quiet -j $(shell nproc) --std=c11 --language=c --error-exitcode=1 --inline-suppr \
		--enable=warning,performance,portability --cppcheck-build-dir=$(O)/cppcheck \
		--suppressions-list=tools/cppcheck.txt --library=tools/cppcheck.cfg \
		$(filter-out %.bpf.c,$(filter %.c,$(C_FILES)))
	$(say) SHELL
	$(Q)shellcheck -x -P SCRIPTDIR $(SH_FILES)

format:
	$(Q)clang-format -i $(C_FILES)

bench: all $(BENCHES) $(GUEST_TOOLS)
	$(Q)BUILD=$(abspath $(O)) bench/run.sh

bench-mrc: all $(BENCHES)
	$(Q)BUILD=$(abspath $(O)) bench/mrc.sh

bench-plan: all $(BENCHES)
	$(Q)BUILD=$(abspath $(O)) bench/plan.sh

bench-serve: all $(BENCHES) $(GUEST_TOOLS)
	$(Q)BUILD=$(abspath $(O)) PART="store serve_speed serve_foreign serve_rescan serve_reads" bench/run.sh

bench-balance: all $(GUEST_TOOLS)
	$(Q)BUILD=$(abspath $(O)) bench/balance.sh

# See bench/eval/run.sh for PART, WORKLOADS, QUICK, AGAIN and PAIRS.
eval: deps
	$(Q)$(MAKE) all $(GUEST_TOOLS)
	$(Q)BUILD=$(abspath $(O)) bench/eval/run.sh docs/evaluation.md

demo: deps
	$(Q)$(MAKE) all $(KVM_TOOLS) $(GUEST_TOOLS) $(O)/bench/direct_read
	$(Q)BUILD=$(abspath $(O)) tools/demo.sh

# --- installation ---------------------------------------------------------------------------

BINDIR  := $(DESTDIR)$(PREFIX)/bin
MANDIR  := $(DESTDIR)$(PREFIX)/share/man/man1
DOCDIR  := $(DESTDIR)$(PREFIX)/share/doc/hvtrace
COMPDIR := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
INCDIR  := $(DESTDIR)$(PREFIX)/include
LIBDIR  := $(DESTDIR)$(PREFIX)/lib
UNITDIR := $(LIBDIR)/systemd/system
USERDIR := $(LIBDIR)/sysusers.d

.PHONY: static install uninstall clean help
static: $(O)/hvtrace-static

install: all
	$(say) INSTALL $(DESTDIR)$(PREFIX)
	$(Q)install -d $(BINDIR) $(MANDIR) $(DOCDIR) $(COMPDIR) $(INCDIR) $(LIBDIR)/pkgconfig \
		$(UNITDIR) $(USERDIR)
	$(Q)install -m 755 $(O)/hvtrace $(BINDIR)/hvtrace
	$(Q)install -m 644 docs/hvtrace.1 $(MANDIR)/hvtrace.1
	$(Q)install -m 644 docs/hvtrace.bash-completion $(COMPDIR)/hvtrace
	$(Q)install -m 644 LICENSE README.md docs/*.md docs/hvtrace-serve.yaml $(DOCDIR)
	$(Q)sed 's|@BINDIR@|$(PREFIX)/bin|' docs/hvtrace-serve.service >$(UNITDIR)/hvtrace-serve.service
	$(Q)install -m 644 docs/hvtrace-serve.sysusers $(USERDIR)/hvtrace-serve.conf
	$(Q)install -m 644 analysis/hvanalysis.h $(INCDIR)
	$(Q)install -m 644 $(LIBRARY) $(LIBDIR)
	$(Q)printf '%s\n' 'Name: hvanalysis' 'Description: miss curves of page references' \
		'Version: $(VERSION)' 'Cflags: -I$(PREFIX)/include' \
		'Libs: -L$(PREFIX)/lib -lhvanalysis -lm' >$(LIBDIR)/pkgconfig/hvanalysis.pc

uninstall:
	$(say) REMOVE $(DESTDIR)$(PREFIX)
	$(Q)rm -f $(BINDIR)/hvtrace $(MANDIR)/hvtrace.1 $(COMPDIR)/hvtrace $(INCDIR)/hvanalysis.h \
		$(LIBDIR)/libhvanalysis.a $(LIBDIR)/pkgconfig/hvanalysis.pc \
		$(UNITDIR)/hvtrace-serve.service $(USERDIR)/hvtrace-serve.conf
	$(Q)rm -rf $(DOCDIR)

clean:
	$(Q)rm -rf $(O)

help:
	@echo 'make            build $(O)/hvtrace'
	@echo 'make deps       install the Debian packages that are missing'
	@echo 'make demo       trace a real VM for 15 seconds, draw its miss curve'
	@echo 'make check      all tests (as root; TESTS="unit cli" picks groups)'
	@echo 'make bench      measure miss curves, the cost of tracing, and serving'
	@echo 'make bench-mrc  only the miss curves: no root needed'
	@echo 'make bench-plan  only how long plans of memory take: no root needed'
	@echo 'make bench-serve  only the exclusive cache: speed, and what it saves a guest'
	@echo 'make bench-balance  only balancing: what it saves beside static splits'
	@echo 'make eval       predicted against measured misses of real guests: an hour or two (QUICK=1: 8 minutes)'
	@echo 'make lint       clang-format, cppcheck, shellcheck'
	@echo 'make format     let clang-format have its way'
	@echo 'make static     build $(O)/hvtrace-static'
	@echo 'make install    to $$DESTDIR$$PREFIX ($(DESTDIR)$(PREFIX)); make uninstall takes it back'
	@echo 'make clean      remove $(O)'
	@echo 'Settings: V=1 shows commands, O=DIR builds there, CC=gcc|clang, SAN=1 adds sanitizers'

.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(O) -path $(O)/eval -prune -o -name '*.d' -print 2>/dev/null)
