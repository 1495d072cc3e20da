// 3D acoustic steps for CPUs (equations: acoustic.h). Included once for each instruction set and type after
// cpu_acoustic2d.h, with the same macros.
//
// A tile is a range of planes and rows. A thread steps it CPU_PLANES planes at a time, in strips of columns so narrow that the
// rows a cell's neighbours lie in stay in the first cache; vertical neighbours are in registers, and a tile has so few rows that the planes
// above and below stay in the second cache. Thus main memory delivers u, u before and M once and takes the new u.
//
// Memory variables interleave the rows of CPU_PLANES planes, and of x also ψ and ζ, so that a row's step finds them in one piece: as short pieces all
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

#if LANES == 16
#define LANES_FROM(k) {(k), (k) + 1, (k) + 2, (k) + 3, (k) + 4, (k) + 5, (k) + 6, (k) + 7, \
                       (k) + 8, (k) + 9, (k) + 10, (k) + 11, (k) + 12, (k) + 13, (k) + 14, (k) + 15}
#elif LANES == 8
#define LANES_FROM(k) {(k), (k) + 1, (k) + 2, (k) + 3, (k) + 4, (k) + 5, (k) + 6, (k) + 7}
#elif LANES == 4
#define LANES_FROM(k) {(k), (k) + 1, (k) + 2, (k) + 3}
#endif

// Cells k to the right and to the left of cur's, from the neighbouring vectors.
INLINE VEC NAME(right)(const int k, VEC cur, VEC next)
{
	return k == 1 ? __builtin_shuffle(cur, next, (IVEC)LANES_FROM(1)) : k == 2 ? __builtin_shuffle(cur, next, (IVEC)LANES_FROM(2)) :
	       k == 3 ? __builtin_shuffle(cur, next, (IVEC)LANES_FROM(3)) : __builtin_shuffle(cur, next, (IVEC)LANES_FROM(4));
}

INLINE VEC NAME(left)(const int k, VEC prev, VEC cur)
{
	return k == 1 ? __builtin_shuffle(prev, cur, (IVEC)LANES_FROM(LANES - 1)) : k == 2 ? __builtin_shuffle(prev, cur, (IVEC)LANES_FROM(LANES - 2)) :
	       k == 3 ? __builtin_shuffle(prev, cur, (IVEC)LANES_FROM(LANES - 3)) : __builtin_shuffle(prev, cur, (IVEC)LANES_FROM(LANES - 4));
}

typedef struct {
	const cpu_solver *solver;
	REAL *now, *before;
	REAL d1[3][MAX_RADIUS + 1], d2[3][MAX_RADIUS + 1]; // weights along z, y, x; D1's negative in the adjoint
	REAL *snapshot;     // forward: written; adjoint: read
	REAL *gradient;     // adjoint
	REAL *illumination; // adjoint, or null
	REAL *extra;        // what CPML adds to w: [CPU_PLANES][tile_width], and behind it a row of zeros
} NAME(pass3d);

// One layer across z or y, seen from a row of cells.
typedef struct {
	const REAL *d1, *d2, *a, *b;
	ptrdiff_t reach;            // elements to the next cell along the axis in fields
	ptrdiff_t outer, inner;     // to the cell CPU_PLANES further along the axis in memory variables, and to the next cell
	ptrdiff_t next, row;        // to the next row in fields and in memory variables
	int begin, end, origin;     // cells along the axis; the one at which the memory variables begin
	REAL *first, *second;       // ψ and ζ, or p and s
	REAL *zero;
} NAME(layer);

// A z layer (axis 0) or y layer (axis 1) whose memory variables of the row of cells begin at an offset.
INLINE NAME(layer) NAME(layer_at)(const NAME(pass3d) *pass, int axis, const cpml_block *block, ptrdiff_t offset)
{
	const cpu_solver *s = pass->solver;
	const ptrdiff_t inner = axis ? CPU_PLANES * s->width : s->width;
	return (NAME(layer)){.d1 = pass->d1[axis], .d2 = pass->d2[axis], .a = axis ? s->ay : s->az, .b = axis ? s->by : s->bz,
	                     .reach = axis ? s->stride : s->plane, .outer = CPU_PLANES * (axis ? inner : s->ny * inner), .inner = inner,
	                     .next = s->stride, .row = CPU_PLANES * s->width,
	                     .begin = block->begin, .end = block->end, .origin = axis ? block->begin : block->begin / CPU_PLANES * CPU_PLANES,
	                     .first = (REAL *)block->memory[0] + offset, .second = (REAL *)block->memory[1] + offset,
	                     .zero = pass->extra + CPU_PLANES * s->tile_width};
}

