//go:build amd64 && !purego

#include "textflag.h"

// Bytes of 64-bit words turned right by three and by two.
DATA turn24<>+0(SB)/8, $0x0201000706050403
DATA turn24<>+8(SB)/8, $0x0a09080f0e0d0c0b
DATA turn24<>+16(SB)/8, $0x0201000706050403
DATA turn24<>+24(SB)/8, $0x0a09080f0e0d0c0b
GLOBL turn24<>(SB), RODATA|NOPTR, $32

DATA turn16<>+0(SB)/8, $0x0100070605040302
DATA turn16<>+8(SB)/8, $0x09080f0e0d0c0b0a
DATA turn16<>+16(SB)/8, $0x0100070605040302
DATA turn16<>+24(SB)/8, $0x09080f0e0d0c0b0a
GLOBL turn16<>(SB), RODATA|NOPTR, $32

// A matrix of 16 words, twice: a0 and a1 are its first rows, and so on.
#define a0 Y0
#define a1 Y1
#define b0 Y2
#define b1 Y3
#define c0 Y4
#define c1 Y5
#define d0 Y6
#define d1 Y7
#define t0 Y8
#define t1 Y9

// x += y + 2 * low(x) * low(y)
#define MULADD(x, y, t) \
	VPMULUDQ x, y, t; \
	VPADDQ   y, x, x; \
	VPADDQ   t, t, t; \
	VPADDQ   t, x, x

// RFC 9106 section 3.6: GB on four columns of both matrices.
#define MIX \
	MULADD(a0, b0, t0); \
	MULADD(a1, b1, t1); \
	VPXOR   a0, d0, d0; \
	VPXOR   a1, d1, d1; \
	VPSHUFD $0xB1, d0, d0; \
	VPSHUFD $0xB1, d1, d1; \
	MULADD(c0, d0, t0); \
	MULADD(c1, d1, t1); \
	VPXOR   c0, b0, b0; \
	VPXOR   c1, b1, b1; \
	VPSHUFB Y14, b0, b0; \
	VPSHUFB Y14, b1, b1; \
	MULADD(a0, b0, t0); \
	MULADD(a1, b1, t1); \
	VPXOR   a0, d0, d0; \
	VPXOR   a1, d1, d1; \
	VPSHUFB Y15, d0, d0; \
	VPSHUFB Y15, d1, d1; \
	MULADD(c0, d0, t0); \
	MULADD(c1, d1, t1); \
	VPXOR   c0, b0, b0; \
	VPXOR   c1, b1, b1; \
	VPADDQ  b0, b0, t0; \
	VPADDQ  b1, b1, t1; \
	VPSRLQ  $63, b0, b0; \
	VPSRLQ  $63, b1, b1; \
	VPXOR   t0, b0, b0; \
	VPXOR   t1, b1, b1

// A row of a matrix is one register: its diagonals become columns by turning it.
#define TURN(b, c, d) \
	VPERMQ b, b0, b0; \
	VPERMQ b, b1, b1; \
	VPERMQ c, c0, c0; \
	VPERMQ c, c1, c1; \
	VPERMQ d, d0, d0; \
	VPERMQ d, d1, d1

#define SWAP(x, y) \
	VMOVDQA x, t0; \
	VMOVDQA y, x; \
	VMOVDQA t0, y

// Each register holds half a row of two matrices, in its halves. low and high
// turn the pair (low, high) left by one word.
#define LEFT(low, high) \
	VPALIGNR $8, low, high, t0; \
	VPALIGNR $8, high, low, high; \
	VMOVDQA  t0, low

#define RIGHT(low, high) \
	VPALIGNR $8, high, low, t0; \
	VPALIGNR $8, low, high, high; \
	VMOVDQA  t0, low

#define LOADXOR(at, y) \
	VMOVDQU at(SI), y; \
	VPXOR   at(DX), y, y

#define FINISH(at, y) \
	VPXOR at(SI), y, y; \
	VPXOR at(DX), y, y

#define KEEP(at, y) \
	VPXOR at(DI), y, y

// func fill(out, prev, ref *block, xor bool)
TEXT ·fill(SB), 0, $1024-25
	MOVQ    out+0(FP), DI
	MOVQ    prev+8(FP), SI
	MOVQ    ref+16(FP), DX
	MOVBLZX xor+24(FP), R9
	VMOVDQU turn24<>(SB), Y14
	VMOVDQU turn16<>(SB), Y15

	// prev ^ ref, and the rows of it, two at a time.
	MOVQ SP, R8
	MOVQ $4, CX

rows:
	LOADXOR(0, a0)
	LOADXOR(32, b0)
	LOADXOR(64, c0)
	LOADXOR(96, d0)
	LOADXOR(128, a1)
	LOADXOR(160, b1)
	LOADXOR(192, c1)
	LOADXOR(224, d1)
	MIX
	TURN($0x39, $0x4E, $0x93)
	MIX
	TURN($0x93, $0x4E, $0x39)
	VMOVDQU a0, 0(R8)
	VMOVDQU b0, 32(R8)
	VMOVDQU c0, 64(R8)
	VMOVDQU d0, 96(R8)
	VMOVDQU a1, 128(R8)
	VMOVDQU b1, 160(R8)
	VMOVDQU c1, 192(R8)
	VMOVDQU d1, 224(R8)
	ADDQ $256, SI
	ADDQ $256, DX
	ADDQ $256, R8
	DECQ CX
	JNZ  rows

	// The columns, two at a time.
	SUBQ $1024, SI
	SUBQ $1024, DX
	MOVQ SP, R8
	MOVQ $4, CX

columns:
	VMOVDQU 0(R8), a0
	VMOVDQU 128(R8), a1
	VMOVDQU 256(R8), b0
	VMOVDQU 384(R8), b1
	VMOVDQU 512(R8), c0
	VMOVDQU 640(R8), c1
	VMOVDQU 768(R8), d0
	VMOVDQU 896(R8), d1
	MIX
	LEFT(b0, b1)
	SWAP(c0, c1)
	RIGHT(d0, d1)
	MIX
	RIGHT(b0, b1)
	SWAP(c0, c1)
	LEFT(d0, d1)
	FINISH(0, a0)
	FINISH(128, a1)
	FINISH(256, b0)
	FINISH(384, b1)
	FINISH(512, c0)
	FINISH(640, c1)
	FINISH(768, d0)
	FINISH(896, d1)
	TESTL R9, R9
	JZ    store
	KEEP(0, a0)
	KEEP(128, a1)
	KEEP(256, b0)
	KEEP(384, b1)
	KEEP(512, c0)
	KEEP(640, c1)
	KEEP(768, d0)
	KEEP(896, d1)

store:
	VMOVDQU a0, 0(DI)
	VMOVDQU a1, 128(DI)
	VMOVDQU b0, 256(DI)
	VMOVDQU b1, 384(DI)
	VMOVDQU c0, 512(DI)
	VMOVDQU c1, 640(DI)
	VMOVDQU d0, 768(DI)
	VMOVDQU d1, 896(DI)
	ADDQ $32, SI
	ADDQ $32, DX
	ADDQ $32, DI
	ADDQ $32, R8
	DECQ CX
	JNZ  columns
	VZEROUPPER
	RET
