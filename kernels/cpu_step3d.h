// One order of the 3D acoustic steps (cpu_acoustic3d.h): included with RADIUS, half the order. Functions that take `adjoint` as a
// constant are inlined into others that fix it.
#define R RADIUS
#define STEP3(x, r) NAME(x##_r##r)
#define STEP2(x, r) STEP3(x, r)
#define STEP(x) STEP2(x, RADIUS)
#define NOINLINE static __attribute__((noinline))

// The rows from i-R to i+R of a memory variable; those outside the layer are zero.
INLINE void STEP(taps)(const NAME(layer) *l, REAL *memory, int i, const REAL **tap)
{
	for (int k = -R; k <= R; k++)
		tap[k + R] = i + k >= l->begin && i + k < l->end ? NAME(memory_at)(l, memory, i + k) : l->zero;
}

INLINE VEC STEP(d1_taps)(const REAL *c, VEC sum, const REAL *const *tap, int j)
{
#pragma GCC unroll 4
	for (int k = 1; k <= R; k++)
		sum += c[k] * (LOAD(tap[R + k] + j) - LOAD(tap[R - k] + j));
	return sum;
}

INLINE VEC STEP(d2_taps)(const REAL *c, VEC sum, const REAL *const *tap, int j)
{
#pragma GCC unroll 4
	for (int k = 1; k <= R; k++)
		sum += c[k] * (LOAD(tap[R + k] + j) + LOAD(tap[R - k] + j));
	return sum;
}

// ψ or p at cell i along the axis.
NOINLINE void STEP(advance_first)(int adjoint, const NAME(layer) *l, int i, const REAL *u, int columns)
{
	const REAL a = l->a[i], b = l->b[i];
	REAL c1[MAX_RADIUS + 1];
	for (int k = 1; k <= R; k++)
		c1[k] = l->d1[k];
	REAL *memory = NAME(memory_at)(l, l->first, i);
	const REAL *now[2 * MAX_RADIUS + 1], *second[2 * MAX_RADIUS + 1];
	const VEC none = {0};
	for (int k = -R; k <= R; k++)
		now[k + R] = u + k * l->reach;
	if (adjoint)
		STEP(taps)(l, l->second, i, second);
	for (int j = 0; j < columns; j += LANES) {
		PREFETCH(now[2 * R] + l->next + j);
		VEC drive = STEP(d1_taps)(c1, none, now, j);
		if (adjoint)
			drive = STEP(d1_taps)(c1, drive, second, j);
		PREFETCH(memory + l->row + j);
		STORE(memory + j, CPML_MEMORY(LOAD(memory + j), a, b, drive));
	}
}

// Adds the layer's part of w in cell i along the axis.
NOINLINE void STEP(add_layer)(int adjoint, const NAME(layer) *l, int i, const REAL *u, int columns, REAL *extra)
{
	const REAL *first[2 * MAX_RADIUS + 1], *now[2 * MAX_RADIUS + 1];
	REAL c1[MAX_RADIUS + 1], c2[MAX_RADIUS + 1];
	for (int k = 0; k <= R; k++) {
		c1[k] = l->d1[k];
		c2[k] = l->d2[k];
	}
	STEP(taps)(l, l->first, i, first);
	if (adjoint) {
		const REAL *second[2 * MAX_RADIUS + 1];
		STEP(taps)(l, l->second, i, second);
		for (int j = 0; j < columns; j += LANES) {
			VEC sum = LOAD(extra + j) + c2[0] * LOAD(second[R] + j);
			STORE(extra + j, STEP(d1_taps)(c1, STEP(d2_taps)(c2, sum, second, j), first, j));
		}
		return;
	}
	const VEC none = {0};
	if (i < l->begin || i >= l->end) { // ψ of the layer reaches here, but ζ is zero
		for (int j = 0; j < columns; j += LANES)
			STORE(extra + j, STEP(d1_taps)(c1, LOAD(extra + j), first, j));
		return;
	}
	const REAL a = l->a[i], b = l->b[i];
	REAL *second = NAME(memory_at)(l, l->second, i);
	for (int k = -R; k <= R; k++)
		now[k + R] = u + k * l->reach;
	for (int j = 0; j < columns; j += LANES) {
		VEC d1 = STEP(d1_taps)(c1, none, first, j);
		VEC zeta = CPML_MEMORY(LOAD(second + j), a, b, STEP(d2_taps)(c2, c2[0] * LOAD(u + j) + d1, now, j));
		PREFETCH(second + l->row + j);
		STORE(second + j, zeta);
		STORE(extra + j, LOAD(extra + j) + d1 + zeta);
	}
}