// The row of a memory variable at cell i along the axis; outside the layer a row of zeros, to which nothing but zeros is written.
INLINE REAL *NAME(memory_at)(const NAME(layer) *l, REAL *memory, int i)
{
	const int k = i - l->origin;
	return i >= l->begin && i < l->end ? memory + k / CPU_PLANES * l->outer + k % CPU_PLANES * l->inner : l->zero;
}

INLINE int NAME(max)(int a, int b) { return a > b ? a : b; }
INLINE int NAME(min)(int a, int b) { return a < b ? a : b; }

// A thread's share of n things.
INLINE int NAME(share)(int n, int thread, int threads) { return (int)((ptrdiff_t)n * thread / threads); }

// Illumination of the columns of a strip that the snapshot holds but the adjoint step left out, as it did not reach them.
static void NAME(illuminate_rest3d)(const NAME(pass3d) *pass, int i, int y, cpu_range strip, cpu_range stepped)
{
	const cpu_solver *s = pass->solver;
	const cpu_range r = NAME(both)(strip, NAME(held)(s, pass->snapshot, i / CPU_PLANES * s->ny + y));
	cpu_range done = NAME(both)(r, stepped);
	if (done.begin >= done.end)
		done = (cpu_range){r.end, r.end};
	for (int k = i; k < i + CPU_PLANES && k < s->nz; k++) {
		const ptrdiff_t row = (k * (ptrdiff_t)s->ny + y) * s->width;
		const REAL *w = pass->snapshot + row;
		REAL *sum = pass->illumination + row;
		for (int j = r.begin; j < done.begin; j += LANES)
			*(VECU *)(sum + j) += LOADU(w + j) * LOADU(w + j);
		for (int j = done.end; j < r.end; j += LANES)
			*(VECU *)(sum + j) += LOADU(w + j) * LOADU(w + j);
	}
}

#define RADIUS 1
#include "cpu_step3d.h"
#define RADIUS 2
#include "cpu_step3d.h"
#define RADIUS 3
#include "cpu_step3d.h"
#define RADIUS 4
#include "cpu_step3d.h"

// The planes of a thread's share of the blocks of CPU_PLANES planes.
INLINE cpu_range NAME(planes)(const cpu_solver *s, int thread, int threads)
{
	const int blocks = s->rows / CPU_PLANES;
	return (cpu_range){CPU_PLANES * NAME(share)(blocks, thread, threads), CPU_PLANES * NAME(share)(blocks, thread + 1, threads)};
}

// What reach, activate, still and arrive of 2D are, for blocks of one row of CPU_PLANES planes, each in a thread's planes.
static void NAME(reach3d)(cpu_solver *s, const cpu_points *p, int thread, int threads)
{
	const cpu_range planes = NAME(planes)(s, thread, threads);
	for (int i = 0; i < p->count; i++)
		for (int k = p->begin[i]; k < p->begin[i + 1]; k++) {
			const int plane = p->offset[k] / s->plane, row = p->offset[k] % s->plane / s->stride, column = p->offset[k] % s->plane % s->stride;
			if (plane < planes.begin || plane >= planes.end)
				continue;
			const int end = (column + CPU_RUN + CPU_LANES - 1) / CPU_LANES * CPU_LANES;
			cpu_range *r = &s->reached[plane / CPU_PLANES * s->ny + row];
			*r = NAME(hull)(*r, (cpu_range){column / CPU_LANES * CPU_LANES, end < s->width ? end : s->width});
		}
}

