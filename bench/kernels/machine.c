#include "machine.h"

#include <stdlib.h>
#include <time.h>

double thread_seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec + 1e-9 * t.tv_nsec;
}

const char *compiler(void) { return __VERSION__; }

// Enough independent sums to hide the latency of a multiplication and an addition on two units.
enum { SUMS = 12 };

// MEASURE defines multiply_add_ISA: n times SUMS vectors a = a b + c; and update_ISA: the part of a time step that is not
// the difference, before = 2 now - before + m, over n cells.
#define MEASURE(isa, target_isa, bytes)                                                                                 \
	typedef float vec_##isa __attribute__((vector_size(bytes), may_alias));                                             \
	static __attribute__((noinline, target(target_isa))) float multiply_add_##isa(long n)                               \
	{                                                                                                                   \
		vec_##isa a[SUMS], b = {0}, c = {0};                                                                            \
		b += 0.5f;                                                                                                      \
		c += 0.25f;                                                                                                     \
		for (int k = 0; k < SUMS; k++)                                                                                  \
			a[k] = c * (float)k;                                                                                        \
		for (long i = 0; i < n; i++)                                                                                    \
			_Pragma("GCC unroll 12") for (int k = 0; k < SUMS; k++) a[k] = a[k] * b + c;                                \
		for (int k = 1; k < SUMS; k++)                                                                                  \
			a[0] += a[k];                                                                                               \
		return a[0][0];                                                                                                 \
	}                                                                                                                   \
	static __attribute__((noinline, target(target_isa))) void update_##isa(float *before, const float *now,             \
	                                                                       const float *m, long n)                      \
	{                                                                                                                   \
		for (long i = 0; i < n; i += bytes / 4) {                                                                       \
			const vec_##isa u = *(const vec_##isa *)(now + i);                                                          \
			vec_##isa *q = (vec_##isa *)(before + i);                                                                   \
			*q = u + u - *q + *(const vec_##isa *)(m + i);                                                              \
		}                                                                                                               \
	}

MEASURE(baseline, "arch=x86-64", 16)
MEASURE(avx2, "avx2,fma", 32)
MEASURE(avx512, "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma", 64)

static volatile float sink;

double multiply_adds(int bytes, long n)
{
	double begin = thread_seconds();
	sink = (bytes == 64 ? multiply_add_avx512 : bytes == 32 ? multiply_add_avx2 : multiply_add_baseline)(n);
	return (double)n * SUMS * (bytes / 4) / (thread_seconds() - begin);
}

double updates(int bytes, long cells, int repeats)
{
	float *p[3];
	for (int k = 0; k < 3; k++) {
		p[k] = aligned_alloc(64, cells * sizeof(float));
		if (!p[k])
			return 0;
		for (long i = 0; i < cells; i++)
			p[k][i] = 0;
	}
	double best = 0;
	for (int r = 0; r < 5; r++) {
		double begin = thread_seconds();
		for (int k = 0; k < repeats; k++)
			(bytes == 64 ? update_avx512 : bytes == 32 ? update_avx2 : update_baseline)(p[0], p[1], p[2], cells);
		double rate = (double)cells * repeats / (thread_seconds() - begin);
		best = rate > best ? rate : best;
	}
	for (int k = 0; k < 3; k++)
		free(p[k]);
	return best;
}
