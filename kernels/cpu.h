// Interface between Go and the CPU kernels: one structure per solver, one call per many time steps.
#ifndef GOFWI_CPU_H
#define GOFWI_CPU_H

#include <stddef.h>
#include <stdint.h>

enum {
	MAX_RADIUS = 4,
	CPU_HALO = 4,   // rows above and below: room for order 8
	CPU_LANES = 16, // columns left and right: room for order 8 and for aligned rows
	CPU_ROWS = 8,   // rows that are stepped together; a step reaches 2 MAX_RADIUS cells at most, no further than the next block
	CPU_PLANES = 4, // planes that are stepped together in 3D
};

// A block of rows or columns in which CPML acts, R cells wider than the layer on its inner side, since D2 s reaches there.
typedef struct {
	int begin, end;  // rows (multiples of CPU_ROWS), or columns (multiples of CPU_LANES)
	int first, last; // 2D only: the layer itself, first … last-1
	void *memory[2]; // ψ and ζ, or p and s, at the block's first cell; in 2D with zeros around, CPU_LANES columns of them between two rows of a block of columns
} cpml_block;

// Columns of a block of CPU_ROWS rows, multiples of CPU_LANES; none if begin >= end.
typedef struct {
	int begin, end;
} cpu_range;

// 3D only: a range of planes (multiples of CPU_PLANES) and rows that one thread steps at a time.
typedef struct {
	int z0, z1, y0, y1;
} cpu_tile;

typedef struct {
	int nz, nx;          // grid with absorbing layers
	int rows, width;     // nz rounded up to CPU_ROWS, nx to CPU_LANES; M is zero beyond nz and nx
	int stride;          // elements from row to row
	int radius;          // half the order in space
	int free_surface;    // fields are odd about row 0
	const double *d1, *d2z, *d2x; // difference weights: d1[k] unscaled, d2 divided by spacing²; [radius+1]
	int d2x_step;        // elements from the weights d2x of CPU_ROWS rows to those of the next; 0: all have the same
	double iz, ix;       // 1/dz, 1/dx
	void *now, *before;  // fields at cell (0, 0)
	void *m;             // v² dt², same layout
	void *potential;     // W of variable density (density.go), which takes W u from w, in the adjoint W η; same layout; null: constant density
	void *along;         // factor of what differences along x give, per row [rows]; null: none (2D only)
	void *row_potential; // besides, W that is the same along rows [rows]
	void *az, *bz;       // CPML coefficients per row [rows]
	void *ax, *bx;       // per column [width]
	cpml_block z[2], x[2];
	void *strip;         // η + s of CPU_ROWS rows of a block of columns, with CPU_LANES columns of η on either side; in 3D what CPML adds to w, [thread][CPU_PLANES + 1][tile_width]
	int strip_step;      // elements from row to row of it (2D only)
	// By block of CPU_ROWS rows, in 3D of one row of CPU_PLANES planes: where fields and memory variables may differ from zero, or be louder than cpu_run.quiet; where the current step changes
	// them; where an adjoint step needs to (if limited).
	cpu_range *reached, *active, *limit;
	int limited, whole_grid; // whole_grid: step everything

	// 3D only. rows is nz rounded up to CPU_PLANES. Blocks of planes and rows are the layers themselves, without rows that D1 ψ reaches;
	// memory variables are [plane / CPU_PLANES][row][plane % CPU_PLANES][width], planes of a z block from a multiple of CPU_PLANES
	// on; those of x [plane / CPU_PLANES][row][plane % CPU_PLANES][ψ or ζ][column].
	int ny, plane;       // rows; elements from plane to plane
	const double *d2y;
	double iy;           // 1/dy
	void *ay, *by;       // [ny]
	cpml_block y[2];
	int tiles, x_cuts;
	const cpu_tile *tile;
	const int *x_cut;    // first columns of strips, and the width
	int tile_width;      // of the widest strip
	int threads;
	int next_tile;       // the first that no thread has taken in this step
} cpu_solver;

// Points off the grid: point p acts on the runs begin[p] … begin[p+1]-1, each CPU_RUN neighbouring cells of a row with their weights.
enum { CPU_RUN = 8 };
typedef struct {
	int count;
	const int *begin, *offset; // offset of a run's first cell in a field
	const int *cell;           // and in a snapshot (3D only)
	const void *weight;        // [run][CPU_RUN]
	// Points that all act on the same rows with the same shares, as receivers at one depth do, meet them as one row: the sum of these, or what is shared out among
	// them (2D only). rows: of these, 0 where points are not so.
	int rows, columns;         // columns of the one row, a multiple of CPU_RUN
	const int *row;            // offset of its first column in a field, for each row
	const void *share;         // of each row
	const int *column;         // of each point's run, from the first
	const void *along;         // [point][CPU_RUN]
	void *line;                // [columns], room for it
} cpu_points;

