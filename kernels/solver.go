package kernels

import (
	"fmt"
	"math"
)

// Real is the type of the fields.
type Real interface{ float32 | float64 }

// Domain describes what a solver steps on: the grid, absorbing layers included, and constants of the equation. Axes are in the order
// (z, x) or (z, y, x).
type Domain struct {
	Shape   []int     // cells per axis
	Spacing []float64 // m per axis
	Order   int       // in space: 2, 4, 6 or 8
	// D2 are weights of the second difference for unit spacing in place of Taylor's, as BandWeights returns them: as many, and their sum about the middle is zero.
	D2          []float64
	FreeSurface bool // row 0 of z is a free surface: u = 0 there and odd above
	// CPML coefficients per axis and cell along it: zero away from the layers. Memory variables advance as
	// memory = b·memory + a·drive (acoustic.h).
	A, B [][]float64
	// Potential is W of density.go in 1/m², one value a cell; nil: constant density. Only the acoustic equation has it.
	Potential []float64
	// Along are factors of what the differences along x give, one a row: where rows lie unevenly in depth (stretch.go); nil: ones. Only the acoustic equation
	// has them, in 2D.
	Along []float64
	// D2Along are weights of the second difference along x in place of D2, for RowBlock rows each; nil: D2. They go with Along.
	D2Along [][]float64
	// Time step in s and the equation's constants, for equations that have constants: M is all that the acoustic one needs.
	DT        float64
	Constants []float64
}

// SecondDifference returns the weights with which D2 is stepped, for unit spacing.
func (d *Domain) SecondDifference() []float64 {
	if d.D2 != nil {
		return d.D2
	}
	return d2Weights[d.Order/2]
}

// NX returns the number of cells along x, the axis whose cells are neighbours in memory.
func (d *Domain) NX() int { return d.Shape[len(d.Shape)-1] }

// Cells returns the number of cells.
func (d *Domain) Cells() int {
	n := 1
	for _, s := range d.Shape {
		n *= s
	}
	return n
}

// Validate returns an error for a domain that no solver can step.
func (d *Domain) Validate() error {
	if err := CheckOrder(d.Order); err != nil {
		return err
	}
	if d.D2 != nil {
		if err := d.checkSecond(d.D2); err != nil {
			return err
		}
	}
	axes := len(d.Shape)
	if axes != 2 && axes != 3 || len(d.Spacing) != axes || len(d.A) != axes || len(d.B) != axes {
		return fmt.Errorf("a solver has two or three axes, not shape %v, spacing %v and CPML coefficients for %d axes", d.Shape, d.Spacing, len(d.A))
	}
	for k, n := range d.Shape {
		if n < 1 || !(d.Spacing[k] > 0) {
			return fmt.Errorf("a solver cannot have %v cells of %v m", d.Shape, d.Spacing)
		}
		if len(d.A[k]) != n || len(d.B[k]) != n {
			return fmt.Errorf("axis %d has %d and %d CPML coefficients for %d cells", k, len(d.A[k]), len(d.B[k]), n)
		}
	}
	if d.Potential != nil && len(d.Potential) != d.Cells() {
		return fmt.Errorf("the potential has %d cells, the grid %v %d", len(d.Potential), d.Shape, d.Cells())
	}
	if d.Along != nil && (axes != 2 || len(d.Along) != d.Shape[0]) {
		return fmt.Errorf("%d factors of the differences along x are for as many rows in 2D, not for the grid %v", len(d.Along), d.Shape)
	}
	if d.D2Along != nil {
		if d.Along == nil || len(d.D2Along) != (d.Shape[0]+RowBlock-1)/RowBlock {
			return fmt.Errorf("%d sets of weights along x do not go with %d rows of uneven depth", len(d.D2Along), len(d.Along))
		}
		for _, w := range d.D2Along {
			if err := d.checkSecond(w); err != nil {
				return err
			}
		}
	}
	if d.FreeSurface && d.Shape[0] <= d.Order/2 {
		return fmt.Errorf("%d rows are too few for a free surface at order %d", d.Shape[0], d.Order)
	}
	return nil
}

func (d *Domain) checkSecond(weights []float64) error {
	if len(weights) != d.Order/2+1 {
		return fmt.Errorf("order %d in space has %d weights of the second difference, not %d", d.Order, d.Order/2+1, len(weights))
	}
	if rest := symbol(weights, 0); !(math.Abs(rest) <= 1e-12*math.Abs(weights[0])) {
		return fmt.Errorf("the weights %v of the second difference make %g of a constant, not zero", weights, -rest)
	}
	return nil
}