// Advances the memory variables of an x layer in one row (in the order in which they are stored) and adds the layer's part of w. ψ, p and s stay in registers until
// their neighbours have been differenced.
INLINE void STEP(add_layer_x)(const int adjoint, const NAME(pass3d) *pass, const cpml_block *block, const REAL *u, ptrdiff_t row,
                              REAL *extra)
{
	const cpu_solver *s = pass->solver;
	const int length = block->end - block->begin;
	const REAL *a = (const REAL *)s->ax + block->begin, *b = (const REAL *)s->bx + block->begin;
	REAL c1[MAX_RADIUS + 1], c2[MAX_RADIUS + 1];
	for (int k = 0; k <= R; k++) {
		c1[k] = pass->d1[2][k];
		c2[k] = pass->d2[2][k];
	}
	REAL *first = (REAL *)block->memory[0] + 2 * row * length, *second = (REAL *)block->memory[1] + 2 * row * length;
	VEC none = {0}, prev = none, cur = none, d2 = none; // ψ or p at the two vectors before j; D2 u or D2 s at the last
	VEC s_prev = none, s_cur = none;
	if (adjoint) {
		s_cur = CPML_MEMORY(LOAD(second), LOAD(a), LOAD(b), LOAD(u));
		STORE(second, s_cur);
	}
	for (int j = 0; j <= length; j += LANES) {
		VEC next = none, d2_next = none;
		if (j < length) {
			VEC d1 = none, s_next = none;
			if (adjoint && j + LANES < length) {
				s_next = CPML_MEMORY(LOAD(second + j + LANES), LOAD(a + j + LANES), LOAD(b + j + LANES), LOAD(u + j + LANES));
				STORE(second + j + LANES, s_next);
			}
			d2_next = c2[0] * (adjoint ? s_cur : LOAD(u + j));
#pragma GCC unroll 4
			for (int k = 1; k <= R; k++) {
				VEC plus = LOADU(u + j + k), minus = LOADU(u + j - k);
				if (adjoint) {
					VEC s_plus = NAME(right)(k, s_cur, s_next), s_minus = NAME(left)(k, s_prev, s_cur);
					d2_next += c2[k] * (s_plus + s_minus);
					plus += s_plus;
					minus += s_minus;
				} else {
					d2_next += c2[k] * (plus + minus);
				}
				d1 += c1[k] * (plus - minus);
			}
			s_prev = s_cur;
			s_cur = s_next;
			PREFETCH(first + 2 * PLANES * length + j);
			PREFETCH(second + 2 * PLANES * length + j);
			next = CPML_MEMORY(LOAD(first + j), LOAD(a + j), LOAD(b + j), d1);
			STORE(first + j, next);
		}
		if (j > 0) {
			const int at = j - LANES;
			VEC d1 = none, sum = LOAD(extra + at);
#pragma GCC unroll 4
			for (int k = 1; k <= R; k++)
				d1 += c1[k] * (NAME(right)(k, cur, next) - NAME(left)(k, prev, cur));
			if (adjoint) {
				sum += d1 + d2;
			} else {
				VEC zeta = CPML_MEMORY(LOAD(second + at), LOAD(a + at), LOAD(b + at), d2 + d1);
				STORE(second + at, zeta);
				sum += d1 + zeta;
			}
			STORE(extra + at, sum);
		}
		prev = cur;
		cur = next;
		d2 = d2_next;
	}
}