// What a run of steps reads and writes besides the fields; null where not wanted. A snapshot slot of `slot` elements holds
// nz * ny * width cells. Only those that the wave had reached are written, and behind them the reached range of each
// block of rows (begin and end as numbers of the cells' type).
typedef struct {
	int n0, n1;            // forward: n = n0 … n1-1; adjoint: n = n1-1 … n0
	int every, phase;      // snapshots at n with n % every == phase, in slot n / every - slot0
	int slot0, slot;
	int limit;             // adjoint: the gradients need only the cells that the snapshots reach
	int illuminate;        // accumulate illumination at each such snapshot
	double quiet;          // amplitude of forerunners that are left out; 0: those alone that have underflowed
	const int *until;      // forward, by block of CPU_ROWS rows: the last step that matters there, and that snapshots hold (2D only); null: all do
	int wavelet_stride;    // elements between the wavelets of two sources (0: all sources share one)
	const void *wavelet;   // [source][n]
	void *source_gradient; // [n][source]
	void *record;          // forward: [n][receiver], written; adjoint: adjoint source, read
	void *snapshot;        // w + f
	void *gradient;        // Σ η (w + f), [nz][width]
	void *illumination;    // Σ (w + f)², [nz][width]
	const void *scatterer; // Born: δM [nz][width]; then the snapshots are the source
	// Pieces of rows that a forward step copies out of the field, or into it if `restore`, before it begins.
	int pieces, restore;
	const int *piece;      // per piece: offset of its first cell in a field, length, and cells of the pieces before it
	void *strips;          // values of step n0
	ptrdiff_t strips_step; // elements from a step's values to those of the next
} cpu_run;

typedef void (*cpu_steps)(cpu_solver *, const cpu_run *, const cpu_points *sources, const cpu_points *receivers);
typedef void (*cpu_steps3d)(cpu_solver *, const cpu_run *, const cpu_points *sources, const cpu_points *receivers, int thread, int threads);

// Rounds the cells of a snapshot slot to bfloat16, [nz * ny][width], or puts them back; those alone that the wave had reached. Called
// by each thread.
typedef void (*cpu_narrow_slot)(const cpu_solver *, const void *slot, uint16_t *half, int thread, int threads);
typedef void (*cpu_widen_slot)(const cpu_solver *, void *slot, const uint16_t *half, int thread, int threads);

// Kernels of one instruction set for float and double.
typedef struct {
	const char *name;
	cpu_steps forward_f32, adjoint_f32, forward_f64, adjoint_f64;
	cpu_steps3d forward3d_f32, adjoint3d_f32, forward3d_f64, adjoint3d_f64;
	cpu_narrow_slot narrow_f32, narrow_f64;
	cpu_widen_slot widen_f32, widen_f64;
} cpu_kernels;

extern const cpu_kernels cpu_baseline, cpu_avx2, cpu_avx512;

// The widest of them that this processor runs, or the one named (null if it cannot).
const cpu_kernels *cpu_select(const char *name);

// Calls through the table, with subnormal numbers flushed to zero for the duration: the tails of a wave field would
// otherwise slow a step a hundredfold.
void cpu_forward(const cpu_kernels *, int bytes, cpu_solver *, const cpu_run *, const cpu_points *, const cpu_points *);
void cpu_adjoint(const cpu_kernels *, int bytes, cpu_solver *, const cpu_run *, const cpu_points *, const cpu_points *);
void cpu_forward3d(const cpu_kernels *, int bytes, cpu_solver *, const cpu_run *, const cpu_points *, const cpu_points *);
void cpu_adjoint3d(const cpu_kernels *, int bytes, cpu_solver *, const cpu_run *, const cpu_points *, const cpu_points *);

void cpu_narrow(const cpu_kernels *, int bytes, const cpu_solver *, const void *slot, uint16_t *half);
void cpu_widen(const cpu_kernels *, int bytes, const cpu_solver *, void *slot, const uint16_t *half);

// Asks for large pages in a block that begins and ends at multiples of HUGE_PAGE, where the system has them.
enum { HUGE_PAGE = 2 << 20 };
void cpu_huge_pages(void *p, size_t bytes);

// Waits for the other threads of a 3D run.
void cpu_barrier(void);

#endif