// RowBlock is the number of rows that share weights along x.
const RowBlock = 8

// Run is the number of neighbouring cells of a row that a point acts on with one run of weights.
const Run = 8

// Points are sources or receivers. Point p acts on the runs Begin[p] … Begin[p+1]-1; run k on the cells Cell[k] …
// Cell[k]+Run-1 (numbered as the elements of an array of the domain's shape) with Weight[Run·k:Run·(k+1)]. Weights beyond the end of a row are zero.
type Points[T Real] struct {
	Begin  []int32 // one more than there are points
	Cell   []int32
	Weight []T
}

// Count returns the number of points.
func (p *Points[T]) Count() int {
	if len(p.Begin) == 0 {
		return 0
	}
	return len(p.Begin) - 1
}

func (p *Points[T]) validate(what string, d *Domain) error {
	if len(p.Cell)*Run != len(p.Weight) {
		return fmt.Errorf("%s: %d runs and %d weights", what, len(p.Cell), len(p.Weight))
	}
	for i := 0; i < p.Count(); i++ {
		if p.Begin[i] < 0 || p.Begin[i] > p.Begin[i+1] || int(p.Begin[i+1]) > len(p.Cell) {
			return fmt.Errorf("%s %d: its runs %d to %d are not among the %d", what, i, p.Begin[i], p.Begin[i+1], len(p.Cell))
		}
	}
	for k, c := range p.Cell {
		if c < 0 || int(c) >= d.Cells() {
			return fmt.Errorf("%s touches cell %d of %d", what, c, d.Cells())
		}
		for r := d.NX() - int(c)%d.NX(); r < Run; r++ {
			if p.Weight[Run*k+r] != 0 {
				return fmt.Errorf("%s touches a cell beyond the %d of its row", what, d.NX())
			}
		}
	}
	return nil
}

// Shot is what one shot injects and records.
type Shot[T Real] struct {
	NT                 int
	Sources, Receivers Points[T]
	// Wavelet is [source, NT], or [NT] if all sources share it: f of acoustic.h, already divided by the cell's area.
	Wavelet []T
	// Record is [NT, receiver]: written by Forward (u[n] at step n), read by Adjoint as the adjoint source.
	Record []T
	// Strips of the field that Forward saves or restores, nil: none.
	Strips *Strips[T]
	// Until is the last step of Forward that matters in each row, nil: all matter everywhere. Solvers that make use of it leave later fields there out of
	// snapshots, and once this is so in the rows around as they are.
	Until []int32
}

// ValidatePoints returns an error for sources or receivers outside a domain.
func (s *Shot[T]) ValidatePoints(d *Domain) error {
	if err := s.Sources.validate("source", d); err != nil {
		return err
	}
	return s.Receivers.validate("receiver", d)
}

// Strips are runs of neighbouring cells in rows of the grid. Before each step n, Forward saves u[n] there in Values, [NT, cells]; or, with
// Restore, overwrites u[n] with the values saved at step NT-1-n: so runs a solver that steps backward in time (Solver.TurnBack).
type Strips[T Real] struct {
	Cell, Length []int32 // of each run
	Restore      bool
	Values       []T
}

// Cells returns the number of cells in all runs.
func (s *Strips[T]) Cells() int {
	n := 0
	for _, l := range s.Length {
		n += int(l)
	}
	return n
}

func (s *Strips[T]) validate(d *Domain, nt int) error {
	if s == nil {
		return nil
	}
	if len(s.Cell) != len(s.Length) || len(s.Values) != nt*s.Cells() {
		return fmt.Errorf("%d runs of %d lengths with %d cells and %d steps do not fit %d values", len(s.Cell), len(s.Length), s.Cells(), nt, len(s.Values))
	}
	for i, c := range s.Cell {
		if c < 0 || s.Length[i] < 0 || int(c) >= d.Cells() || int(c)%d.NX()+int(s.Length[i]) > d.NX() {
			return fmt.Errorf("%d cells from cell %d on are not in a row of the grid %v", s.Length[i], c, d.Shape)
		}
	}
	return nil
}

// Snapshots hold w + f of acoustic.h at the steps n with n % Every == Phase, First ≤ n. A slot is Slot elements long, as
// the solver's SnapshotSize says, rows padded as the solver likes.
type Snapshots[T Real] struct {
	Every, Phase int
	First        int // step of the first slot, divided by Every
	Data         []T
}