static void NAME(activate3d)(cpu_solver *s, int thread, int threads)
{
	const cpu_range planes = NAME(planes)(s, thread, threads);
	const cpu_range none = {0, 0}, whole = {0, s->width};
	for (int i = planes.begin; i < planes.end; i += CPU_PLANES)
		for (int y = 0; y < s->ny; y++) {
			const int block = i / CPU_PLANES * s->ny + y;
			const cpu_range *reached = s->reached + block;
			cpu_range r = s->whole_grid ? whole : reached[0];
			if (r.begin < r.end) {
				r.begin -= CPU_LANES;
				r.end += CPU_LANES;
			}
			r = NAME(hull)(r, i > 0 ? reached[-s->ny] : none);
			r = NAME(hull)(r, i + CPU_PLANES < s->rows ? reached[s->ny] : none);
			for (int k = 1; k <= MAX_RADIUS; k++) {
				r = NAME(hull)(r, y >= k ? reached[-k] : none);
				r = NAME(hull)(r, y + k < s->ny ? reached[k] : none);
			}
			r = NAME(both)(r, s->limited ? s->limit[block] : whole);
			for (int side = 0; side < 2; side++) {
				const cpu_range strip = {s->x[side].begin, s->x[side].end};
				const cpu_range common = NAME(both)(r, strip);
				if (common.begin < common.end)
					r = NAME(hull)(r, strip);
			}
			s->active[block] = r;
		}
}

INLINE IVEC NAME(moves)(const REAL *p, REAL quiet)
{
	IVEC any = {0};
	for (int k = 0; k < CPU_LANES; k += LANES)
		any |= NAME(exceeds)(LOAD(p + k), quiet);
	return any;
}

// Whether all of a block's new field and memory variables are zero, or below the threshold, in CPU_LANES columns from j on.
static int NAME(still3d)(const NAME(pass3d) *pass, int i, int y, int j, REAL quiet)
{
	const cpu_solver *s = pass->solver;
	IVEC any = {0};
	for (int r = 0; r < CPU_PLANES; r++) {
		any |= NAME(moves)(pass->before + (i + r) * (ptrdiff_t)s->plane + y * (ptrdiff_t)s->stride + j, quiet);
		for (int side = 0; side < 2; side++)
			for (int v = 0; v < 2; v++) {
				const cpml_block *bz = &s->z[side], *by = &s->y[side], *bx = &s->x[side];
				if (i + CPU_PLANES > bz->begin && i < bz->end)
					any |= NAME(moves)((const REAL *)bz->memory[v] + ((i / CPU_PLANES - bz->begin / CPU_PLANES) * (ptrdiff_t)s->ny + y) * CPU_PLANES * s->width + r * s->width + j, quiet);
				if (y >= by->begin && y < by->end)
					any |= NAME(moves)((const REAL *)by->memory[v] + ((i / CPU_PLANES) * (ptrdiff_t)(by->end - by->begin) + y - by->begin) * CPU_PLANES * s->width + r * s->width + j, quiet);
				if (j >= bx->begin && j < bx->end)
					any |= NAME(moves)((const REAL *)bx->memory[v] + 2 * ((i * (ptrdiff_t)s->ny + y * CPU_PLANES + r) * (bx->end - bx->begin)) + j - bx->begin, quiet);
			}
	}
	for (int k = 0; k < LANES; k++)
		if (any[k])
			return 0;
	return 1;
}

static void NAME(arrive3d)(const NAME(pass3d) *pass, cpu_solver *s, REAL quiet, int thread, int threads)
{
	const cpu_range planes = NAME(planes)(s, thread, threads);
	for (int i = planes.begin; i < planes.end; i += CPU_PLANES)
		for (int y = 0; y < s->ny; y++) {
			const int block = i / CPU_PLANES * s->ny + y;
			cpu_range r = s->active[block];
			const cpu_range old = s->whole_grid ? r : s->reached[block];
			const int empty = old.begin >= old.end;
			while (r.begin < (empty ? r.end : old.begin) && NAME(still3d)(pass, i, y, r.begin, quiet))
				r.begin += CPU_LANES;
			while (r.end > (empty ? r.begin : old.end) && NAME(still3d)(pass, i, y, r.end - CPU_LANES, quiet))
				r.end -= CPU_LANES;
			s->reached[block] = NAME(hull)(old, r);
		}
}

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
	const cpu_range planes = NAME(planes)(s, thread, threads);
	const ptrdiff_t low = planes.begin * (ptrdiff_t)s->plane, high = planes.end * (ptrdiff_t)s->plane;
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

