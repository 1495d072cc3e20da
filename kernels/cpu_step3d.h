// One order of the 3D acoustic steps (cpu_acoustic3d.h): included with RADIUS, half the order. Functions that take `adjoint` as a
// constant are inlined into others that fix it.
#define R RADIUS
#define STEP3(x, r) NAME(x##_r##r)
#define STEP2(x, r) STEP3(x, r)
#define STEP(x) STEP2(x, RADIUS)
#define NOINLINE static __attribute__((noinline))

#define AHEAD (2 * R1) // cells, R or more, that s is needed ahead of the cell that is stepped

// What a layer does to COUNT ≤ CPU_PLANES cells along its axis from cell i on, in a row of columns: rows of its memory variables, and coefficients
// that are zero outside it.
typedef struct {
	REAL *first[CPU_PLANES + 2 * MAX_RADIUS];  // ψ or p from cell i-R1 on; those before i+R1 have been advanced
	REAL *second[CPU_PLANES + 2 * MAX_RADIUS]; // ζ from cell i on; s from cell i-R on, those before i+AHEAD have been advanced
	REAL a[CPU_PLANES + MAX_RADIUS], b[CPU_PLANES + MAX_RADIUS]; // from cell i on
} STEP(rows);

INLINE void STEP(layer_rows)(const int adjoint, const int count, const NAME(layer) *l, int i, STEP(rows) *t)
{
	for (int k = 0; k < count + 2 * R1; k++)
		t->first[k] = NAME(memory_at)(l, l->first, i - R1 + k);
	for (int k = 0; k < count + (adjoint ? R + AHEAD : 0); k++)
		t->second[k] = NAME(memory_at)(l, l->second, adjoint ? i - R + k : i + k);
	for (int k = 0; k < count + AHEAD; k++) {
		const int inside = i + k >= l->begin && i + k < l->end;
		t->a[k] = inside ? l->a[i + k] : 0;
		t->b[k] = inside ? l->b[i + k] : 0;
	}
}

INLINE VEC STEP(d1_at)(const REAL *c, const VEC *u)
{
	VEC sum = c[1] * (u[1] - u[-1]);
	if (R1 > 1)
		sum += c[2] * (u[2] - u[-2]);
	return sum;
}

// The second difference without its middle tap, added to sum.
INLINE VEC STEP(d2_at)(const REAL *c, VEC sum, const VEC *u)
{
#pragma GCC unroll 4
	for (int k = 1; k <= R; k++)
		sum += c[k] * (u[-k] + u[k]);
	return sum;
}

// Advances the memory variables of a z or y layer that a step of COUNT cells from i on needs and steps before did not, and sets extra, or adds to
// it, the layer's part of w. u is the field's row in cell i, COUNT rows of extra are tile_width apart.
INLINE void STEP(step_layer)(const int adjoint, const int count, const NAME(layer) *l, int i, const REAL *u, int columns, REAL *extra,
                             int tile_width, int add)
{
	STEP(rows) t;
	STEP(layer_rows)(adjoint, count, l, i, &t);
	const ptrdiff_t reach = l->reach, next = l->next, row = l->row;
	REAL c1[MAX_RADIUS + 1], c2[MAX_RADIUS + 1];
	for (int k = 0; k <= R; k++) {
		c1[k] = l->d1[k];
		c2[k] = l->d2[k];
	}
	for (int j = 0; j < columns; j += LANES) {
		// From cell i-R on: u, or s; from cell i on in the adjoint η, then η + s.
		VEC second[CPU_PLANES + 2 * MAX_RADIUS], eta[CPU_PLANES + MAX_RADIUS], first[CPU_PLANES + 2 * MAX_RADIUS];
		if (adjoint) {
#pragma GCC unroll 16
			for (int k = 0; k < count + AHEAD; k++)
				eta[k] = LOAD(u + k * reach + j);
#pragma GCC unroll 16
			for (int k = 0; k < R + AHEAD; k++)
				second[k] = LOAD(t.second[k] + j);
#pragma GCC unroll 4
			for (int r = 0; r < count; r++) {
				REAL *s = t.second[R + AHEAD + r] + j;
				second[R + AHEAD + r] = CPML_MEMORY(LOAD(s), t.a[AHEAD + r], t.b[AHEAD + r], eta[AHEAD + r]);
				STORE(s, second[R + AHEAD + r]);
				PREFETCH(s + row);
			}
#pragma GCC unroll 16
			for (int k = 0; k < count + AHEAD; k++)
				eta[k] += second[R + k];
		} else {
#pragma GCC unroll 16
			for (int k = 0; k < count + R + AHEAD; k++)
				second[k] = LOAD(u + (k - R) * reach + j);
		}
		const VEC *drive = adjoint ? eta : second + R;
#pragma GCC unroll 8
		for (int k = 0; k < 2 * R1; k++)
			first[k] = LOAD(t.first[k] + j);
#pragma GCC unroll 4
		for (int r = 0; r < count; r++) {
			REAL *m = t.first[2 * R1 + r] + j;
			first[2 * R1 + r] = CPML_MEMORY(LOAD(m), t.a[R1 + r], t.b[R1 + r], STEP(d1_at)(c1, drive + R1 + r));
			STORE(m, first[2 * R1 + r]);
			PREFETCH(m + row);
			PREFETCH(u + (AHEAD + r) * reach + next + j);
		}
#pragma GCC unroll 4
		for (int r = 0; r < count; r++) {
			const VEC d1 = STEP(d1_at)(c1, first + R1 + r);
			VEC w = STEP(d2_at)(c2, d1 + c2[0] * second[R + r], second + R + r);
			if (!adjoint) {
				REAL *zeta = t.second[r] + j;
				w = CPML_MEMORY(LOAD(zeta), t.a[r], t.b[r], w);
				STORE(zeta, w);
				PREFETCH(zeta + row);
				w += d1;
			}
			REAL *out = extra + r * tile_width + j;
			if (add)
				w += LOAD(out);
			STORE(out, w);
		}
	}
}

