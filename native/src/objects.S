/* SPDX-License-Identifier: Apache-2.0 */
	.section .rodata
	.balign 16
	.global typed_object, typed_object_end, plain_object, plain_object_end
typed_object:
	.incbin "typed.bpf.o"
typed_object_end:
	.balign 16
plain_object:
	.incbin "plain.bpf.o"
plain_object_end:
	.section .note.GNU-stack,"",%progbits