// Imaging accumulates the result of an adjoint run, in a snapshot's layout.
type Imaging[T Real] struct {
	Gradient     []T // Σ η (w + f) over the snapshots
	Illumination []T // Σ (w + f)² over the snapshots, nil: not wanted
	Wavelet      []T // [NT, source]: η at the sources, nil: not wanted
}

// Solver steps one shot's fields. It is not safe for concurrent use; different solvers are independent.
type Solver[T Real] interface {
	// SetModel sets M = v² dt², an array of the domain's shape.
	SetModel(m []T)
	// Reset clears all fields, for the first forward step or the last adjoint step.
	Reset()
	// Forward advances from step n0 to step n1, saving snapshots unless snap is nil.
	Forward(shot *Shot[T], n0, n1 int, snap *Snapshots[T]) error
	// Adjoint goes back through the steps n1-1 … n0 and images with the snapshots.
	Adjoint(shot *Shot[T], n0, n1 int, snap *Snapshots[T], image *Imaging[T]) error
	// Scatter advances the scattered field of the Born approximation, driven by δM (w + f), δM in a snapshot's layout and
	// snapshots of every step.
	Scatter(shot *Shot[T], n0, n1 int, snap *Snapshots[T], deltaM []T) error
	// TurnBack takes over the last two fields, exchanged, of a solver whose grid holds this one's from cell `origin` on: Forward then
	// steps back in time wherever there is no CPML, u[n-1] = 2 u[n] - u[n+1] + M (w[n] + f[n]).
	TurnBack(from Solver[T], origin []int) error
	// SaveState copies what steps depend on, the model apart, to StateSize bytes; LoadState takes it over from a solver of the
	// same domain and options. Forward goes on from there to the bit.
	StateSize() int
	SaveState(dst []byte)
	LoadState(src []byte)
	// Narrow rounds the cells of a snapshot to bfloat16, [rows, SnapshotRow], Widen puts them back. Both leave out those that the ranges
	// behind a snapshot's cells exclude; these must stand in the snapshot that Widen completes.
	Narrow(dst []uint16, snapshot []T)
	Widen(snapshot []T, src []uint16)
	// SnapshotRow is the number of elements from row to row in a snapshot; what follows the rows of cells says which the wave had reached.
	SnapshotRow() int
	// SnapshotSize is the number of elements of a snapshot, Pack and Unpack convert an array of the domain's shape from and to its layout. They read nothing that steps change: another goroutine may call them meanwhile.
	SnapshotSize() int
	Pack(dst, cells []T)
	Unpack(cells, src []T)
	// Bytes is the memory that the solver holds.
	Bytes() int
	Close()
}

func (d *Domain) check(nt, n0, n1, sources, receivers, wavelet, record int) error {
	if n0 < 0 || n1 < n0 || n1 > nt {
		return fmt.Errorf("steps %d to %d are not within 0 to %d", n0, n1, nt)
	}
	if wavelet != nt && wavelet != nt*sources {
		return fmt.Errorf("the wavelet has %d samples for %d steps and %d sources", wavelet, nt, sources)
	}
	if record != nt*receivers {
		return fmt.Errorf("the record has %d samples for %d steps and %d receivers", record, nt, receivers)
	}
	return nil
}

func checkShot[T Real](d *Domain, shot *Shot[T], n0, n1 int) error {
	if err := shot.ValidatePoints(d); err != nil {
		return err
	}
	if err := shot.Strips.validate(d, shot.NT); err != nil {
		return err
	}
	if shot.Until != nil && len(shot.Until) != d.Shape[0] {
		return fmt.Errorf("a shot has last steps for %d rows of %d", len(shot.Until), d.Shape[0])
	}
	return d.check(shot.NT, n0, n1, shot.Sources.Count(), shot.Receivers.Count(), len(shot.Wavelet), len(shot.Record))
}

func checkSnapshots[T Real](snap *Snapshots[T], n0, n1, size int) error {
	if snap == nil {
		return nil
	}
	if snap.Every < 1 || snap.Phase < 0 || snap.Phase >= snap.Every {
		return fmt.Errorf("snapshots every %d steps with phase %d make no sense", snap.Every, snap.Phase)
	}
	first := (n0+snap.Every-1-snap.Phase)/snap.Every*snap.Every + snap.Phase
	last := (n1-1-snap.Phase)/snap.Every*snap.Every + snap.Phase
	if n1-1 < snap.Phase || first > last {
		return nil
	}
	if first/snap.Every < snap.First || (last/snap.Every-snap.First+1)*size > len(snap.Data) {
		return fmt.Errorf("snapshots of steps %d to %d do not fit into %d slots from slot %d", first, last, len(snap.Data)/size, snap.First)
	}
	return nil
}
