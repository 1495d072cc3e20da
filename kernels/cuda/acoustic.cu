// Acoustic steps for GPUs (equations: acoustic.h). Compiled once for each dimension, order and type, with
//
//     DIM     2 or 3
//     R       half the order in space
//     REAL    float or double
//     NAME(x) a name of its own for each
//
// A batch of shots on one grid is stepped together: blockIdx.y is the shot. Fields are [shot][nz][ny][pitch], ny = 1 in 2D; M is
// shared. There is no padding but that of rows to the pitch: what lies outside the grid is put in as zero (or as odd image above a free surface)
// when a tile is read.
//
// A step from n to n+1 is two kernels:
//
//     layers   advances ψ (adjoint: s and p) in the absorbing layers, which alone have memory variables; samples u[n] at receivers
//              (adjoint: η at sources); saves or restores strips of u[n]
//     step     advances everything else and imposes sources (adjoint: residuals)
//
// In `step`, a block walks down a column of the grid, BX by BY cells wide: its vertical neighbours are in registers, the others in a
// plane in shared memory, so that each field is read once. Nothing is added by several threads: the result has the same bits in every run.
//
// The number of the step is read from clock[parity], where `step` of the other parity left it, so that a recorded sequence of
// launches serves any range of steps.

#include "acoustic.h"

#define R1 ACOUSTIC_CPML_RADIUS(R)
#if DIM == 3
#define BX 32
#define BY 8
#define RY R
#else
#define BX 64
#define BY 1
#define RY 0
#endif
#define LAYER_THREADS 256 // of a block of `layers`
#define RUN 8             // cells of a run of a point

// Mirrored by Go structures of the same fields (job.go).
struct NAME(Axis) {
	int cells, low, high, length; // CPML acts on cells 0 … low-1 and high … cells-1, `length` in all
	int stride, reach;            // elements from cell to cell along the axis, in fields and in memory variables
	long long size;               // elements of a shot's memory variable
	const REAL *a, *b;            // [cells]
	REAL *first;                  // ψ, or p: the shape of the grid with `length` cells along this axis
	REAL *second[2];              // ζ, or s of steps of both parities
	REAL d1[4], d2[6];            // difference weights divided by spacing and by its square
};

struct NAME(Job) {
	NAME(Axis) axis[3]; // z, y, x
	long long plane, size; // elements from plane to plane, and of a shot's field
	REAL *field[2];        // u[n] of parity p is field[p]
	const REAL *m;
	int *clock;            // [2]
	int shots, free_surface, pitch, depth; // planes that a block walks
	int tiles_x, tiles_y;
	int layer_blocks[3], sample_blocks, strip_blocks, sampled, injected, every; // sampled, injected: points of all shots; every: 0 without snapshots
	int phase, first, half, strips; // half: snapshots are bfloat16; strips: cells of a shot
	int restore, last;              // last: number of the last step
	// Points that are sampled, those of a shot first[shot] … first[shot+1]-1: runs of RUN cells, as kernels.Points.
	const int *sample_first, *sample_begin, *sample_cell;
	const REAL *sample_weight;
	REAL *sample_value;             // [n][point]
	// Cells in which points inject, by shot, tile and plane; the cell's place in its tile's plane; its points and their weights.
	const int *inject_plane;        // [shot][tile][nz+1]
	const int *inject_cell, *inject_begin, *inject_point;
	const REAL *inject_weight, *inject_value; // value: [n][point]
	void *snapshot;                 // w + f: [slot][shot][size]
	REAL *gradient, *illumination;  // [shot][size]; Σ η (w + f), Σ (w + f)²
	const REAL *delta_m;            // not null: Born, the snapshots are the source
	const int *strip_cell;          // [strips]
	REAL *strip_value;              // [n][shot][strips]
};

// A memory variable at cell i of an axis whose line of cells begins at `line`; zero outside the layers.
static __device__ __forceinline__ REAL NAME(memory_at)(const NAME(Axis) &l, const REAL *memory, int line, int i)
{
	if (i >= 0 && i < l.low)
		return memory[line + i * l.reach];
	if (i >= l.high && i < l.cells)
		return memory[line + (i - l.high + l.low) * l.reach];
	return 0;
}

static __device__ __forceinline__ bool NAME(in_layer)(const NAME(Axis) &l, int i, int reach)
{
	return l.length && (i < l.low + reach || i >= l.high - reach);
}

