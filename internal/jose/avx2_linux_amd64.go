//go:build boringcrypto && cgo

package jose

// BoringSSL raises to the powers of RSA with MULX, ADCX and ADOX where a processor has
// them, which is best on Intel's. AMD's since Zen 3 are a quarter faster at it
// with its code for AVX2, which it takes where ADX is missing. OPENSSL_ia32cap
// names features of the processor that are to be left alone. It is read when
// the first of Go's packages begins, so it is set before.

/*
#include <cpuid.h>
#include <stdbool.h>
#include <stdlib.h>

static bool latchkey_avx2;

static __attribute__((constructor(101))) void latchkey_leave_adx(void) {
	unsigned eax, ebx, ecx, edx;
	if (getenv("OPENSSL_ia32cap") != NULL) // somebody knows better
		return;
	if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx) || ebx != signature_AMD_ebx || ecx != signature_AMD_ecx || edx != signature_AMD_edx)
		return;
	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || ((eax >> 8) & 0xf) + ((eax >> 20) & 0xff) < 0x19) // family 25: Zen 3
		return;
	if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || !(ebx & bit_AVX2))
		return;
	latchkey_avx2 = setenv("OPENSSL_ia32cap", ":~0x80000", 0) == 0; // bit 19 of the second word: ADX
}

static bool latchkey_has_left_adx(void) { return latchkey_avx2; }
*/
import "C"

// prefersAVX2 tells whether BoringSSL was told to leave ADX alone.
func prefersAVX2() bool { return bool(C.latchkey_has_left_adx()) }