NOINLINE void STEP(add_layer_x_forward)(const NAME(pass3d) *pass, const cpml_block *block, const REAL *u, ptrdiff_t row, REAL *extra)
{
	STEP(add_layer_x)(0, pass, block, u, row, extra);
}

NOINLINE void STEP(add_layer_x_adjoint)(const NAME(pass3d) *pass, const cpml_block *block, const REAL *u, ptrdiff_t row, REAL *extra)
{
	STEP(add_layer_x)(1, pass, block, u, row, extra);
}

// Steps a row of PLANES planes from plane i on in the columns from j0 to j1. save: there is a snapshot; extra: CPML adds to w in columns < left and >= right.
INLINE void STEP(sweep3d)(const int adjoint, const int save, const int extra, const NAME(pass3d) *pass, int i, int y, int j0, int j1,
                          int left, int right)
{
	const cpu_solver *s = pass->solver;
	const ptrdiff_t plane = s->plane, ld = s->stride, width = s->width, at = i * plane + y * ld;
	const REAL *u = pass->now + at, *m = (const REAL *)s->m + at, *added = pass->extra;
	REAL *q = pass->before + at;
	const int saved = !save ? 0 : s->nz - i < PLANES ? s->nz - i : PLANES;
	const ptrdiff_t slot = (i * (ptrdiff_t)s->ny + y) * width, slot_plane = s->ny * width;
	REAL *snapshot = save ? pass->snapshot + slot : NULL;
	REAL *gradient = save && adjoint ? pass->gradient + slot : NULL;
	REAL *illumination = save && adjoint && pass->illumination ? pass->illumination + slot : NULL;
	REAL cz[MAX_RADIUS + 1], cy[MAX_RADIUS + 1], cx[MAX_RADIUS + 1];
	for (int k = 0; k <= R; k++) {
		cz[k] = pass->d2[0][k];
		cy[k] = pass->d2[1][k];
		cx[k] = pass->d2[2][k];
	}
	const REAL c0 = cz[0] + cy[0] + cx[0];

	for (int j = j0; j < j1; j += LANES) {
		const int add = extra && (j < left || j >= right);
		VEC column[PLANES + 2 * R];
#pragma GCC unroll 16
		for (int k = 0; k < PLANES + 2 * R; k++)
			column[k] = LOAD(u + (k - R) * plane + j);
#pragma GCC unroll 8
		for (int r = 0; r < PLANES; r++) {
			const REAL *p = u + r * plane + j;
			const VEC now = column[r + R];
			VEC w = NAME(d2_column)(R, cz, c0 * now, column + r + R);
			ptrdiff_t row = ld, rows = 3 * ld;
			KEEP(p);
			KEEP(row);
			KEEP(rows);
			w += cy[1] * (LOAD(p - row) + LOAD(p + row));
			if (R > 1)
				w += cy[2] * (LOAD(p - 2 * row) + LOAD(p + 2 * row));
			if (R > 2)
				w += cy[3] * (LOAD(p - rows) + LOAD(p + rows));
			if (R > 3)
				w += cy[4] * (LOAD(p - 4 * row) + LOAD(p + 4 * row));
			w = NAME(d2_row)(R, cx, w, p);
			PREFETCH(u + (r + R) * plane + ld + j);
			PREFETCH(m + r * plane + ld + j);
			PREFETCH(q + r * plane + ld + j);
			if (add)
				w += LOAD(added + r * s->tile_width + j - j0);
			if (save && r < saved) {
				const ptrdiff_t cell = r * slot_plane + j;
				if (adjoint) {
					VEC v = LOADU(snapshot + cell);
					*(VECU *)(gradient + cell) += now * v;
					if (illumination)
						*(VECU *)(illumination + cell) += v * v;
				} else {
					*(VECU *)(snapshot + cell) = w;
				}
			}
			STORE(q + r * plane + j, ACOUSTIC_STEP(now, LOAD(q + r * plane + j), LOAD(m + r * plane + j), w));
		}
	}
}