// Adds to D2 u what CPML does along one axis; u of adjoint steps is η.
template <bool ADJOINT>
static __device__ __forceinline__ REAL NAME(with_layer)(const NAME(Axis) &l, int line, int i, REAL d2u, int shot, int parity)
{
	if (!NAME(in_layer)(l, i, ADJOINT ? R : R1))
		return d2u;
	const REAL *first = l.first + shot * l.size;
	REAL w = d2u;
#pragma unroll
	for (int k = 1; k <= R1; k++) {
		const REAL difference = NAME(memory_at)(l, first, line, i + k) - NAME(memory_at)(l, first, line, i - k);
		w += (ADJOINT ? -l.d1[k] : l.d1[k]) * difference;
	}
	if (ADJOINT) {
		const REAL *second = l.second[1 - parity] + shot * l.size;
		w += l.d2[0] * NAME(memory_at)(l, second, line, i);
#pragma unroll
		for (int k = 1; k <= R; k++)
			w += l.d2[k] * (NAME(memory_at)(l, second, line, i + k) + NAME(memory_at)(l, second, line, i - k));
		return w;
	}
	if (!NAME(in_layer)(l, i, 0))
		return w;
	REAL *zeta = l.second[0] + shot * l.size + line + (i < l.low ? i : i - l.high + l.low) * l.reach;
	const REAL advanced = CPML_MEMORY(*zeta, l.a[i], l.b[i], w);
	*zeta = advanced;
	return w + advanced;
}

// u at k cells from cell i along an axis; `at` is the cell's place in the field.
static __device__ __forceinline__ REAL NAME(value_at)(const NAME(Job) *job, int d, const REAL *u, int at, int i, int k)
{
	const NAME(Axis) &l = job->axis[d];
	const int j = i + k;
	if (j >= l.cells)
		return 0;
	if (j >= 0)
		return u[at + k * l.stride];
	return d == 0 && job->free_surface ? -u[at - (j + i) * l.stride] : 0;
}

// s of the present step at k cells from cell i.
static __device__ __forceinline__ REAL NAME(advanced_second)(const NAME(Job) *job, int d, const REAL *u, const REAL *second, int line, int at, int i, int k)
{
	const NAME(Axis) &l = job->axis[d];
	const int j = i + k;
	if (j < 0 || j >= l.cells || !NAME(in_layer)(l, j, 0))
		return 0;
	return CPML_MEMORY(NAME(memory_at)(l, second, line, j), l.a[j], l.b[j], u[at + k * l.stride]);
}

template <bool ADJOINT> static __device__ __forceinline__ void NAME(advance_layer)(const NAME(Job) *job, int d, int e, int shot, int parity)
{
	const NAME(Axis) &l = job->axis[d];
	// the cell, counted in the layers along this axis
	const int nx = d == 2 ? l.length : job->axis[2].cells, ny = d == 1 ? l.length : job->axis[1].cells, nz = d == 0 ? l.length : job->axis[0].cells;
	const int x = e % nx, y = e / nx % ny, z = e / nx / ny;
	if (z >= nz)
		return;
	const int compact = d == 0 ? z : d == 1 ? y : x, i = compact < l.low ? compact : compact - l.low + l.high;
	const int at = (d == 0 ? i : z) * (int)job->plane + (d == 1 ? i : y) * job->pitch + (d == 2 ? i : x);
	const int row = d == 2 ? l.length : job->pitch;
	const int line = d == 0 ? y * row + x : d == 1 ? z * l.length * row + x : (z * ny + y) * row;
	const REAL *u = job->field[parity] + shot * job->size;
	REAL *first = l.first + shot * l.size + line + compact * l.reach;
	REAL drive = 0;
	if (ADJOINT) {
		const REAL *second = l.second[parity] + shot * l.size;
		l.second[1 - parity][shot * l.size + line + compact * l.reach] = NAME(advanced_second)(job, d, u, second, line, at, i, 0);
#pragma unroll
		for (int k = 1; k <= R1; k++)
			drive -= l.d1[k] * (NAME(value_at)(job, d, u, at, i, k) + NAME(advanced_second)(job, d, u, second, line, at, i, k) -
			                    NAME(value_at)(job, d, u, at, i, -k) - NAME(advanced_second)(job, d, u, second, line, at, i, -k));
	} else {
#pragma unroll
		for (int k = 1; k <= R1; k++)
			drive += l.d1[k] * (NAME(value_at)(job, d, u, at, i, k) - NAME(value_at)(job, d, u, at, i, -k));
	}
	*first = CPML_MEMORY(*first, l.a[i], l.b[i], drive);
}

// Samples LAYER_THREADS / RUN points of a shot: a thread for each cell of their runs.
static __device__ __forceinline__ void NAME(sample)(const NAME(Job) *job, int block, int shot, int parity)
{
	__shared__ REAL part[LAYER_THREADS];
	const int lane = threadIdx.x % RUN, p = job->sample_first[shot] + block * (LAYER_THREADS / RUN) + threadIdx.x / RUN;
	const bool ours = p < job->sample_first[shot + 1];
	const REAL *u = job->field[parity] + shot * job->size;
	REAL sum = 0;
	if (ours)
		for (int k = job->sample_begin[p]; k < job->sample_begin[p + 1]; k++) {
			const REAL weight = job->sample_weight[RUN * k + lane];
			if (weight != 0) // beyond the end of a row there may be none
				sum += weight * u[job->sample_cell[k] + lane];
		}
	part[threadIdx.x] = sum;
	__syncthreads();
	if (ours && lane == 0) {
		const REAL *s = part + threadIdx.x;
		job->sample_value[(long long)job->clock[parity] * job->sampled + p] = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
	}
}

