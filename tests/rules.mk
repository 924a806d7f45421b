# SPDX-License-Identifier: GPL-2.0
# How each kind of test is built. Files that are no tests are helpers of their folder's tests.

UNIT_SRCS  := $(wildcard tests/unit/*_test.c)
UNIT_TESTS := $(UNIT_SRCS:%.c=$(O)/%)
UNIT_HELP  := $(call objs,$(call srcs,tests/unit/*.c,$(UNIT_SRCS)))

$(UNIT_TESTS): $(O)/tests/unit/%: $(O)/tests/unit/%.o $(UNIT_HELP) $(PLAIN)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

FUZZ_TESTS := $(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/*_fuzz.c))

# Only with SAN=fuzz CC=clang, in a folder of its own: see check.
$(FUZZ_TESTS): $(O)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(PLAIN)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

# A vhost-user front end, in benchmarks as well; the rest of the folder is the tests' own.
VHOST_SRCS  := $(wildcard tests/vhost/*_test.c)
VHOST_TESTS := $(VHOST_SRCS:%.c=$(O)/%)
VHOST_FRONT := $(call objs,$(wildcard tests/vhost/frontend*.c) \
		$(addprefix tests/vhost/,link.c ram.c driver_ring.c))
VHOST_HELP  := $(call objs,$(call srcs,tests/vhost/*.c,$(VHOST_SRCS)) tests/unit/random.c)

$(VHOST_TESTS): $(O)/tests/vhost/%: $(O)/tests/vhost/%.o $(VHOST_HELP) $(PLAIN)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

KVM_SRCS  := $(wildcard tests/kvm/*_test.c)
KVM_TESTS := $(KVM_SRCS:%.c=$(O)/%)
# The guest program. Sets KVM_BLOB, objects that a VMM needs beside vmm.c.
include tests/kvm/rules.mk
KVM_VMM   := $(call objs,$(wildcard tests/kvm/vmm.c)) $(KVM_BLOB)
KVM_HELP  := $(KVM_VMM) $(call objs,$(wildcard tests/kvm/harness.c))
KVM_TOOLS := $(O)/tests/kvm/demo-vm $(O)/tests/kvm/resize-vm \
	     $(if $(wildcard tests/kvm/walk.c),$(O)/tests/kvm/kvm-walk)

# Handlers are tested through the skeleton.
$(KVM_SRCS:%.c=$(O)/%.o): | $(O)/hvtrace.skel.h

# A disk that is served, rather than those of the harness.
KVM_SERVED := $(O)/tests/kvm/served_test

$(KVM_SERVED): $(KVM_SERVED).o $(VHOST_HELP) $(TRACER) $(PLAIN)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

$(filter-out $(KVM_SERVED),$(KVM_TESTS)): $(O)/tests/kvm/%: $(O)/tests/kvm/%.o $(KVM_HELP) $(TRACER) $(PLAIN)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIBS)

$(O)/tests/kvm/%-vm: $(O)/tests/kvm/%_vm.o $(O)/tests/kvm/stamps.o $(KVM_VMM)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^

# Runs inside small guests, too: nothing but itself is needed there.
$(O)/tests/kvm/kvm-walk: $(O)/tests/kvm/walk.o $(KVM_VMM)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -static -o $@ $^

GUEST_TOOLS := $(patsubst %.c,$(O)/%,$(wildcard tests/guest/*.c))

$(GUEST_TOOLS): $(O)/tests/guest/%: $(O)/tests/guest/%.o
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -static -o $@ $^ $(GUEST_LIBS) -lm

$(O)/tests/guest/watch_image: $(call objs,$(wildcard loader/foreign*.c) loader/later.c)
$(O)/tests/guest/watch_image: GUEST_LIBS := -lbpf -lelf -lz -lzstd

# Storage that fails on command; only where there is libfuse.
FAULT_TOOLS := $(O)/tests/fault/storage-io \
	       $(if $(wildcard /usr/include/fuse3/fuse_lowlevel.h),$(O)/tests/fault/faulty-file)

$(O)/tests/fault/faulty_file.o: ALL_CFLAGS += -I/usr/include/fuse3

$(O)/tests/fault/faulty-file: $(O)/tests/fault/faulty_file.o
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lfuse3

$(O)/tests/fault/storage-io: $(O)/tests/fault/storage_io.o $(PLAIN)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

BENCHES := $(patsubst %.c,$(O)/%,$(wildcard bench/*.c))

$(O)/bench/vhost_load: $(VHOST_FRONT)

$(BENCHES): $(O)/bench/%: $(O)/bench/%.o $(PLAIN)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

.PHONY: tests unit-tests vhost-tests fuzz-tests kvm-tests
tests: unit-tests vhost-tests kvm-tests $(FAULT_TOOLS) $(GUEST_TOOLS) $(BENCHES)
	@:
unit-tests: $(UNIT_TESTS)
vhost-tests: $(VHOST_TESTS)
fuzz-tests: $(FUZZ_TESTS)
kvm-tests: $(KVM_TESTS) $(KVM_TOOLS)
