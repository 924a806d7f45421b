# SPDX-License-Identifier: GPL-2.0
# The guest program and the programs that are VMs.

# CPL 3 without a kernel below it: no FPU state, no libc, no stack protector's TLS.
GUEST_CFLAGS := -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-main -ffreestanding -fno-pic -fno-pie \
		-mcmodel=small -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
		-fno-asynchronous-unwind-tables -fno-builtin -fno-tree-loop-distribute-patterns
GUEST_DIR := $(O)/tests/kvm

ifneq ($(findstring clang,$(CC)),)
GUEST_CFLAGS := $(filter-out -fno-tree-loop-distribute-patterns,$(GUEST_CFLAGS))
endif

$(GUEST_DIR)/guest.bin: tests/kvm/guest.c tests/kvm/guest.ld $(O)/.flags
	$(say) GUEST $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -MT $@ -MF $(@:.bin=.d) -c -o $(@:.bin=.o) $<
	$(Q)$(LD) -static -nostdlib -T tests/kvm/guest.ld -o $(@:.bin=.elf) $(@:.bin=.o)
	$(Q)objcopy -O binary $(@:.bin=.elf) $@

$(GUEST_DIR)/guest_image.o: tests/kvm/guest_image.S $(GUEST_DIR)/guest.bin
	$(say) AS $@
	$(Q)$(CC) -Wa,-I$(GUEST_DIR) -c -o $@ $<

# What every VM program needs beside vmm.c.
KVM_BLOB := $(GUEST_DIR)/guest_image.o $(GUEST_DIR)/reference.o

# The VM of a test is a process of its own.
$(patsubst tests/%.c,$(O)/tests/%,$(wildcard tests/kvm/*_test.c)): | $(GUEST_DIR)/kvm-vm

$(GUEST_DIR)/kvm-vm: $(GUEST_DIR)/kvm_vm.o $(GUEST_DIR)/vmm.o $(KVM_BLOB)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(ALL_LDFLAGS) -o $@ $^

# The BPF programs on structures of a fake kernel.
HANDLERS_HELP := $(GUEST_DIR)/handlers.o $(GUEST_DIR)/fake_kernel.o
$(filter $(GUEST_DIR)/handlers_%,$(patsubst %.c,$(O)/%,$(wildcard tests/kvm/*_test.c))): \
	$(HANDLERS_HELP)
$(GUEST_DIR)/handlers.o: | $(O)/hvtrace.skel.h
