# SPDX-License-Identifier: GPL-2.0
# make [V=1] [O=build] [CC=gcc|clang] [SAN=1]; `make help` lists the targets.

O       ?= build
CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/bin/bpftool) bpftool)
PREFIX  ?= /usr/local
DESTDIR ?=
ARCH    := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/')
VERSION := 0.1.0

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n'
MAKEFLAGS += --no-print-directory
endif

CFLAGS ?= -O2 -g
WARN   := -Wall -Wextra -Werror -Wno-unused-parameter -Wmissing-prototypes
ifeq ($(SAN),1)
CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS) -DHVTRACE_VERSION='"$(VERSION)"' -I$(O) -MMD -MP
BPF_CFLAGS = -std=gnu11 -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Wall -Wextra -Werror \
	     -Wno-unused-parameter -MMD -MP
LIBS := -lbpf -lelf -lz

dir_objs = $(patsubst %.c,$(O)/%.o,$(wildcard $(1)/*.c))
# cache/ and analysis/ and the BPF-free part of loader/ run unprivileged.
ENGINE_OBJS := $(call dir_objs,cache) $(call dir_objs,analysis)
LOADER_OBJS := $(call dir_objs,loader)
CLI_OBJS    := $(call dir_objs,cli)

.PHONY: all clean
all: $(O)/hvtrace

$(O)/hvtrace: $(CLI_OBJS) $(LOADER_OBJS) $(ENGINE_OBJS)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -lm

$(O)/%.o: %.c
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(O)/bpf/%.bpf.o: bpf/%.bpf.c
	$(say) BPF $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<
	$(Q)llvm-strip -g $@ 2>/dev/null || true

$(O)/%.skel.h: $(O)/bpf/%.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf > $@.tmp && mv $@.tmp $@

$(O)/loader/tracer.o: $(O)/hvtrace.skel.h

clean:
	$(Q)rm -rf $(O)

.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