// Advances the memory variables of a z or y layer in the cells that the first step of a tile, from cell i on, needs and finds not advanced.
INLINE void STEP(begin_layer)(const int adjoint, const NAME(layer) *l, int i, const REAL *u, int columns)
{
	REAL c1[MAX_RADIUS + 1];
	for (int k = 0; k <= R1; k++)
		c1[k] = l->d1[k];
	for (int k = NAME(max)(i, l->begin); adjoint && k < NAME(min)(i + AHEAD, l->end); k++)
		for (int j = 0; j < columns; j += LANES) {
			REAL *s = NAME(memory_at)(l, l->second, k) + j;
			STORE(s, CPML_MEMORY(LOAD(s), l->a[k], l->b[k], LOAD(u + (k - i) * l->reach + j)));
		}
	for (int k = NAME(max)(i, l->begin); k < NAME(min)(i + R1, l->end); k++) {
		const REAL *s[2 * MAX_RADIUS + 1];
		for (int n = -R1; adjoint && n <= R1; n++)
			s[R1 + n] = NAME(memory_at)(l, l->second, k + n);
		for (int j = 0; j < columns; j += LANES) {
			VEC drive[2 * MAX_RADIUS + 1];
#pragma GCC unroll 8
			for (int n = -R1; n <= R1; n++) {
				drive[R1 + n] = LOAD(u + (k - i + n) * l->reach + j);
				if (adjoint)
					drive[R1 + n] += LOAD(s[R1 + n] + j);
			}
			REAL *m = NAME(memory_at)(l, l->first, k) + j;
			STORE(m, CPML_MEMORY(LOAD(m), l->a[k], l->b[k], STEP(d1_at)(c1, drive + R1)));
		}
	}
}

// Advances the memory variables of an x layer in one row (in the order in which they are stored) and adds all of w along x. ψ, p and s stay in
// registers until their neighbours have been differenced.
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
			d2_next = c2[0] * (LOAD(u + j) + s_cur);