// Forward and adjoint differ only in what they do with snapshots.
NOINLINE void STEP(sweep3d_plain)(const NAME(pass3d) *pass, int i, int y, int j0, int j1)
{
	STEP(sweep3d)(0, 0, 0, pass, i, y, j0, j1, j0, j1);
}

NOINLINE void STEP(sweep3d_extra)(const NAME(pass3d) *pass, int i, int y, int j0, int j1, int left, int right)
{
	STEP(sweep3d)(0, 0, 1, pass, i, y, j0, j1, left, right);
}

NOINLINE void STEP(sweep3d_saving)(const NAME(pass3d) *pass, int i, int y, int j0, int j1, int left, int right)
{
	STEP(sweep3d)(0, 1, 1, pass, i, y, j0, j1, left, right);
}

NOINLINE void STEP(sweep3d_imaging)(const NAME(pass3d) *pass, int i, int y, int j0, int j1, int left, int right)
{
	STEP(sweep3d)(1, 1, 1, pass, i, y, j0, j1, left, right);
}

// Does a layer of an axis, or what it needs ahead of it, touch cells begin … end-1?
INLINE int STEP(touches)(const cpml_block block[2], int ahead, int begin, int end)
{
	int any = 0;
	for (int side = 0; side < 2; side++)
		any |= block[side].end && begin < block[side].end + R && end > block[side].begin - ahead;
	return any;
}

// Advances the memory variables of the z layers that a step of the planes from i on needs and steps of planes above did not, in one
// row, and adds the layers' part of w.
NOINLINE void STEP(layers_z)(int adjoint, const NAME(pass3d) *pass, const cpu_tile *tile, int i, int y, int j0, int columns)
{
	const cpu_solver *s = pass->solver;
	const REAL *u = pass->now + y * (ptrdiff_t)s->stride + j0;
	for (int side = 0; side < 2; side++) {
		if (!s->z[side].end)
			continue;
		const NAME(layer) l = NAME(layer_at)(pass, 0, &s->z[side], y * PLANES * (ptrdiff_t)s->width + j0);
		const int begin = l.begin, end = l.end, ours = NAME(min)(end, tile->z1);
		if (adjoint)
			for (int k = NAME(max)(begin, i == tile->z0 ? i : i + 2 * R); k < NAME(min)(ours, i + PLANES + 2 * R); k++)
				NAME(advance_second)(&l, k, u + k * l.reach, columns);
		for (int k = NAME(max)(begin, i == tile->z0 ? i : i + R); k < NAME(min)(ours, i + PLANES + R); k++)
			STEP(advance_first)(adjoint, &l, k, u + k * l.reach, columns);
		for (int k = NAME(max)(begin - R, i); k < NAME(min)(end + R, i + PLANES); k++)
			STEP(add_layer)(adjoint, &l, k, u + k * l.reach, columns, pass->extra + (k - i) * s->tile_width);
	}
}

