// 2D acoustic steps for CPUs (equations: acoustic.h). Included once for each instruction set and type with
//
//     REAL    float or double
//     BYTES   vector width in bytes
//     NAME(x) a name of its own for each
//
// Fields have CPU_HALO rows of zeros (or of odd images) above and below and CPU_LANES columns of zeros left and right;
// every row starts on a 64-byte boundary. M is zero outside the grid, so whole vectors may be stepped past its right edge.

#define LANES ((int)(BYTES / sizeof(REAL)))
#define VEC NAME(vec)
#define VECU NAME(vecu)
#define RUN NAME(run_vec)
#define INLINE static inline __attribute__((always_inline))
typedef REAL VEC __attribute__((vector_size(BYTES), may_alias));
typedef REAL VECU __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
typedef REAL RUN __attribute__((vector_size(CPU_RUN * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

#define LOAD(p) (*(const VEC *)(p))
#define LOADU(p) (*(const VECU *)(p))
#define LOADRUN(p) (*(const RUN *)(p))
#define STORE(p, v) (*(VEC *)(p) = (v))

// Differences of order 2R along a stride at p; first is divided by the spacing through the scaled weights c.
INLINE VEC NAME(d1)(const int R, const REAL *c, const REAL *p, ptrdiff_t stride)
{
	VEC sum = c[1] * (LOADU(p + stride) - LOADU(p - stride));
#pragma GCC unroll 4
	for (int k = 2; k <= R; k++)
		sum += c[k] * (LOADU(p + k * stride) - LOADU(p - k * stride));
	return sum;
}

INLINE VEC NAME(d2)(const int R, const REAL *c, const REAL *p, ptrdiff_t stride)
{
	VEC sum = c[0] * LOADU(p);
#pragma GCC unroll 4
	for (int k = 1; k <= R; k++)
		sum += c[k] * (LOADU(p + k * stride) + LOADU(p - k * stride));
	return sum;
}

// One time step of `rows` rows from row i on without CPML, the vertical taps held in registers.
INLINE void NAME(sweep_rows)(const int R, const int rows, const cpu_solver *s, const REAL *cz, const REAL *cx, int i,
                             REAL *snapshot)
{
	const ptrdiff_t ld = s->stride;
	const int width = s->width;
	const REAL *u = (const REAL *)s->now + i * ld;
	REAL *q = (REAL *)s->before + i * ld;
	const REAL *m = (const REAL *)s->m + i * ld;
	const REAL c0 = cz[0] + cx[0];
	for (int j = 0; j < width; j += LANES) {
		VEC column[rows + 2 * R];
#pragma GCC unroll 16
		for (int k = 0; k < rows + 2 * R; k++)
			column[k] = LOAD(u + (k - R) * ld + j);
#pragma GCC unroll 8
		for (int b = 0; b < rows; b++) {
			const REAL *p = u + b * ld + j;
			VEC w = c0 * column[b + R];
#pragma GCC unroll 4
			for (int k = 1; k <= R; k++) {
				w += cz[k] * (column[b + R - k] + column[b + R + k]);
				w += cx[k] * (LOADU(p - k) + LOADU(p + k));
			}
			if (snapshot)
				STORE(snapshot + (ptrdiff_t)(i + b) * width + j, w);
			STORE(q + b * ld + j, ACOUSTIC_STEP(column[b + R], LOAD(q + b * ld + j), LOAD(m + b * ld + j), w));
		}
	}
}

// CPML along x in row i: memory variables, then their contribution to the row just stepped.
INLINE void NAME(cpml_row_x)(const int R, const int adjoint, const cpu_solver *s, const REAL *c1, const REAL *c2, int i,
                             REAL *snapshot)
{
	const ptrdiff_t ld = s->stride;
	for (int side = 0; side < 2; side++) {
		const cpml_block *block = &s->x[side];
		const int begin = block->begin, length = block->end - begin;
		if (length == 0)
			continue;
		const ptrdiff_t row = (ptrdiff_t)i * (length + 2 * CPU_LANES);
		REAL *first = (REAL *)block->memory[0] + row, *second = (REAL *)block->memory[1] + row;
		const REAL *u = (const REAL *)s->now + i * ld + begin;
		REAL *q = (REAL *)s->before + i * ld + begin;
		const REAL *m = (const REAL *)s->m + i * ld + begin;
		const REAL *a = (const REAL *)s->ax + begin, *b = (const REAL *)s->bx + begin;
		if (adjoint) {
			for (int j = 0; j < length; j += LANES)
				STORE(second + j, CPML_MEMORY(LOAD(second + j), LOAD(a + j), LOAD(b + j), LOAD(u + j)));
			for (int j = 0; j < length; j += LANES)
				STORE(first + j, CPML_MEMORY(LOAD(first + j), -LOAD(a + j), LOAD(b + j),
				                             NAME(d1)(R, c1, u + j, 1) + NAME(d1)(R, c1, second + j, 1)));
		} else {
			for (int j = 0; j < length; j += LANES)
				STORE(first + j, CPML_MEMORY(LOAD(first + j), LOAD(a + j), LOAD(b + j), NAME(d1)(R, c1, u + j, 1)));
		}
		for (int j = 0; j < length; j += LANES) {
			VEC w, d = NAME(d1)(R, c1, first + j, 1);
			if (adjoint) {
				w = CPML_ADJOINT(NAME(d2)(R, c2, second + j, 1), d);
			} else {
				VEC zeta = CPML_MEMORY(LOAD(second + j), LOAD(a + j), LOAD(b + j), NAME(d2)(R, c2, u + j, 1) + d);
				STORE(second + j, zeta);
				w = CPML_FORWARD(d, zeta);
			}
			STORE(q + j, LOAD(q + j) + LOAD(m + j) * w);
			if (snapshot) {
				REAL *o = snapshot + (ptrdiff_t)i * s->width + begin + j;
				STORE(o, LOAD(o) + w);
			}
		}
	}
}

// CPML along z in the rows of one block, all columns.
INLINE void NAME(cpml_block_z)(const int R, const int adjoint, const cpu_solver *s, const cpml_block *block,
                               const REAL *c1, const REAL *c2, REAL *snapshot)
{
	const ptrdiff_t ld = s->stride;
	const int width = s->width;
	REAL *first = (REAL *)block->memory[0], *second = (REAL *)block->memory[1];
	const REAL *az = (const REAL *)s->az, *bz = (const REAL *)s->bz;
	if (adjoint)
		for (int i = block->begin; i < block->end; i++) {
			const REAL *u = (const REAL *)s->now + i * ld;
			REAL *memory = second + (i - block->begin) * ld;
			for (int j = 0; j < width; j += LANES)
				STORE(memory + j, CPML_MEMORY(LOAD(memory + j), az[i], bz[i], LOAD(u + j)));
		}
	for (int i = block->begin; i < block->end; i++) {
		if (az[i] == 0) // ψ and p stay zero on the inner side of the layer
			continue;
		const REAL *u = (const REAL *)s->now + i * ld;
		REAL *memory = first + (i - block->begin) * ld;
		const REAL *other = second + (i - block->begin) * ld;
		for (int j = 0; j < width; j += LANES) {
			VEC drive = NAME(d1)(R, c1, u + j, ld);
			if (adjoint)
				drive = -(drive + NAME(d1)(R, c1, other + j, ld));
			STORE(memory + j, CPML_MEMORY(LOAD(memory + j), az[i], bz[i], drive));
		}
	}
	for (int i = block->begin; i < block->end; i++) {
		const REAL *u = (const REAL *)s->now + i * ld;
		REAL *q = (REAL *)s->before + i * ld;
		const REAL *m = (const REAL *)s->m + i * ld;
		const REAL *psi = first + (i - block->begin) * ld;
		REAL *zeta = second + (i - block->begin) * ld;
		for (int j = 0; j < width; j += LANES) {
			VEC w, d = NAME(d1)(R, c1, psi + j, ld);
			if (adjoint) {
				w = CPML_ADJOINT(NAME(d2)(R, c2, zeta + j, ld), d);
			} else if (az[i] == 0) {
				w = d;
			} else {
				VEC z = CPML_MEMORY(LOAD(zeta + j), az[i], bz[i], NAME(d2)(R, c2, u + j, ld) + d);
				STORE(zeta + j, z);
				w = CPML_FORWARD(d, z);
			}
			STORE(q + j, LOAD(q + j) + LOAD(m + j) * w);
			if (snapshot) {
				REAL *o = snapshot + (ptrdiff_t)i * width + j;
				STORE(o, LOAD(o) + w);
			}
		}
	}
}

INLINE void NAME(step)(const int R, const int adjoint, cpu_solver *s, REAL *snapshot)
{
	REAL c1z[5], c1x[5], c2z[5], c2x[5];
	for (int k = 0; k <= R; k++) {
		c1z[k] = (REAL)(s->d1[k] * s->iz);
		c1x[k] = (REAL)(s->d1[k] * s->ix);
		c2z[k] = (REAL)s->d2z[k];
		c2x[k] = (REAL)s->d2x[k];
	}
	enum { ROWS = 8 };
	int i = 0;
	if (snapshot) {
		for (; i + ROWS <= s->nz; i += ROWS) {
			NAME(sweep_rows)(R, ROWS, s, c2z, c2x, i, snapshot);
			for (int b = 0; b < ROWS; b++)
				NAME(cpml_row_x)(R, adjoint, s, c1x, c2x, i + b, snapshot);
		}
	} else {
		for (; i + ROWS <= s->nz; i += ROWS) {
			NAME(sweep_rows)(R, ROWS, s, c2z, c2x, i, NULL);
			for (int b = 0; b < ROWS; b++)
				NAME(cpml_row_x)(R, adjoint, s, c1x, c2x, i + b, NULL);
		}
	}
	for (; i < s->nz; i++) {
		NAME(sweep_rows)(R, 1, s, c2z, c2x, i, snapshot);
		NAME(cpml_row_x)(R, adjoint, s, c1x, c2x, i, snapshot);
	}
	for (int side = 0; side < 2; side++)
		NAME(cpml_block_z)(R, adjoint, s, &s->z[side], c1z, c2z, snapshot);
}

// After a step `before` holds the new field: exchange, and renew the odd images above a free surface (row 0 itself stays
// zero because M is zero there).
static void NAME(advance)(cpu_solver *s)
{
	void *t = s->now;
	s->now = s->before;
	s->before = t;
	if (!s->free_surface)
		return;
	REAL *u = s->now;
	for (int k = 1; k <= s->radius; k++)
		for (int j = 0; j < s->width; j++)
			u[-k * (ptrdiff_t)s->stride + j] = -u[k * (ptrdiff_t)s->stride + j];
}

static void NAME(sample)(const cpu_solver *s, const cpu_points *p, REAL *out)
{
	const REAL *u = s->now, *weight = p->weight;
	for (int i = 0; i < p->count; i++) {
		RUN sum = {0};
		for (int k = p->begin[i]; k < p->begin[i + 1]; k++)
			sum += LOADRUN(weight + CPU_RUN * k) * LOADRUN(u + p->offset[k]);
		out[i] = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
	}
}

// Adds M f to the new field (in `before`) and f to the snapshot, if any.
INLINE void NAME(inject)(const cpu_solver *s, const cpu_points *p, const REAL *amplitude, ptrdiff_t step, REAL *snapshot)
{
	REAL *q = s->before;
	const REAL *m = s->m, *weight = p->weight;
	for (int i = 0; i < p->count; i++) {
		REAL f = amplitude[i * step];
		for (int k = p->begin[i]; k < p->begin[i + 1]; k++) {
			const int at = p->offset[k];
			RUN wf = LOADRUN(weight + CPU_RUN * k) * f;
			*(RUN *)(q + at) += LOADRUN(m + at) * wf;
			if (snapshot) {
				REAL *o = snapshot + (ptrdiff_t)(at / s->stride) * s->width + at % s->stride;
				for (int r = 0; r < CPU_RUN && at % s->stride + r < s->width; r++)
					o[r] += wf[r];
			}
		}
	}
}

// Born source: adds δM w to the new scattered field.
static void NAME(scatter)(const cpu_solver *s, const REAL *dm, const REAL *w)
{
	for (int i = 0; i < s->nz; i++) {
		REAL *q = (REAL *)s->before + i * (ptrdiff_t)s->stride;
		for (int j = 0; j < s->width; j += LANES)
			STORE(q + j, LOAD(q + j) + LOADU(dm + (ptrdiff_t)i * s->width + j) * LOADU(w + (ptrdiff_t)i * s->width + j));
	}
}

// Imaging condition Σ η (w + f), and Σ (w + f)² where asked for.
static void NAME(image)(const cpu_solver *s, const REAL *w, REAL *gradient, REAL *illumination)
{
	for (int i = 0; i < s->nz; i++) {
		const REAL *e = (const REAL *)s->now + i * (ptrdiff_t)s->stride;
		const ptrdiff_t row = (ptrdiff_t)i * s->width;
		for (int j = 0; j < s->width; j += LANES) {
			VEC v = LOADU(w + row + j);
			*(VECU *)(gradient + row + j) += LOAD(e + j) * v;
			if (illumination)
				*(VECU *)(illumination + row + j) += v * v;
		}
	}
}

INLINE REAL *NAME(slot)(const cpu_solver *s, const cpu_run *run, int n)
{
	if (!run->snapshot || n % run->every != run->phase)
		return NULL;
	return (REAL *)run->snapshot + (ptrdiff_t)(n / run->every - run->slot0) * s->nz * s->width;
}

INLINE void NAME(forward_order)(const int R, cpu_solver *s, const cpu_run *run, const cpu_points *sources,
                                const cpu_points *receivers)
{
	for (int n = run->n0; n < run->n1; n++) {
		if (run->record)
			NAME(sample)(s, receivers, (REAL *)run->record + (ptrdiff_t)n * receivers->count);
		REAL *snapshot = NAME(slot)(s, run, n);
		if (run->scatterer) {
			NAME(step)(R, 0, s, NULL);
			NAME(scatter)(s, run->scatterer, snapshot);
		} else {
			NAME(step)(R, 0, s, snapshot);
			NAME(inject)(s, sources, (const REAL *)run->wavelet + n, run->wavelet_stride, snapshot);
		}
		NAME(advance)(s);
	}
}

INLINE void NAME(adjoint_order)(const int R, cpu_solver *s, const cpu_run *run, const cpu_points *sources,
                                const cpu_points *receivers)
{
	for (int n = run->n1 - 1; n >= run->n0; n--) {
		const REAL *snapshot = NAME(slot)(s, run, n);
		if (snapshot)
			NAME(image)(s, snapshot, run->gradient, run->illuminate ? run->illumination : NULL);
		if (run->source_gradient)
			NAME(sample)(s, sources, (REAL *)run->source_gradient + (ptrdiff_t)n * sources->count);
		NAME(step)(R, 1, s, NULL);
		NAME(inject)(s, receivers, (const REAL *)run->record + (ptrdiff_t)n * receivers->count, 1, NULL);
		NAME(advance)(s);
	}
}

// Not inlined, so that each order is compiled once.
#define ORDER(R)                                                                                                        \
	static __attribute__((noinline)) void NAME(forward_r##R)(cpu_solver *s, const cpu_run *run, const cpu_points *src,  \
	                                                         const cpu_points *rec)                                     \
	{                                                                                                                   \
		NAME(forward_order)(R, s, run, src, rec);                                                                       \
	}                                                                                                                   \
	static __attribute__((noinline)) void NAME(adjoint_r##R)(cpu_solver *s, const cpu_run *run, const cpu_points *src,  \
	                                                         const cpu_points *rec)                                     \
	{                                                                                                                   \
		NAME(adjoint_order)(R, s, run, src, rec);                                                                       \
	}
ORDER(1)
ORDER(2)
ORDER(3)
ORDER(4)
#undef ORDER

static void NAME(forward)(cpu_solver *s, const cpu_run *run, const cpu_points *sources, const cpu_points *receivers)
{
	static const cpu_steps table[] = {NAME(forward_r1), NAME(forward_r2), NAME(forward_r3), NAME(forward_r4)};
	table[s->radius - 1](s, run, sources, receivers);
}

static void NAME(adjoint)(cpu_solver *s, const cpu_run *run, const cpu_points *sources, const cpu_points *receivers)
{
	static const cpu_steps table[] = {NAME(adjoint_r1), NAME(adjoint_r2), NAME(adjoint_r3), NAME(adjoint_r4)};
	table[s->radius - 1](s, run, sources, receivers);
}

#undef LANES
#undef VEC
#undef VECU
#undef INLINE
#undef LOAD
#undef LOADU
#undef LOADRUN
#undef RUN
#undef STORE
