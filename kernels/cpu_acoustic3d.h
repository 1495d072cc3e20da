// 3D acoustic steps for CPUs (equations: acoustic.h). Included once for each instruction set and type after
// cpu_acoustic2d.h, with the same macros and
//
//     PLANES  planes that are stepped together, a divisor of CPU_PLANES
//
// A tile is a range of planes and rows. A thread steps it PLANES planes at a time, in strips of columns so narrow that the
// rows a cell's neighbours lie in stay in the first cache; vertical neighbours are in registers, and a tile has so few rows that the planes
// above and below stay in the second cache. Thus main memory delivers u, u before and M once and takes the new u.
//
// Memory variables interleave the rows of PLANES planes, and of x also ψ and ζ, so that a row's step finds them in one piece: as short pieces all
// over memory they took as much time as the fields.
//
// CPML adds to w what its axis asks for: memory variables run R1 cells (s of the adjoint AHEAD) ahead of the cells that are
// stepped, so that every field is still read once. No tile ends so near a layer that it needs another's memory variables of the same step.
//
// Fields have CPU_HALO planes and rows of zeros (or of odd images above) and CPU_LANES columns of zeros between rows.

// Each row asks for the next one: the rows of many planes are too many streams for the processor's own prefetching.
#define PREFETCH(p) __builtin_prefetch(p, 0, 2)

// Hides where a value comes from, so that the compiler addresses rows relative to it instead of keeping a register for each.
#define KEEP(x) __asm__("" : "+r"(x))

typedef struct {
	const cpu_solver *solver;
	REAL *now, *before;
	REAL d1[3][MAX_RADIUS + 1], d2[3][MAX_RADIUS + 1]; // weights along z, y, x; D1's negative in the adjoint
	REAL *snapshot;     // forward: written; adjoint: read
	REAL *gradient;     // adjoint
	REAL *illumination; // adjoint, or null
	REAL *extra;        // what CPML adds to w: [PLANES][tile_width], and behind it a row of zeros
} NAME(pass3d);

// One layer across z or y, seen from a row of cells.
typedef struct {
	const REAL *d1, *d2, *a, *b;
	ptrdiff_t reach;            // elements to the next cell along the axis in fields
	ptrdiff_t outer, inner;     // to the cell PLANES further along the axis in memory variables, and to the next cell
	ptrdiff_t next, row;        // to the next row in fields and in memory variables
	int begin, end, origin;     // cells along the axis; the one at which the memory variables begin
	REAL *first, *second;       // ψ and ζ, or p and s
	REAL *zero;
} NAME(layer);

// A z layer (axis 0) or y layer (axis 1) whose memory variables of the row of cells begin at an offset.
INLINE NAME(layer) NAME(layer_at)(const NAME(pass3d) *pass, int axis, const cpml_block *block, ptrdiff_t offset)
{
	const cpu_solver *s = pass->solver;
	const ptrdiff_t inner = axis ? PLANES * s->width : s->width;
	return (NAME(layer)){.d1 = pass->d1[axis], .d2 = pass->d2[axis], .a = axis ? s->ay : s->az, .b = axis ? s->by : s->bz,
	                     .reach = axis ? s->stride : s->plane, .outer = PLANES * (axis ? inner : s->ny * inner), .inner = inner,
	                     .next = s->stride, .row = PLANES * s->width,
	                     .begin = block->begin, .end = block->end, .origin = axis ? block->begin : block->begin / PLANES * PLANES,
	                     .first = (REAL *)block->memory[0] + offset, .second = (REAL *)block->memory[1] + offset,
	                     .zero = pass->extra + PLANES * s->tile_width};
}

// The row of a memory variable at cell i along the axis; outside the layer a row of zeros, to which nothing but zeros is written.
INLINE REAL *NAME(memory_at)(const NAME(layer) *l, REAL *memory, int i)
{
	const int k = i - l->origin;
	return i >= l->begin && i < l->end ? memory + k / PLANES * l->outer + k % PLANES * l->inner : l->zero;
}

INLINE int NAME(max)(int a, int b) { return a > b ? a : b; }
INLINE int NAME(min)(int a, int b) { return a < b ? a : b; }

#define RADIUS 1
#include "cpu_step3d.h"
#define RADIUS 2
#include "cpu_step3d.h"
#define RADIUS 3
#include "cpu_step3d.h"
#define RADIUS 4
#include "cpu_step3d.h"

// A thread's share of n planes, points or rows.
INLINE int NAME(share)(int n, int thread, int threads) { return (int)((ptrdiff_t)n * thread / threads); }

INLINE void NAME(sample3d)(const REAL *u, const cpu_points *p, REAL *out, int thread, int threads)
{
	const REAL *weight = p->weight;
	for (int i = NAME(share)(p->count, thread, threads); i < NAME(share)(p->count, thread + 1, threads); i++) {
		RUN sum = {0};
		for (int k = p->begin[i]; k < p->begin[i + 1]; k++)
			sum += LOADRUN(weight + CPU_RUN * k) * LOADRUN(u + p->offset[k]);
		out[i] = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
	}
}

// Adds M f to the new field and f to the snapshot, if any, in the thread's planes.
INLINE void NAME(inject3d)(const NAME(pass3d) *pass, const cpu_points *p, const REAL *amplitude, ptrdiff_t step, REAL *snapshot, int thread,
                           int threads)
{
	const cpu_solver *s = pass->solver;
	const ptrdiff_t low = NAME(share)(s->nz, thread, threads) * (ptrdiff_t)s->plane, high = NAME(share)(s->nz, thread + 1, threads) * (ptrdiff_t)s->plane;
	const REAL *m = s->m, *weight = p->weight;
	for (int i = 0; i < p->count; i++) {
		REAL f = amplitude[i * step];
		for (int k = p->begin[i]; k < p->begin[i + 1]; k++) {
			const int at = p->offset[k];
			if (at < low || at >= high)
				continue;
			RUN wf = LOADRUN(weight + CPU_RUN * k) * f;
			*(RUN *)(pass->before + at) += LOADRUN(m + at) * wf;
			if (snapshot) {
				const int cell = p->cell[k];
				for (int r = 0; r < CPU_RUN && cell % s->width + r < s->width; r++)
					snapshot[cell + r] += wf[r];
			}
		}
	}
}