#pragma GCC unroll 4
			for (int k = 1; k <= R; k++) {
				VEC plus = LOADU(u + j + k), minus = LOADU(u + j - k);
				if (adjoint) {
					plus += NAME(right)(k, s_cur, s_next);
					minus += NAME(left)(k, s_prev, s_cur);
				}
				d2_next += c2[k] * (plus + minus);
				if (k <= R1)
					d1 += c1[k] * (plus - minus);
			}
			s_prev = s_cur;
			s_cur = s_next;
			PREFETCH(first + 2 * CPU_PLANES * length + j);
			PREFETCH(second + 2 * CPU_PLANES * length + j);
			next = CPML_MEMORY(LOAD(first + j), LOAD(a + j), LOAD(b + j), d1);
			STORE(first + j, next);
		}
		if (j > 0) {
			const int at = j - LANES;
			VEC d1 = none, sum = LOAD(extra + at);
#pragma GCC unroll 4
			for (int k = 1; k <= R1; k++)
				d1 += c1[k] * (NAME(right)(k, cur, next) - NAME(left)(k, prev, cur));
			if (adjoint) {
				sum += d1 + d2;
			} else {
				VEC zeta = CPML_MEMORY(LOAD(second + at), LOAD(a + at), LOAD(b + at), d2 + d1);
				STORE(second + at, zeta);
				sum += (d2 + d1) + zeta;
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

// Steps a row of CPU_PLANES planes from plane i on in the columns of `range`. save: there is a snapshot; extra: CPML adds to w in the columns < left and
// >= right, which are x layers, where it holds all of w along x, or in `all`. The first column in pass->extra is base.
INLINE void STEP(sweep3d)(const int adjoint, const int save, const int extra, const NAME(pass3d) *pass, int i, int y, cpu_range range, int base,
                          int left, int right, int all)
{
	const cpu_solver *s = pass->solver;
	const ptrdiff_t plane = s->plane, ld = s->stride, width = s->width, at = i * plane + y * ld;
	const REAL *u = pass->now + at, *m = (const REAL *)s->m + at, *added = pass->extra;
	REAL *q = pass->before + at;
	const int saved = !save ? 0 : s->nz - i < CPU_PLANES ? s->nz - i : CPU_PLANES;
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
	const REAL c_zy = cz[0] + cy[0], c0 = c_zy + cx[0];

	for (int j = range.begin; j < range.end; j += LANES) {
		const int in_x = extra && (j < left || j >= right);
		VEC column[CPU_PLANES + 2 * R];
#pragma GCC unroll 16
		for (int k = 0; k < CPU_PLANES + 2 * R; k++)
			column[k] = LOAD(u + (k - R) * plane + j);
#pragma GCC unroll 8
		for (int r = 0; r < CPU_PLANES; r++) {
			const REAL *p = u + r * plane + j;
			const VEC now = column[r + R];
			VEC w = STEP(d2_at)(cz, (in_x ? c_zy : c0) * now, column + r + R);
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
			if (!in_x)
				w = NAME(d2_row)(R, cx, w, p);
			PREFETCH(u + (r + R) * plane + ld + j);
			PREFETCH(m + r * plane + ld + j);
			PREFETCH(q + r * plane + ld + j);
			if (extra && (in_x | all))
				w += LOAD(added + r * s->tile_width + j - base);
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
NOINLINE void STEP(sweep3d_plain)(const NAME(pass3d) *pass, int i, int y, cpu_range range, int base)
{
	STEP(sweep3d)(0, 0, 0, pass, i, y, range, base, 0, 0, 0);
}

NOINLINE void STEP(sweep3d_extra)(const NAME(pass3d) *pass, int i, int y, cpu_range range, int base, int left, int right, int all)
{
	STEP(sweep3d)(0, 0, 1, pass, i, y, range, base, left, right, all);
}

NOINLINE void STEP(sweep3d_saving)(const NAME(pass3d) *pass, int i, int y, cpu_range range, int base, int left, int right, int all)
{
	STEP(sweep3d)(0, 1, 1, pass, i, y, range, base, left, right, all);
}

NOINLINE void STEP(sweep3d_imaging)(const NAME(pass3d) *pass, int i, int y, cpu_range range, int base, int left, int right, int all)
{
	STEP(sweep3d)(1, 1, 1, pass, i, y, range, base, left, right, all);
}

// Does a layer of an axis, or what it needs ahead of it, touch cells begin … end-1?
INLINE int STEP(touches)(const cpml_block *block, int adjoint, int begin, int end)
{
	return block->end && begin < block->end + (adjoint ? R : R1) && end > block->begin - (adjoint ? AHEAD : R1);
}

// The z layers' part of w in a row of CPU_PLANES planes, in columns from j0 on. Returns whether there is any.
INLINE int STEP(layers_z)(const int adjoint, const NAME(pass3d) *pass, const cpu_tile *tile, int i, int y, int j0, int columns, REAL *extra)
{
	const cpu_solver *s = pass->solver;
	const REAL *u = pass->now + i * (ptrdiff_t)s->plane + y * (ptrdiff_t)s->stride + j0;
	int add = 0;
	for (int side = 0; side < 2; side++) {
		if (!STEP(touches)(&s->z[side], adjoint, i, i + CPU_PLANES))
			continue;
		const NAME(layer) l = NAME(layer_at)(pass, 0, &s->z[side], y * CPU_PLANES * (ptrdiff_t)s->width + j0);
		if (i == tile->z0)
			STEP(begin_layer)(adjoint, &l, i, u, columns);
		STEP(step_layer)(adjoint, CPU_PLANES, &l, i, u, columns, extra, s->tile_width, add);
		add = 1;
	}
	return add;
}

NOINLINE int STEP(layers_z_forward)(const NAME(pass3d) *pass, const cpu_tile *tile, int i, int y, int j0, int columns, REAL *extra)
{
	return STEP(layers_z)(0, pass, tile, i, y, j0, columns, extra);
}

NOINLINE int STEP(layers_z_adjoint)(const NAME(pass3d) *pass, const cpu_tile *tile, int i, int y, int j0, int columns, REAL *extra)
{
	return STEP(layers_z)(1, pass, tile, i, y, j0, columns, extra);
}

// The same for the y layers; theirs is added to what is there if `add`.
INLINE int STEP(layers_y)(const int adjoint, const NAME(pass3d) *pass, const cpu_tile *tile, int i, int y, int j0, int columns, REAL *extra, int add)
{
	const cpu_solver *s = pass->solver;
	for (int side = 0; side < 2; side++) {
		const cpml_block *block = &s->y[side];
		if (!STEP(touches)(block, adjoint, y, y + 1))
			continue;
		for (int r = 0; r < CPU_PLANES; r++) {
			const NAME(layer) l = NAME(layer_at)(pass, 1, block, (i * (ptrdiff_t)(block->end - block->begin) + r) * s->width + j0);
			const REAL *u = pass->now + (i + r) * (ptrdiff_t)s->plane + y * (ptrdiff_t)s->stride + j0;
			if (y == tile->y0)
				STEP(begin_layer)(adjoint, &l, y, u, columns);
			STEP(step_layer)(adjoint, 1, &l, y, u, columns, extra + r * s->tile_width, 0, add);
		}
		add = 1;
	}
	return add;
}

NOINLINE int STEP(layers_y_forward)(const NAME(pass3d) *pass, const cpu_tile *tile, int i, int y, int j0, int columns, REAL *extra, int add)
{
	return STEP(layers_y)(0, pass, tile, i, y, j0, columns, extra, add);
}

NOINLINE int STEP(layers_y_adjoint)(const NAME(pass3d) *pass, const cpu_tile *tile, int i, int y, int j0, int columns, REAL *extra, int add)
{
	return STEP(layers_y)(1, pass, tile, i, y, j0, columns, extra, add);
}

// The x layers within the columns of r, where extra is that of column base.
NOINLINE void STEP(layers_x)(int adjoint, const NAME(pass3d) *pass, int i, int y, cpu_range r, int base)
{
	const cpu_solver *s = pass->solver;
	for (int side = 0; side < 2; side++) {
		const cpml_block *x = &s->x[side];
		for (int k = 0; k < CPU_PLANES && x->end > r.begin && x->begin < r.end; k++) {
			const REAL *u = pass->now + (i + k) * (ptrdiff_t)s->plane + y * (ptrdiff_t)s->stride + x->begin;
			REAL *extra = pass->extra + k * s->tile_width + x->begin - base;
			(adjoint ? STEP(add_layer_x_adjoint) : STEP(add_layer_x_forward))(pass, x, u, (i * (ptrdiff_t)s->ny + y * CPU_PLANES + k), extra);
		}
	}
}

// Steps the columns of r in a row of CPU_PLANES planes. all: z or y layers act there, and extra holds their part.
NOINLINE void STEP(row3d)(int adjoint, const NAME(pass3d) *pass, int i, int y, cpu_range r, int base, int all)
{
	const cpu_solver *s = pass->solver;
	// Columns from which on, and before which, no x layer acts.
	const int left = NAME(max)(r.begin, NAME(min)(r.end, s->x[0].end));
	const int right = s->x[1].end && s->x[1].begin < r.end ? NAME(max)(r.begin, s->x[1].begin) : r.end;
	const int x = left > r.begin || right < r.end;
	if (s->potential) { // of variable density: a part of extra, so that without it the sweep does not know of it
		for (int k = 0; k < CPU_PLANES; k++) {
			const ptrdiff_t at = (i + k) * (ptrdiff_t)s->plane + y * (ptrdiff_t)s->stride;
			const REAL *u = pass->now + at, *potential = (const REAL *)s->potential + at;
			REAL *line = pass->extra + k * s->tile_width - base;
			for (int j = r.begin; j < r.end; j += LANES) {
				VEC w = -LOAD(potential + j) * LOAD(u + j);
				if (all)
					w += LOAD(line + j);
				STORE(line + j, w);
			}
		}
		all = 1;
	}
	for (int k = 0; k < CPU_PLANES && x && !all; k++) {
		REAL *line = pass->extra + k * s->tile_width - base;
		memset(line + r.begin, 0, (left - r.begin) * sizeof(REAL));
		memset(line + right, 0, (r.end - right) * sizeof(REAL));
	}
	if (x)
		STEP(layers_x)(adjoint, pass, i, y, r, base);
	cpu_range saved = {r.end, r.end};
	if (pass->snapshot) {
		saved = adjoint ? NAME(both)(r, NAME(held)(s, pass->snapshot, i / CPU_PLANES * s->ny + y)) : r;
		if (saved.begin >= saved.end)
			saved.begin = saved.end = r.end;
	}
	const cpu_range parts[3] = {{r.begin, saved.begin}, saved, {saved.end, r.end}};
	for (int k = 0; k < 3; k++) {
		if (parts[k].begin >= parts[k].end)
			continue;
		if (k == 1)
			(adjoint ? STEP(sweep3d_imaging) : STEP(sweep3d_saving))(pass, i, y, parts[k], base, left, right, all);
		else if (x | all)
			STEP(sweep3d_extra)(pass, i, y, parts[k], base, left, right, all);
		else
			STEP(sweep3d_plain)(pass, i, y, parts[k], base);
	}
}

// Advances what is active of one tile by one time step.
NOINLINE void STEP(step_tile)(int adjoint, const NAME(pass3d) *pass, const cpu_tile *tile)
{
	const cpu_solver *s = pass->solver;
	for (int i = tile->z0; i < tile->z1; i += CPU_PLANES) {
		const int z = STEP(touches)(&s->z[0], adjoint, i, i + CPU_PLANES) | STEP(touches)(&s->z[1], adjoint, i, i + CPU_PLANES);
		for (int c = 0; c < s->x_cuts - 1; c++) {
			const cpu_range strip = {s->x_cut[c], s->x_cut[c + 1]};
			for (int y = tile->y0; y < tile->y1; y++) {
				const cpu_range *active = s->active + i / CPU_PLANES * s->ny + y;
				const int in_y = STEP(touches)(&s->y[0], adjoint, y, y + 1) | STEP(touches)(&s->y[1], adjoint, y, y + 1);
				// Memory variables of the cells ahead are advanced wherever these are active: within a limit that may be where this row is not.
				cpu_range ahead = active[0];
				if (z && i + CPU_PLANES < s->rows)
					ahead = NAME(hull)(ahead, active[s->ny]);
				for (int k = 1; in_y && k <= AHEAD && y + k < s->ny; k++)
					ahead = NAME(hull)(ahead, active[k]);
				ahead = NAME(both)(ahead, strip);
				int all = 0;
				if (ahead.begin < ahead.end) {
					const int columns = ahead.end - ahead.begin;
					REAL *extra = pass->extra + ahead.begin - strip.begin;
					if (z)
						all = (adjoint ? STEP(layers_z_adjoint) : STEP(layers_z_forward))(pass, tile, i, y, ahead.begin, columns, extra);
					if (in_y)
						all = (adjoint ? STEP(layers_y_adjoint) : STEP(layers_y_forward))(pass, tile, i, y, ahead.begin, columns, extra, all);
				}
				const cpu_range r = NAME(both)(active[0], strip);
				if (r.begin < r.end)
					STEP(row3d)(adjoint, pass, i, y, r, strip.begin, all);
				if (pass->snapshot && pass->illumination)
					NAME(illuminate_rest3d)(pass, i, y, strip, r);
			}
		}
	}
}

#undef AHEAD
#undef R
#undef STEP
#undef STEP2
#undef STEP3
#undef NOINLINE
#undef RADIUS
