// Snapshots in 16 bits: bfloat16, the upper half of a float, rounded to nearest, ties to even. Included once for each instruction set and
// type after cpu_acoustic3d.h. The range is that of floats, so that no scale is needed and zero stays zero; NaN is not kept.

// The columns of a row of cells, counted over all planes, that a slot holds.
INLINE cpu_range NAME(columns_held)(const cpu_solver *s, const REAL *slot, int row)
{
	return NAME(held)(s, slot, s->plane == s->stride ? row / CPU_ROWS : row / s->ny / CPU_PLANES * s->ny + row % s->ny);
}

static void NAME(narrow)(const cpu_solver *s, const void *slot, uint16_t *half, int thread, int threads)
{
	const int rows = s->nz * s->ny;
	for (int row = NAME(share)(rows, thread, threads); row < NAME(share)(rows, thread + 1, threads); row++) {
		const cpu_range r = NAME(columns_held)(s, slot, row);
		const REAL *from = (const REAL *)slot + row * (ptrdiff_t)s->width;
		uint16_t *to = half + row * (ptrdiff_t)s->width;
		for (int j = r.begin; j < r.end; j++) {
			const union { float value; uint32_t bits; } v = {(float)from[j]};
			to[j] = (uint16_t)((v.bits + 0x7fff + (v.bits >> 16 & 1)) >> 16);
		}
	}
}

static void NAME(widen)(const cpu_solver *s, void *slot, const uint16_t *half, int thread, int threads)
{
	const int rows = s->nz * s->ny;
	for (int row = NAME(share)(rows, thread, threads); row < NAME(share)(rows, thread + 1, threads); row++) {
		const cpu_range r = NAME(columns_held)(s, slot, row);
		const uint16_t *from = half + row * (ptrdiff_t)s->width;
		REAL *to = (REAL *)slot + row * (ptrdiff_t)s->width;
		for (int j = r.begin; j < r.end; j++) {
			const union { uint32_t bits; float value; } v = {(uint32_t)from[j] << 16};
			to[j] = v.value;
		}
	}
}