// Born source: adds δM w to the new scattered field in the thread's planes.
static void NAME(scatter3d)(const NAME(pass3d) *pass, const REAL *dm, const REAL *w, int thread, int threads)
{
	const cpu_solver *s = pass->solver;
	for (int i = NAME(share)(s->nz, thread, threads); i < NAME(share)(s->nz, thread + 1, threads); i++)
		for (int y = 0; y < s->ny; y++) {
			REAL *q = pass->before + i * (ptrdiff_t)s->plane + y * (ptrdiff_t)s->stride;
			const ptrdiff_t row = (i * (ptrdiff_t)s->ny + y) * s->width;
			for (int j = 0; j < s->width; j += LANES)
				STORE(q + j, LOAD(q + j) + LOADU(dm + row + j) * LOADU(w + row + j));
		}
}

// Exchanges the fields and renews the odd images above a free surface (plane 0 itself stays zero because M is zero there).
INLINE void NAME(advance3d)(NAME(pass3d) *pass, int thread, int threads)
{
	const cpu_solver *s = pass->solver;
	REAL *u = pass->before;
	pass->before = pass->now;
	pass->now = u;
	if (!s->free_surface)
		return;
	if (threads > 1)
		cpu_barrier();
	for (int k = 1; k <= s->radius; k++)
		for (int y = NAME(share)(s->ny, thread, threads); y < NAME(share)(s->ny, thread + 1, threads); y++) {
			const ptrdiff_t at = k * (ptrdiff_t)s->plane, row = y * (ptrdiff_t)s->stride;
			for (int j = 0; j < s->width; j++)
				u[row + j - at] = -u[row + j + at];
		}
}

// All steps of a run, called by each of the threads.
static void NAME(run3d)(int adjoint, cpu_solver *s, const cpu_run *run, const cpu_points *sources, const cpu_points *receivers,
                              int thread, int threads)
{
	NAME(pass3d) pass = {.solver = s, .now = s->now, .before = s->before, .gradient = run->gradient,
	                     .illumination = run->illuminate ? run->illumination : NULL,
	                     .extra = (REAL *)s->strip + (ptrdiff_t)thread * (PLANES + 1) * s->tile_width};
	const double *d2[3] = {s->d2z, s->d2y, s->d2x}, inverse[3] = {s->iz, s->iy, s->ix};
	for (int axis = 0; axis < 3; axis++)
		for (int k = 0; k <= s->radius; k++) {
			pass.d1[axis][k] = (REAL)((adjoint ? -s->d1[k] : s->d1[k]) * inverse[axis]);
			pass.d2[axis][k] = (REAL)d2[axis][k];
		}
	static void (*const step_tile[])(int, const NAME(pass3d) *, const cpu_tile *) = {NAME(step_tile_r1), NAME(step_tile_r2), NAME(step_tile_r3), NAME(step_tile_r4)};
	for (int step = 0; step < run->n1 - run->n0; step++) {
		const int n = adjoint ? run->n1 - 1 - step : run->n0 + step;
		REAL *snapshot = NAME(slot)(run, n);
		pass.snapshot = run->scatterer ? NULL : snapshot;
		REAL *source_gradient = (REAL *)run->source_gradient + (ptrdiff_t)n * sources->count;
		REAL *record = (REAL *)run->record + (ptrdiff_t)n * receivers->count;
		if (run->pieces && !adjoint) {
			NAME(exchange)(run, pass.now, n, thread, threads);
			if (run->restore && threads > 1)
				cpu_barrier();
		}
		if (adjoint && run->source_gradient)
			NAME(sample3d)(pass.now, sources, source_gradient, thread, threads);
		if (!adjoint && run->record)
			NAME(sample3d)(pass.now, receivers, record, thread, threads);
		for (int t; (t = __atomic_fetch_add(&s->next_tile, 1, __ATOMIC_RELAXED)) < s->tiles;)
			step_tile[s->radius - 1](adjoint, &pass, &s->tile[t]);
		if (threads > 1)
			cpu_barrier();
		if (thread == 0)
			s->next_tile = 0;
		if (adjoint)
			NAME(inject3d)(&pass, receivers, record, 1, NULL, thread, threads);
		else if (run->scatterer)
			NAME(scatter3d)(&pass, run->scatterer, snapshot, thread, threads);
		else
			NAME(inject3d)(&pass, sources, (const REAL *)run->wavelet + n, run->wavelet_stride, snapshot, thread, threads);
		NAME(advance3d)(&pass, thread, threads);
		if (threads > 1)
			cpu_barrier();
	}
	if (thread == 0) {
		s->now = pass.now;
		s->before = pass.before;
	}
}

static void NAME(forward3d)(cpu_solver *s, const cpu_run *run, const cpu_points *sources, const cpu_points *receivers, int thread, int threads)
{
	NAME(run3d)(0, s, run, sources, receivers, thread, threads);
}

static void NAME(adjoint3d)(cpu_solver *s, const cpu_run *run, const cpu_points *sources, const cpu_points *receivers, int thread, int threads)
{
	NAME(run3d)(1, s, run, sources, receivers, thread, threads);
}
