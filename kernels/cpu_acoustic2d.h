// 2D acoustic steps for CPUs (equations: acoustic.h). Included once for each instruction set and type with
//
//     REAL    float or double
//     LANES   cells in a vector, at least MAX_RADIUS, and LANE_INDEX, an integer of REAL's size
//     ROWS    rows that are stepped together: as many as the registers hold; a divisor of CPU_ROWS
//     NAME(x) a name of its own for each
//
// Fields have CPU_HALO rows of zeros (or of odd images) above and below and CPU_LANES columns of zeros left and right;
// every row starts on a 64-byte boundary. M is zero outside the grid, so that the last vector may be stepped past its right edge; those behind it are not, and
// keep in snapshots and images what they had.

#define VEC NAME(vec)
#define IVEC NAME(ivec)
#define VECU NAME(vecu)
#define RUN NAME(run_vec)
#define TILE 128 // columns
#define R1 ACOUSTIC_CPML_RADIUS(R)
#define INLINE static inline __attribute__((always_inline))
typedef REAL VEC __attribute__((vector_size(LANES * sizeof(REAL)), may_alias));
typedef LANE_INDEX IVEC __attribute__((vector_size(LANES * sizeof(REAL))));
typedef REAL VECU __attribute__((vector_size(LANES * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
typedef REAL RUN __attribute__((vector_size(CPU_RUN * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

#define LOAD(p) (*(const VEC *)(p))
#define LOADU(p) (*(const VECU *)(p))
#define LOADRUN(p) (*(const RUN *)(p))
#define STORE(p, v) (*(VEC *)(p) = (v))

// What a step needs besides the solver: weights in the kernel's type, and what to save or to image.
typedef struct {
	cpu_solver *solver;
	REAL d1z[MAX_RADIUS + 1], d1x[MAX_RADIUS + 1], d2z[MAX_RADIUS + 1], d2x[MAX_RADIUS + 1];
	REAL *snapshot;     // forward: written; adjoint: read
	REAL *gradient;     // adjoint
	REAL *illumination; // adjoint, or null
} NAME(pass);

INLINE cpu_range NAME(hull)(cpu_range a, cpu_range b)
{
	if (a.begin >= a.end)
		return b;
	if (b.begin < b.end) {
		a.begin = b.begin < a.begin ? b.begin : a.begin;
		a.end = b.end > a.end ? b.end : a.end;
	}
	return a;
}

INLINE cpu_range NAME(both)(cpu_range a, cpu_range b)
{
	a.begin = b.begin > a.begin ? b.begin : a.begin;
	a.end = b.end < a.end ? b.end : a.end;
	return a.begin < a.end ? a : (cpu_range){0, 0};
}

// The range of a block that a snapshot holds.
INLINE cpu_range NAME(held)(const cpu_solver *s, const REAL *snapshot, int block)
{
	const REAL *r = snapshot + s->nz * (ptrdiff_t)s->ny * s->width + 2 * block;
	return (cpu_range){(int)r[0], (int)r[1]};
}

// Fields start at zero, and ahead of the wave, where its forerunners have underflowed, they still are: those cells need no
// step, since a step would leave them as they are. With a threshold (cpu_run.quiet), they are zero as well beyond a block or CPU_LANES columns of
// forerunners below it. reach adds the cells that points act on to what the wave has reached;
// activate finds the cells that the coming step may change, whole x layers at a time; arrive adds those that it has changed. A block after its
// last step (until) is stepped while one beside it is not: where it begins to stand still, the field is no longer what it was.
static void NAME(reach)(cpu_solver *s, const cpu_points *p)
{
	for (int i = 0; i < p->count; i++)
		for (int k = p->begin[i]; k < p->begin[i + 1]; k++) {
			const int row = p->offset[k] / s->stride, column = p->offset[k] % s->stride;
			const int end = (column + CPU_RUN + CPU_LANES - 1) / CPU_LANES * CPU_LANES;
			cpu_range *r = &s->reached[row / CPU_ROWS];
			*r = NAME(hull)(*r, (cpu_range){column / CPU_LANES * CPU_LANES, end < s->width ? end : s->width});
		}
}

static void NAME(activate)(cpu_solver *s, const int *until, int n)
{
	const int blocks = s->rows / CPU_ROWS;
	cpu_range *reached = s->reached;
	for (int b = 0; s->whole_grid && b < blocks; b++)
		reached[b] = (cpu_range){0, s->width};
	for (int b = 0; b < blocks; b++) {
		cpu_range r = reached[b];
		if (r.begin < r.end) {
			r.begin -= CPU_LANES;
			r.end += CPU_LANES;
		}
		if (b > 0)
			r = NAME(hull)(r, reached[b - 1]);
		if (b + 1 < blocks)
			r = NAME(hull)(r, reached[b + 1]);
		r = NAME(both)(r, s->limited ? s->limit[b] : (cpu_range){0, s->width});
		if (until && n > until[b] && (b == 0 || n > until[b - 1]) && (b + 1 == blocks || n > until[b + 1]))
			r = (cpu_range){0, 0};
		for (int side = 0; side < 2; side++) {
			const cpu_range strip = {s->x[side].begin, s->x[side].end};
			const cpu_range common = NAME(both)(r, strip);
			if (common.begin < common.end)
				r = NAME(hull)(r, strip);
		}
		s->active[b] = r;
	}
}

// Lanes whose size exceeds a threshold, or that are NaN.
INLINE IVEC NAME(exceeds)(VEC v, REAL quiet) { return ~((v <= quiet) & (v >= -quiet)); }

INLINE int NAME(none)(IVEC any)
{
	for (int k = 0; k < LANES; k++)
		if (any[k])
			return 0;
	return 1;
}

// Whether all of a block's new field and memory variables are zero, or below the threshold, in CPU_LANES columns from j on.
static int NAME(still)(const cpu_solver *s, int block, int j, REAL quiet)
{
	IVEC any = {0};
	const int i = block * CPU_ROWS;
	for (int k = 0; k < CPU_LANES; k += LANES)
		for (int r = 0; r < CPU_ROWS; r++) {
			any |= NAME(exceeds)(LOAD((const REAL *)s->before + (ptrdiff_t)(i + r) * s->stride + j + k), quiet);
			for (int side = 0; side < 2; side++)
				for (int v = 0; v < 2; v++) {
					const cpml_block *z = &s->z[side], *x = &s->x[side];
					if (i >= z->begin && i < z->end)
						any |= NAME(exceeds)(LOAD((const REAL *)z->memory[v] + (ptrdiff_t)(i - z->begin + r) * s->stride + j + k), quiet);
					if (j >= x->begin && j < x->end)
						any |= NAME(exceeds)(LOAD((const REAL *)x->memory[v] + (ptrdiff_t)(i + r) * (x->end - x->begin + CPU_LANES) + j - x->begin + k), quiet);
				}
		}
	return NAME(none)(any);
}

static void NAME(arrive)(cpu_solver *s, REAL quiet)
{
	for (int b = 0; b < s->rows / CPU_ROWS; b++) {
		cpu_range r = s->active[b];
		if (r.begin >= r.end)
			continue;
		const cpu_range old = s->reached[b];
		const int empty = old.begin >= old.end;
		while (r.begin < (empty ? r.end : old.begin) && NAME(still)(s, b, r.begin, quiet))
			r.begin += CPU_LANES;
		while (r.end > (empty ? r.begin : old.end) && NAME(still)(s, b, r.end - CPU_LANES, quiet))
			r.end -= CPU_LANES;
		s->reached[b] = NAME(hull)(old, r);
	}
}

// Differences added to the sums of ROWS rows: the first and the second down a column of vectors at p, ld apart. Each vector is loaded once
// and serves all rows, so that sums and weights stay in registers.
INLINE void NAME(d1_column)(const int R, const REAL *c, VEC *sum, const REAL *p, const REAL *add, ptrdiff_t ld)
{
#pragma GCC unroll 16
	for (int k = -R1; k < ROWS + R1; k++) {
		VEC v = LOAD(p + k * ld);
		if (add)
			v += LOAD(add + k * ld);
#pragma GCC unroll 8
		for (int r = 0; r < ROWS; r++)
			if (k != r && k - r <= R1 && r - k <= R1)
				sum[r] += (k > r ? c[k - r] : -c[r - k]) * v;
	}
}

// The second starts the sums. add: a field to be added to p's, or null; middle[r] is row r's middle weight.
INLINE void NAME(d2_column)(const int R, const REAL *c, const REAL *middle, VEC *sum, const REAL *p, const REAL *add, ptrdiff_t ld)
{
#pragma GCC unroll 16
	for (int k = -R; k < ROWS + R; k++) {
		VEC v = LOAD(p + k * ld);
		if (add)
			v += LOAD(add + k * ld);
#pragma GCC unroll 8
		for (int r = 0; r < ROWS; r++) {
			const int d = k > r ? k - r : r - k;
			if (d <= R)
				sum[r] = k == r - R ? c[R] * v : sum[r] + (d ? c[d] : middle[r]) * v;
		}
	}
}

// Differences along x at p added to sum, the second without its middle tap.
INLINE VEC NAME(d1_row)(const int R, const REAL *c, VEC sum, const REAL *p)
{
#pragma GCC unroll 4
	for (int k = 1; k <= R1; k++)
		sum += c[k] * (LOADU(p + k) - LOADU(p - k));
	return sum;
}

INLINE VEC NAME(d2_row)(const int R, const REAL *c, VEC sum, const REAL *p)
{
#pragma GCC unroll 4
	for (int k = 1; k <= R; k++)
		sum += c[k] * (LOADU(p - k) + LOADU(p + k));
	return sum;
}

// ψ, or s and p, of a z layer in the active columns from j0 to j1.
INLINE void NAME(memory_z)(const int R, const int adjoint, const NAME(pass) *pass, const cpml_block *block, int j0, int j1)
{
	const cpu_solver *s = pass->solver;
	const ptrdiff_t ld = s->stride;
	const int rows = block->end - block->begin;
	const REAL *u = (const REAL *)s->now + block->begin * ld;
	REAL *first = block->memory[0], *second = block->memory[1];
	const REAL *a = (const REAL *)s->az + block->begin, *b = (const REAL *)s->bz + block->begin;
	const VEC none = {0};
	REAL c[MAX_RADIUS + 1];
	for (int k = 1; k <= R1; k++)
		c[k] = adjoint ? -pass->d1z[k] : pass->d1z[k];
	const cpu_range tile = {j0, j1}, *active = s->active + block->begin / CPU_ROWS;
	if (adjoint)
		for (int i = block->first - block->begin; i < block->last - block->begin; i++) { // elsewhere s stays zero
			const cpu_range r = NAME(both)(tile, active[i / CPU_ROWS]);
			for (int j = r.begin; j < r.end; j += LANES) {
				REAL *memory = second + i * ld + j;
				STORE(memory, CPML_MEMORY(LOAD(memory), a[i], b[i], LOAD(u + i * ld + j)));
			}
		}
	for (int i = 0; i < rows; i += ROWS) {
		const cpu_range r = NAME(both)(tile, active[i / CPU_ROWS]);
		int any = 0;
		for (int r = 0; r < ROWS; r++)
			any |= a[i + r] != 0;
		if (!any) // ψ and p stay zero on the inner side of the layer
			continue;
		for (int j = r.begin; j < r.end; j += LANES) {
			VEC drive[ROWS];
#pragma GCC unroll 8
			for (int r = 0; r < ROWS; r++)
				drive[r] = none;
			NAME(d1_column)(R, c, drive, u + i * ld + j, adjoint ? second + i * ld + j : NULL, ld);
#pragma GCC unroll 8
			for (int r = 0; r < ROWS; r++) {
				REAL *memory = first + (i + r) * ld + j;
				STORE(memory, CPML_MEMORY(LOAD(memory), a[i + r], b[i + r], drive[r]));
			}
		}
	}
}

// ψ, or s and p, of ROWS rows of an x layer in the columns of a range from row i on; with the latter also η + s to s->strip.
INLINE void NAME(memory_x)(const int R, const int adjoint, const NAME(pass) *pass, const cpml_block *block, int i, cpu_range range)
{
	const cpu_solver *s = pass->solver;
	const ptrdiff_t ld = s->stride;
	const int step = block->end - block->begin + CPU_LANES;
	const REAL *u = (const REAL *)s->now + i * ld, *a = s->ax, *b = s->bx;
	REAL *first = (REAL *)block->memory[0] + (ptrdiff_t)i * step - block->begin, *second = (REAL *)block->memory[1] + (ptrdiff_t)i * step - block->begin;
	REAL *sum = (REAL *)s->strip + CPU_LANES - range.begin;
	const VEC none = {0};
	REAL c[MAX_RADIUS + 1];
	for (int k = 1; k <= R1; k++)
		c[k] = adjoint ? -pass->d1x[k] : pass->d1x[k];
	if (adjoint)
		for (int r = 0; r < ROWS; r++) {
			REAL *t = sum + r * s->strip_step;
			STORE(t + range.begin - LANES, LOAD(u + r * ld + range.begin - LANES)); // s is zero outside the layer
			STORE(t + range.end, LOAD(u + r * ld + range.end));
			for (int j = range.begin; j < range.end; j += LANES) {
				const VEC now = LOAD(u + r * ld + j), v = CPML_MEMORY(LOAD(second + r * step + j), LOAD(a + j), LOAD(b + j), now);
				STORE(second + r * step + j, v);
				STORE(t + j, now + v);
			}
		}
	for (int j = range.begin; j < range.end; j += LANES) {
		const VEC aj = LOAD(a + j), bj = LOAD(b + j);
		if (NAME(none)(aj != 0)) // ψ and p stay zero
			continue;
#pragma GCC unroll 8
		for (int r = 0; r < ROWS; r++) {
			const VEC drive = NAME(d1_row)(R, c, none, adjoint ? sum + r * s->strip_step + j : u + r * ld + j);
			STORE(first + r * step + j, CPML_MEMORY(LOAD(first + r * step + j), aj, bj, drive));
		}
	}
}

// Steps ROWS rows from row i on in the columns from j0 to j1. in_x, in_z: the columns are the x layer, the rows lie in the z layer given,
// after memory_x and memory_z; save: there may be a snapshot; stretched: rows have factors of their own along x.
INLINE void NAME(sweep)(const int R, const int adjoint, const int in_x, const int in_z, const int save, const int stretched, const NAME(pass) *pass,
                        const cpml_block *x, const cpml_block *z, int i, int j0, int j1)
{
	const cpu_solver *s = pass->solver;
	const ptrdiff_t ld = s->stride;
	const int width = s->width;
	const REAL *u = (const REAL *)s->now + i * ld, *m = (const REAL *)s->m + i * ld;
	REAL *q = (REAL *)s->before + i * ld;
	const REAL *potential = s->potential ? (const REAL *)s->potential + i * ld : NULL;
	const int saved = !save || !pass->snapshot ? 0 : s->nz - i < ROWS ? s->nz - i : ROWS;
	REAL *snapshot = saved ? pass->snapshot + (ptrdiff_t)i * width : NULL;
	REAL *gradient = saved && adjoint ? pass->gradient + (ptrdiff_t)i * width : NULL;
	REAL *illumination = saved && adjoint && pass->illumination ? pass->illumination + (ptrdiff_t)i * width : NULL;
	REAL cz[MAX_RADIUS + 1], cx[MAX_RADIUS + 1], bz[MAX_RADIUS + 1], bx[MAX_RADIUS + 1];
	for (int k = 0; k <= R; k++) {
		cz[k] = pass->d2z[k];
		cx[k] = stretched ? (REAL)s->d2x[i / CPU_ROWS * s->d2x_step + k] : pass->d2x[k];
		bz[k] = k > R1 ? 0 : adjoint ? -pass->d1z[k] : pass->d1z[k];
		bx[k] = k > R1 ? 0 : adjoint ? -pass->d1x[k] : pass->d1x[k];
	}
	// What takes a cell's own value goes into the middle weight, but for what belongs to a layer's memory or is driven by another field.
	REAL middle[ROWS], along[ROWS], rest[ROWS];
	for (int r = 0; r < ROWS; r++) {
		along[r] = stretched ? ((const REAL *)s->along)[i + r] : 1;
		rest[r] = (in_x ? 0 : along[r] * cx[0]) - (stretched ? ((const REAL *)s->row_potential)[i + r] : 0);
		middle[r] = in_z ? cz[0] : cz[0] + rest[r];
	}
	const REAL *az = (const REAL *)s->az + i, *decay_z = (const REAL *)s->bz + i, *ax = s->ax, *decay_x = s->bx;
	REAL *first_z = in_z ? (REAL *)z->memory[0] + (i - z->begin) * ld : NULL;
	REAL *second_z = in_z ? (REAL *)z->memory[1] + (i - z->begin) * ld : NULL;
	const int step = in_x ? x->end - x->begin + CPU_LANES : 0, sum_step = s->strip_step;
	REAL *first_x = in_x ? (REAL *)x->memory[0] + (ptrdiff_t)i * step - x->begin : NULL;
	REAL *second_x = in_x ? (REAL *)x->memory[1] + (ptrdiff_t)i * step - x->begin : NULL;
	const REAL *sum_x = (const REAL *)s->strip + CPU_LANES - j0;

	for (int j = j0; j < j1; j += LANES) {
		VEC ws[ROWS];
		NAME(d2_column)(R, cz, middle, ws, u + j, in_z && adjoint ? second_z + j : NULL, ld);
		if (in_z)
			NAME(d1_column)(R, bz, ws, first_z + j, NULL, ld);
#pragma GCC unroll 8
		for (int r = 0; r < ROWS; r++) {
			const REAL *p = u + r * ld + j;
			const VEC now = LOAD(p);
			VEC w = ws[r];
			if (in_z && !adjoint) {
				VEC zeta = CPML_MEMORY(LOAD(second_z + r * ld + j), az[r], decay_z[r], w);
				STORE(second_z + r * ld + j, zeta);
				w += zeta;
			}
			if (in_z && (stretched || !in_x))
				w += rest[r] * now;
			if (in_x) {
				const REAL *sum = adjoint ? sum_x + r * sum_step + j : p;
				VEC v = NAME(d1_row)(R, bx, NAME(d2_row)(R, cx, cx[0] * LOAD(sum), sum), first_x + r * step + j);
				if (!adjoint) {
					VEC zeta = CPML_MEMORY(LOAD(second_x + r * step + j), LOAD(ax + j), LOAD(decay_x + j), v);
					STORE(second_x + r * step + j, zeta);
					v += zeta;
				}
				if (stretched)
					v *= along[r];
				w += v;
			} else if (stretched) {
				const VEC none = {0};
				w += along[r] * NAME(d2_row)(R, cx, none, p);
			} else {
				w = NAME(d2_row)(R, cx, w, p);
			}
			if (potential)
				w -= LOAD(potential + r * ld + j) * now;
			if (save && r < saved) {
				const ptrdiff_t at = (ptrdiff_t)r * width + j;
				if (adjoint) {
					VEC v = LOADU(snapshot + at);
					*(VECU *)(gradient + at) += now * v;
					if (illumination)
						*(VECU *)(illumination + at) += v * v;
				} else {
					*(VECU *)(snapshot + at) = w;
				}
			}
			STORE(q + r * ld + j, ACOUSTIC_STEP(now, LOAD(q + r * ld + j), LOAD(m + r * ld + j), w));
		}
	}
}

// The rows or columns, of n in all, that an axis's layer acts on in a step: its cells and those that D1 ψ, in the adjoint D2 s, reaches.
INLINE cpu_range NAME(acted_on)(const int R, const int adjoint, const cpml_block *b, int n, const int align)
{
	const int reach = adjoint ? R : R1;
	cpu_range r = {(b->first - reach) / align * align, (b->last + reach + align - 1) / align * align};
	n = (n + align - 1) / align * align;
	r.begin = r.begin > b->begin ? r.begin : b->begin;
	r.end = r.end < b->end ? r.end : b->end;
	r.end = r.end < n ? r.end : n;
	return r;
}

// Steps ROWS rows from row i on in the columns of a range, which cuts no x layer.
INLINE void NAME(rows)(const int R, const int adjoint, const int in_z, const int stretched, const NAME(pass) *pass, const cpml_block *z, int i,
                       cpu_range range, int save)
{
	const cpu_solver *s = pass->solver;
	for (int side = 0; side < 2; side++) {
		const cpml_block *x = &s->x[side];
		if (!x->end)
			continue;
		const cpu_range layer = NAME(acted_on)(R, adjoint, x, s->nx, LANES);
		if (range.begin > layer.begin || layer.end > range.end)
			continue;
		NAME(memory_x)(R, adjoint, pass, x, i, layer);
		NAME(sweep)(R, adjoint, 1, in_z, save, stretched, pass, x, z, i, layer.begin, layer.end);
		if (x->begin == 0)
			range.begin = layer.end;
		else
			range.end = layer.begin;
	}
	if (in_z || save)
		NAME(sweep)(R, adjoint, 0, in_z, save, stretched, pass, NULL, z, i, range.begin, range.end);
	else
		NAME(sweep)(R, adjoint, 0, 0, 0, stretched, pass, NULL, NULL, i, range.begin, range.end);
}

// Steps what is active of ROWS rows between the columns j0 and j1, to the snapshot or with it as far as it reaches.
INLINE void NAME(block)(const int R, const int adjoint, const int in_z, const NAME(pass) *pass, const cpml_block *z, int i, int j0, int j1)
{
	const cpu_solver *s = pass->solver;
	const cpu_range r = NAME(both)(s->active[i / CPU_ROWS], (cpu_range){j0, j1});
	cpu_range saved = {r.end, r.end};
	if (pass->snapshot) {
		saved = adjoint ? NAME(both)(r, NAME(held)(s, pass->snapshot, i / CPU_ROWS)) : r;
		if (saved.begin >= saved.end)
			saved.begin = saved.end = r.end;
	}
	const cpu_range parts[3] = {{r.begin, saved.begin}, saved, {saved.end, r.end}};
	for (int k = 0; k < 3; k++)
		if (parts[k].begin < parts[k].end) {
			// A branch for each, not inside: the compiler would round the same sums in other ways.
			if (s->along)
				NAME(rows)(R, adjoint, in_z, 1, pass, z, i, parts[k], k == 1);
			else
				NAME(rows)(R, adjoint, in_z, 0, pass, z, i, parts[k], k == 1);
		}
}

// Advances the active cells, layer after layer of CPML and in between, so that each cell's field is written once.
INLINE void NAME(step)(const int R, const int adjoint, const NAME(pass) *pass)
{
	const cpu_solver *s = pass->solver;
	const int width = (s->nx + LANES - 1) / LANES * LANES, left = s->x[0].end, right = s->x[1].end ? s->x[1].begin : width;
	cpu_range z[2] = {{0, 0}, {s->nz, s->nz}};
	for (int k = 0; k < 2; k++)
		if (s->z[k].end)
			z[k] = NAME(acted_on)(R, adjoint, &s->z[k], s->nz, ROWS);
	for (int i = z[0].end; i < z[1].begin; i += ROWS)
		NAME(block)(R, adjoint, 0, pass, NULL, i, 0, width);
	for (int k = 0; k < 2; k++)
		for (int j = 0, next; z[k].begin < z[k].end && j < width; j = next) {
			// Tiles whose columns stay in the first cache from the memory variables to the step.
			next = j < left ? left : j >= right ? width : right - j < TILE ? right : j + TILE;
			NAME(memory_z)(R, adjoint, pass, &s->z[k], j, next);
			for (int i = z[k].begin; i < z[k].end; i += ROWS)
				NAME(block)(R, adjoint, 1, pass, &s->z[k], i, j, next);
		}
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
		for (int j = s->active[0].begin; j < s->active[0].end; j++)
			u[-k * (ptrdiff_t)s->stride + j] = -u[k * (ptrdiff_t)s->stride + j];
}

INLINE REAL NAME(total)(RUN v) { return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7])); }

static void NAME(sample)(const cpu_solver *s, const cpu_points *p, REAL *out)
{
	const REAL *u = s->now, *weight = p->weight, *share = p->share, *along = p->along;
	if (p->rows) {
		REAL *line = p->line;
		for (int j = 0; j < p->columns; j += CPU_RUN) {
			RUN sum = {0};
			for (int k = 0; k < p->rows; k++)
				sum += share[k] * LOADRUN(u + p->row[k] + j);
			*(RUN *)(line + j) = sum;
		}
		for (int i = 0; i < p->count; i++)
			out[i] = NAME(total)(LOADRUN(along + CPU_RUN * i) * LOADRUN(line + p->column[i]));
		return;
	}
	for (int i = 0; i < p->count; i++) {
		RUN sum = {0};
		for (int k = p->begin[i]; k < p->begin[i + 1]; k++)
			sum += LOADRUN(weight + CPU_RUN * k) * LOADRUN(u + p->offset[k]);
		out[i] = NAME(total)(sum);
	}
}

// Adds M f to the new field (in `before`) and f to the snapshot, if any.
INLINE void NAME(inject)(const cpu_solver *s, const cpu_points *p, const REAL *amplitude, ptrdiff_t step, REAL *snapshot)
{
	REAL *q = s->before;
	const REAL *m = s->m, *weight = p->weight, *share = p->share, *along = p->along;
	if (p->rows) { // receivers, in the adjoint: no snapshot
		REAL *line = p->line;
		memset(line, 0, p->columns * sizeof *line);
		for (int i = 0; i < p->count; i++)
			*(RUN *)(line + p->column[i]) += LOADRUN(along + CPU_RUN * i) * amplitude[i * step];
		for (int k = 0; k < p->rows; k++)
			for (int j = 0; j < p->columns; j += CPU_RUN)
				*(RUN *)(q + p->row[k] + j) += LOADRUN(m + p->row[k] + j) * (share[k] * LOADRUN(line + j));
		return;
	}
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

// Born source: adds δM w to the new scattered field where the snapshot w reaches.
static void NAME(scatter)(const cpu_solver *s, const REAL *dm, const REAL *w)
{
	const cpu_range cells = {0, (s->nx + LANES - 1) / LANES * LANES};
	for (int i = 0; i < s->nz; i++) {
		const cpu_range r = NAME(both)(cells, NAME(held)(s, w, i / CPU_ROWS));
		REAL *q = (REAL *)s->before + i * (ptrdiff_t)s->stride;
		for (int j = r.begin; j < r.end; j += LANES)
			STORE(q + j, LOAD(q + j) + LOADU(dm + (ptrdiff_t)i * s->width + j) * LOADU(w + (ptrdiff_t)i * s->width + j));
	}
}

// Illumination of the cells that the snapshot reaches but the adjoint step did not.
static void NAME(illuminate_rest)(const NAME(pass) *pass)
{
	const cpu_solver *s = pass->solver;
	for (int i = 0; i < s->nz; i++) {
		const cpu_range r = NAME(held)(s, pass->snapshot, i / CPU_ROWS);
		cpu_range done = NAME(both)(r, s->active[i / CPU_ROWS]);
		if (done.begin >= done.end)
			done = (cpu_range){r.end, r.end};
		const REAL *w = pass->snapshot + (ptrdiff_t)i * s->width;
		REAL *sum = pass->illumination + (ptrdiff_t)i * s->width;
		for (int j = r.begin; j < done.begin; j += LANES)
			*(VECU *)(sum + j) += LOADU(w + j) * LOADU(w + j);
		for (int j = done.end; j < r.end; j += LANES)
			*(VECU *)(sum + j) += LOADU(w + j) * LOADU(w + j);
	}
}

// Copies a thread's share of the pieces of rows out of the field, or into it, before a forward step.
INLINE void NAME(exchange)(const cpu_run *run, REAL *u, int n, int thread, int threads)
{
	REAL *values = (REAL *)run->strips + (n - run->n0) * run->strips_step;
	const int last = (int)((ptrdiff_t)run->pieces * (thread + 1) / threads);
	for (int i = (int)((ptrdiff_t)run->pieces * thread / threads); i < last; i++) {
		const int *piece = run->piece + 3 * (ptrdiff_t)i;
		REAL *cells = u + piece[0], *kept = values + piece[2];
		for (int j = 0; j < piece[1]; j++)
			if (run->restore)
				cells[j] = kept[j];
			else
				kept[j] = cells[j];
	}
}

INLINE REAL *NAME(slot)(const cpu_run *run, int n)
{
	if (!run->snapshot || n % run->every != run->phase)
		return NULL;
	return (REAL *)run->snapshot + (ptrdiff_t)(n / run->every - run->slot0) * run->slot;
}

static NAME(pass) NAME(new_pass)(cpu_solver *s)
{
	NAME(pass) p = {.solver = s};
	for (int k = 0; k <= ACOUSTIC_CPML_RADIUS(s->radius); k++) {
		p.d1z[k] = (REAL)(s->d1[k] * s->iz);
		p.d1x[k] = (REAL)(s->d1[k] * s->ix);
	}
	for (int k = 0; k <= s->radius; k++) {
		p.d2z[k] = (REAL)s->d2z[k];
		p.d2x[k] = (REAL)s->d2x[k];
	}
	return p;
}

INLINE void NAME(forward_order)(const int R, cpu_solver *s, const cpu_run *run, const cpu_points *sources,
                                const cpu_points *receivers)
{
	const int blocks = s->rows / CPU_ROWS;
	NAME(pass) pass = NAME(new_pass)(s);
	if (!run->scatterer)
		NAME(reach)(s, sources);
	for (int n = run->n0; n < run->n1; n++) {
		if (run->pieces)
			NAME(exchange)(run, s->now, n, 0, 1);
		if (run->record)
			NAME(sample)(s, receivers, (REAL *)run->record + (ptrdiff_t)n * receivers->count);
		REAL *snapshot = NAME(slot)(run, n);
		pass.snapshot = run->scatterer ? NULL : snapshot;
		if (run->scatterer)
			for (int b = 0; b < blocks; b++)
				s->reached[b] = NAME(hull)(s->reached[b], NAME(held)(s, snapshot, b));
		NAME(activate)(s, run->until, n);
		NAME(step)(R, 0, &pass);
		if (run->scatterer)
			NAME(scatter)(s, run->scatterer, snapshot);
		else
			NAME(inject)(s, sources, (const REAL *)run->wavelet + n, run->wavelet_stride, snapshot);
		if (pass.snapshot)
			for (int b = 0; b < blocks; b++) {
				REAL *range = snapshot + (ptrdiff_t)s->nz * s->width + 2 * b;
				const cpu_range held = run->until && n > run->until[b] ? (cpu_range){0, 0} : s->active[b];
				range[0] = (REAL)held.begin;
				range[1] = (REAL)held.end;
			}
		NAME(arrive)(s, (REAL)run->quiet);
		NAME(advance)(s);
	}
}

// What the snapshot of step n does not reach contributes to the gradients only through forward values that have underflowed
// since, so that from step n on backwards the adjoint field matters nowhere else: there it keeps any value it has.
INLINE void NAME(adjoint_order)(const int R, cpu_solver *s, const cpu_run *run, const cpu_points *sources,
                                const cpu_points *receivers)
{
	NAME(pass) pass = NAME(new_pass)(s);
	pass.gradient = run->gradient;
	pass.illumination = run->illuminate ? run->illumination : NULL;
	NAME(reach)(s, receivers);
	for (int n = run->n1 - 1; n >= run->n0; n--) {
		pass.snapshot = NAME(slot)(run, n);
		if (run->source_gradient)
			NAME(sample)(s, sources, (REAL *)run->source_gradient + (ptrdiff_t)n * sources->count);
		if (pass.snapshot && run->limit && !s->whole_grid) {
			for (int b = 0; b < s->rows / CPU_ROWS; b++)
				s->limit[b] = NAME(held)(s, pass.snapshot, b);
			s->limited = 1;
		}
		NAME(activate)(s, NULL, n);
		NAME(step)(R, 1, &pass);
		if (pass.snapshot && pass.illumination)
			NAME(illuminate_rest)(&pass);
		NAME(inject)(s, receivers, (const REAL *)run->record + (ptrdiff_t)n * receivers->count, 1, NULL);
		NAME(arrive)(s, (REAL)run->quiet);
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