// The same for the y layers: what a step of row y needs and steps of rows before did not.
NOINLINE void STEP(layers_y)(int adjoint, const NAME(pass3d) *pass, const cpu_tile *tile, int i, int y, int j0, int columns)
{
	const cpu_solver *s = pass->solver;
	for (int side = 0; side < 2; side++)
		for (int r = 0; r < PLANES && s->y[side].end; r++) {
			const ptrdiff_t rows = s->y[side].end - s->y[side].begin;
			const NAME(layer) l = NAME(layer_at)(pass, 1, &s->y[side], (i * rows + r) * s->width + j0);
			const REAL *u = pass->now + (i + r) * (ptrdiff_t)s->plane + j0;
			const int begin = l.begin, end = l.end, ours = NAME(min)(end, tile->y1);
			if (adjoint)
				for (int k = NAME(max)(begin, y == tile->y0 ? y : y + 2 * R); k < NAME(min)(ours, y + 2 * R + 1); k++)
					NAME(advance_second)(&l, k, u + k * l.reach, columns);
			for (int k = NAME(max)(begin, y == tile->y0 ? y : y + R); k < NAME(min)(ours, y + R + 1); k++)
				STEP(advance_first)(adjoint, &l, k, u + k * l.reach, columns);
			if (y >= begin - R && y < end + R)
				STEP(add_layer)(adjoint, &l, y, u + y * l.reach, columns, pass->extra + r * s->tile_width);
		}
}

NOINLINE void STEP(layers_x)(int adjoint, const NAME(pass3d) *pass, int i, int y, int j0, int j1)
{
	const cpu_solver *s = pass->solver;
	for (int side = 0; side < 2; side++) {
		const cpml_block *x = &s->x[side];
		for (int r = 0; r < PLANES && x->end > j0 && x->begin < j1; r++) {
			const REAL *u = pass->now + (i + r) * (ptrdiff_t)s->plane + y * (ptrdiff_t)s->stride + x->begin;
			REAL *extra = pass->extra + r * s->tile_width + x->begin - j0;
			(adjoint ? STEP(add_layer_x_adjoint) : STEP(add_layer_x_forward))(pass, x, u, (i * (ptrdiff_t)s->ny + y * PLANES + r), extra);
		}
	}
}

// Advances one tile by one time step.
NOINLINE void STEP(step_tile)(int adjoint, const NAME(pass3d) *pass, const cpu_tile *tile)
{
	const cpu_solver *s = pass->solver;
	const int ahead = adjoint ? 2 * R : R;
	for (int i = tile->z0; i < tile->z1; i += PLANES) {
		const int z = STEP(touches)(s->z, ahead, i, i + PLANES);
		for (int c = 0; c < s->x_cuts - 1; c++) {
			const int j0 = s->x_cut[c], j1 = s->x_cut[c + 1], columns = j1 - j0;
			// Columns from which on, and before which, no x layer acts.
			const int left = NAME(max)(j0, NAME(min)(j1, s->x[0].end)), right = s->x[1].end && s->x[1].begin < j1 ? NAME(max)(j0, s->x[1].begin) : j1;
			const int x = left > j0 || right < j1;
			for (int row = tile->y0; row < tile->y1; row++) {
				const int y = STEP(touches)(s->y, ahead, row, row + 1), all = y | z, extra = x | all;
				for (int r = 0; r < PLANES && extra; r++) {
					REAL *line = pass->extra + r * s->tile_width;
					memset(line, 0, (all ? columns : left - j0) * sizeof(REAL));
					if (!all)
						memset(line + right - j0, 0, (j1 - right) * sizeof(REAL));
				}
				if (z)
					STEP(layers_z)(adjoint, pass, tile, i, row, j0, columns);
				if (y)
					STEP(layers_y)(adjoint, pass, tile, i, row, j0, columns);
				if (x)
					STEP(layers_x)(adjoint, pass, i, row, j0, j1);
				if (pass->snapshot)
					(adjoint ? STEP(sweep3d_imaging) : STEP(sweep3d_saving))(pass, i, row, j0, j1, all ? j1 : left, right);
				else if (extra)
					STEP(sweep3d_extra)(pass, i, row, j0, j1, all ? j1 : left, right);
				else
					STEP(sweep3d_plain)(pass, i, row, j0, j1);
			}
		}
	}
}

#undef R
#undef STEP
#undef STEP2
#undef STEP3
#undef NOINLINE
#undef RADIUS