static __device__ __forceinline__ void NAME(exchange_strips)(const NAME(Job) *job, int i, int shot, int parity)
{
	if (i >= job->strips)
		return;
	const int n = job->clock[parity];
	REAL *cell = job->field[parity] + shot * job->size + job->strip_cell[i];
	REAL *kept = job->strip_value + ((long long)(job->restore ? job->last - n : n) * job->shots + shot) * job->strips + i;
	if (job->restore)
		*cell = *kept;
	else
		*kept = *cell;
}

template <bool ADJOINT> static __device__ __forceinline__ void NAME(layers)(const NAME(Job) *job, int parity)
{
	const int shot = blockIdx.y;
	int block = blockIdx.x;
	for (int d = 0; d < 3; d++) {
		if (block < job->layer_blocks[d]) {
			NAME(advance_layer)<ADJOINT>(job, d, block * LAYER_THREADS + threadIdx.x, shot, parity);
			return;
		}
		block -= job->layer_blocks[d];
	}
	if (block < job->sample_blocks)
		NAME(sample)(job, block, shot, parity);
	else
		NAME(exchange_strips)(job, (block - job->sample_blocks) * LAYER_THREADS + threadIdx.x, shot, parity);
}

template <bool ADJOINT> static __device__ __forceinline__ void NAME(step)(const NAME(Job) *job, int parity)
{
	__shared__ REAL tile[2][BY + 2 * RY][BX + 2 * R];
	__shared__ REAL force[BY][BX];
	const int tiles = job->tiles_x * job->tiles_y, t = blockIdx.x % tiles, z0 = blockIdx.x / tiles * job->depth, shot = blockIdx.y;
	const int tx = threadIdx.x, ty = DIM == 3 ? threadIdx.y : 0, thread = ty * BX + tx;
	const int x = t % job->tiles_x * BX + tx, y = DIM == 3 ? t / job->tiles_x * BY + ty : 0;
	const int nz = job->axis[0].cells, ny = DIM == 3 ? job->axis[1].cells : 1, nx = job->axis[2].cells, pitch = job->pitch, plane = (int)job->plane;
	const bool inside = x < nx && y < ny;
	const int z1 = z0 + job->depth < nz ? z0 + job->depth : nz, n = job->clock[parity];
	if (blockIdx.x == 0 && shot == 0 && thread == 0)
		job->clock[1 - parity] = ADJOINT ? n - 1 : n + 1;

	const REAL *__restrict__ u = job->field[parity] + shot * job->size, *__restrict__ m = job->m;
	REAL *__restrict__ q = job->field[1 - parity] + shot * job->size;
	const bool imaged = job->every > 0 && n % job->every == job->phase;
	const long long slot = imaged ? ((long long)(n / job->every - job->first) * job->shots + shot) * job->size : 0;
	const int *planes = job->inject_plane + (shot * tiles + t) * (nz + 1);
	const REAL *amplitude = job->inject_value + (long long)n * job->injected;

	REAL cz[R + 1], cx[R + 1];
#if DIM == 3
	REAL cy[R + 1];
#endif
#pragma unroll
	for (int k = 0; k <= R; k++) {
		cz[k] = job->axis[0].d2[k];
		cx[k] = job->axis[2].d2[k];
#if DIM == 3
		cy[k] = job->axis[1].d2[k];
#endif
	}

	const int foot = y * pitch + x; // of the column
	REAL column[2 * R + 1];
#pragma unroll
	for (int k = 0; k <= 2 * R; k++) {
		const int z = z0 + k - R;
		column[k] = 0;
		if (inside && z < nz && z >= 0)
			column[k] = u[z * plane + foot];
		if (inside && z < 0 && job->free_surface)
			column[k] = -u[-z * plane + foot];
	}

	for (int z = z0; z < z1; z++) {
		const int at = z * plane + foot, buffer = z & 1;
		REAL(*const near)[BX + 2 * R] = tile[buffer];
		near[ty + RY][tx + R] = column[R];
		if (tx < R) {
			near[ty + RY][tx] = y < ny && x - R >= 0 && x - R < nx ? u[at - R] : 0;
			near[ty + RY][tx + BX + R] = y < ny && x + BX < nx ? u[at + BX] : 0;
		}
#if DIM == 3
		if (ty < R) {
			near[ty][tx + R] = x < nx && y - R >= 0 && y - R < ny ? u[at - R * pitch] : 0;
			near[ty + BY + R][tx + R] = x < nx && y + BY < ny ? u[at + BY * pitch] : 0;
		}
#endif
		const int begin = planes[z], end = planes[z + 1]; // of the cells that points inject into
		if (begin < end)
			force[ty][tx] = 0;
		__syncthreads();
		if (begin < end) {
			for (int c = begin + thread; c < end; c += BX * BY) {
				REAL sum = 0;
				for (int k = job->inject_begin[c]; k < job->inject_begin[c + 1]; k++)
					sum += job->inject_weight[k] * amplitude[job->inject_point[k]];
				(&force[0][0])[job->inject_cell[c]] = sum;
			}
			__syncthreads();
		}

		if (inside) {
			const REAL now = column[R];
			REAL dz = cz[0] * now, dx = cx[0] * now;
#pragma unroll
			for (int k = 1; k <= R; k++) {
				dz += cz[k] * (column[R + k] + column[R - k]);
				dx += cx[k] * (near[ty + RY][tx + R + k] + near[ty + RY][tx + R - k]);
			}
			REAL w = NAME(with_layer)<ADJOINT>(job->axis[0], foot, z, dz, shot, parity);
			w += NAME(with_layer)<ADJOINT>(job->axis[2], (z * ny + y) * job->axis[2].length, x, dx, shot, parity);
#if DIM == 3
			REAL dy = cy[0] * now;
#pragma unroll
			for (int k = 1; k <= R; k++)
				dy += cy[k] * (near[ty + R + k][tx + R] + near[ty + R - k][tx + R]);
			w += NAME(with_layer)<ADJOINT>(job->axis[1], z * job->axis[1].length * pitch + x, y, dy, shot, parity);
#endif
			if (begin < end)
				w += force[ty][tx];
			REAL added = 0;
			if (imaged) {
				if (ADJOINT || job->delta_m) {
					const REAL v = job->half ? (REAL)__uint_as_float((unsigned)((const unsigned short *)job->snapshot)[slot + at] << 16) : ((const REAL *)job->snapshot)[slot + at];
					if (ADJOINT) {
						job->gradient[shot * job->size + at] += now * v;
						job->illumination[shot * job->size + at] += v * v;
					} else {
						added = job->delta_m[at] * v;
					}
				} else if (job->half) {
					const unsigned bits = __float_as_uint((float)w);
					((unsigned short *)job->snapshot)[slot + at] = (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
				} else {
					((REAL *)job->snapshot)[slot + at] = w;
				}
			}
			q[at] = ACOUSTIC_STEP(now, q[at], m[at], w) + added;
		}

#pragma unroll
		for (int k = 0; k < 2 * R; k++)
			column[k] = column[k + 1];
		const int below = z + R + 1;
		column[2 * R] = inside && below < nz ? u[below * plane + foot] : 0;
	}
}

extern "C" __global__ void __launch_bounds__(LAYER_THREADS) NAME(layers_forward)(const NAME(Job) *job, long long parity)
{
	NAME(layers)<false>(job, (int)parity);
}

extern "C" __global__ void __launch_bounds__(LAYER_THREADS) NAME(layers_adjoint)(const NAME(Job) *job, long long parity)
{
	NAME(layers)<true>(job, (int)parity);
}

extern "C" __global__ void __launch_bounds__(BX * BY) NAME(step_forward)(const NAME(Job) *job, long long parity)
{
	NAME(step)<false>(job, (int)parity);
}

extern "C" __global__ void __launch_bounds__(BX * BY) NAME(step_adjoint)(const NAME(Job) *job, long long parity)
{
	NAME(step)<true>(job, (int)parity);
}

// out = Σ over the shots, one after the other.
extern "C" __global__ void NAME(sum_shots)(REAL *out, const REAL *in, long long size, long long shots)
{
	const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
	if (i >= size)
		return;
	REAL sum = 0;
	for (long long k = 0; k < shots; k++)
		sum += in[k * size + i];
	out[i] = sum;
}

// Copies cells of arrays of which blockIdx.y counts the rows: to[to_cell[i]] = from[from_cell[i]]; without a list, i itself.
extern "C" __global__ void NAME(copy_cells)(REAL *to, const int *to_cell, long long to_row, const REAL *from, const int *from_cell, long long from_row, long long cells)
{
	const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
	if (i < cells)
		to[blockIdx.y * to_row + (to_cell ? to_cell[i] : i)] = from[blockIdx.y * from_row + (from_cell ? from_cell[i] : i)];
}

#undef R1
#undef BX
#undef BY
#undef RY
#undef LAYER_THREADS
#undef RUN
