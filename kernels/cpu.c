#include "cpu.h"

#include <omp.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
enum { FLUSH_SUBNORMALS = 0x8040 }; // FTZ and DAZ

static unsigned flush_on(void)
{
	unsigned old = _mm_getcsr();
	_mm_setcsr(old | FLUSH_SUBNORMALS);
	return old;
}

static void flush_restore(unsigned old) { _mm_setcsr(old); }

const cpu_kernels *cpu_select(const char *name)
{
	__builtin_cpu_init();
	const int has512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	                   __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
	const int has2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	const cpu_kernels *all[] = {has512 ? &cpu_avx512 : NULL, has2 ? &cpu_avx2 : NULL, &cpu_baseline};
	for (int i = 0; i < 3; i++)
		if (all[i] && (name[0] == 0 || strcmp(name, all[i]->name) == 0))
			return all[i];
	return NULL;
}
#else
static unsigned flush_on(void) { return 0; }
static void flush_restore(unsigned old) { (void)old; }

const cpu_kernels *cpu_select(const char *name)
{
	return name[0] == 0 || strcmp(name, cpu_baseline.name) == 0 ? &cpu_baseline : NULL;
}
#endif

void cpu_forward(const cpu_kernels *k, int bytes, cpu_solver *s, const cpu_run *run, const cpu_points *sources,
                 const cpu_points *receivers)
{
	unsigned old = flush_on();
	(bytes == 4 ? k->forward_f32 : k->forward_f64)(s, run, sources, receivers);
	flush_restore(old);
}

void cpu_adjoint(const cpu_kernels *k, int bytes, cpu_solver *s, const cpu_run *run, const cpu_points *sources,
                 const cpu_points *receivers)
{
	unsigned old = flush_on();
	(bytes == 4 ? k->adjoint_f32 : k->adjoint_f64)(s, run, sources, receivers);
	flush_restore(old);
}

void cpu_huge_pages(void *p, size_t bytes)
{
#ifdef MADV_HUGEPAGE
	madvise(p, bytes, MADV_HUGEPAGE);
#else
	(void)p, (void)bytes;
#endif
}

void cpu_barrier(void)
{
#pragma omp barrier
}

// Subnormals are a setting of each thread; without further threads there is no parallel region at all.
static void run3d(cpu_steps3d steps, cpu_solver *s, const cpu_run *run, const cpu_points *sources, const cpu_points *receivers)
{
	s->next_tile = 0;
	if (s->threads == 1) {
		unsigned old = flush_on();
		steps(s, run, sources, receivers, 0, 1);
		flush_restore(old);
		return;
	}
#pragma omp parallel num_threads(s->threads)
	{
		unsigned old = flush_on();
		steps(s, run, sources, receivers, omp_get_thread_num(), omp_get_num_threads());
		flush_restore(old);
	}
}

void cpu_forward3d(const cpu_kernels *k, int bytes, cpu_solver *s, const cpu_run *run, const cpu_points *sources,
                   const cpu_points *receivers)
{
	run3d(bytes == 4 ? k->forward3d_f32 : k->forward3d_f64, s, run, sources, receivers);
}

void cpu_adjoint3d(const cpu_kernels *k, int bytes, cpu_solver *s, const cpu_run *run, const cpu_points *sources,
                   const cpu_points *receivers)
{
	run3d(bytes == 4 ? k->adjoint3d_f32 : k->adjoint3d_f64, s, run, sources, receivers);
}

void cpu_narrow(const cpu_kernels *k, int bytes, const cpu_solver *s, const void *slot, uint16_t *half)
{
	cpu_narrow_slot narrow = bytes == 4 ? k->narrow_f32 : k->narrow_f64;
	if (s->threads < 2) {
		narrow(s, slot, half, 0, 1);
		return;
	}
#pragma omp parallel num_threads(s->threads)
	narrow(s, slot, half, omp_get_thread_num(), omp_get_num_threads());
}

void cpu_widen(const cpu_kernels *k, int bytes, const cpu_solver *s, void *slot, const uint16_t *half)
{
	cpu_widen_slot widen = bytes == 4 ? k->widen_f32 : k->widen_f64;
	if (s->threads < 2) {
		widen(s, slot, half, 0, 1);
		return;
	}
#pragma omp parallel num_threads(s->threads)
	widen(s, slot, half, omp_get_thread_num(), omp_get_num_threads());
}
