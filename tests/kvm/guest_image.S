/* SPDX-License-Identifier: GPL-2.0 */
/* The guest program, as built from guest.c. */
	.section .rodata
	.globl guest_image, guest_image_end
	.balign 16
guest_image:
	.incbin "guest.bin"
guest_image_end:
	.section .note.GNU-stack, "", @progbits