// Born source: adds δM w to the new scattered field where the snapshot w reaches, in the thread's planes.
static void NAME(scatter3d)(const NAME(pass3d) *pass, const REAL *dm, const REAL *w, int thread, int threads)
{
	const cpu_solver *s = pass->solver;
	const cpu_range planes = NAME(planes)(s, thread, threads);
	for (int i = planes.begin; i < planes.end && i < s->nz; i++)
		for (int y = 0; y < s->ny; y++) {
			const cpu_range r = NAME(held)(s, w, i / CPU_PLANES * s->ny + y);
			REAL *q = pass->before + i * (ptrdiff_t)s->plane + y * (ptrdiff_t)s->stride;
			const ptrdiff_t row = (i * (ptrdiff_t)s->ny + y) * s->width;
			for (int j = r.begin; j < r.end; j += LANES)
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
	                     .extra = (REAL *)s->strip + (ptrdiff_t)thread * (CPU_PLANES + 1) * s->tile_width};
	const double *d2[3] = {s->d2z, s->d2y, s->d2x}, inverse[3] = {s->iz, s->iy, s->ix};
	for (int axis = 0; axis < 3; axis++)
		for (int k = 0; k <= s->radius; k++) {
			pass.d1[axis][k] = (REAL)((adjoint ? -s->d1[k] : s->d1[k]) * inverse[axis]);
			pass.d2[axis][k] = (REAL)d2[axis][k];
		}
	static void (*const step_tile[])(int, const NAME(pass3d) *, const cpu_tile *) = {NAME(step_tile_r1), NAME(step_tile_r2), NAME(step_tile_r3), NAME(step_tile_r4)};
	const int first = NAME(planes)(s, thread, threads).begin / CPU_PLANES * s->ny, last = NAME(planes)(s, thread, threads).end / CPU_PLANES * s->ny;
	if (!run->scatterer)
		NAME(reach3d)(s, adjoint ? receivers : sources, thread, threads);
	for (int step = 0; step < run->n1 - run->n0; step++) {
		const int n = adjoint ? run->n1 - 1 - step : run->n0 + step;
		REAL *snapshot = NAME(slot)(run, n);
		pass.snapshot = run->scatterer ? NULL : snapshot;
		REAL *source_gradient = (REAL *)run->source_gradient + (ptrdiff_t)n * sources->count;
		REAL *record = (REAL *)run->record + (ptrdiff_t)n * receivers->count;
		if (run->pieces && !adjoint)
			NAME(exchange)(run, pass.now, n, thread, threads);
		if (adjoint && run->source_gradient)
			NAME(sample3d)(pass.now, sources, source_gradient, thread, threads);
		if (!adjoint && run->record)
			NAME(sample3d)(pass.now, receivers, record, thread, threads);
		for (int b = first; b < last && run->scatterer; b++)
			s->reached[b] = NAME(hull)(s->reached[b], NAME(held)(s, snapshot, b));
		const int limiting = adjoint && snapshot && run->limit && !s->whole_grid;
		for (int b = first; b < last && limiting; b++)
			s->limit[b] = NAME(held)(s, snapshot, b);
		if (thread == 0 && limiting)
			s->limited = 1;
		if (threads > 1)
			cpu_barrier();
		NAME(activate3d)(s, thread, threads);
		if (threads > 1)
			cpu_barrier();
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
		for (int b = first; b < last && pass.snapshot && !adjoint; b++) {
			REAL *range = snapshot + s->nz * (ptrdiff_t)s->ny * s->width + 2 * b;
			range[0] = (REAL)s->active[b].begin;
			range[1] = (REAL)s->active[b].end;
		}
		NAME(arrive3d)(&pass, s, (REAL)run->quiet, thread, threads);
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
