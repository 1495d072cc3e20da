package wave

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"gofwi/kernels"
)

// Side names a side of the grid.
type Side int

// The sides of a grid: Left and Right end x, Front and Back end y, which only 3D grids have.
const (
	Top Side = iota
	Bottom
	Left
	Right
	Front
	Back
)

var sideNames = [...]string{"top", "bottom", "left", "right", "front", "back"}

// String returns the name of the side in lower case.
func (s Side) String() string {
	if s < 0 || int(s) >= len(sideNames) {
		return fmt.Sprintf("Side(%d)", int(s))
	}
	return sideNames[s]
}

// sidesOf returns the sides at the beginning and the end of each axis of a grid with so many of them.
func sidesOf(axes int) [][2]Side {
	if axes == 3 {
		return [][2]Side{{Top, Bottom}, {Front, Back}, {Left, Right}}
	}
	return [][2]Side{{Top, Bottom}, {Left, Right}}
}

// Storage says how the forward field is kept for the gradient.
type Storage string

// Storage strategies. EveryKth keeps the steps that the Nyquist rate of the band requires: with snapshots every k steps,
// k·dt ≤ 1/(2·MaxFrequency·1.5), the time sum of the imaging condition is as good as exact, since its integrand holds no frequency
// above twice the band's. All others but EveryStep keep the same steps, and differ in where and how.
const (
	AutoStorage Storage = ""            // the fastest of those below that fits, neither EveryStep nor Disk
	EveryStep   Storage = "every-step"  // all steps in memory
	EveryKth    Storage = "every-kth"   // every k-th step in memory
	SixteenBit  Storage = "sixteen-bit" // the same as bfloat16: gradients differ by some 1e-4 from EveryKth's
	Disk        Storage = "disk"        // the same in a temporary file; gradients have the same bits
	Boundary    Storage = "boundary"    // strips at every step, layers every k-th; the interior is stepped backward in time: equal to round-off
	Revolve     Storage = "revolve"     // binomial checkpoints from which the field is stepped again; gradients have the same bits
	Host        Storage = "host"        // of GPUs alone: every k-th step in the machine's memory, copied while the GPU steps on; gradients have the same bits
)

// Backends: what steps the fields.
const (
	CPU  = "cpu"
	CUDA = "cuda" // NVIDIA GPUs, in builds with the tag cuda
	Auto = "auto" // GPUs where there are any that can, otherwise the CPU; Plan.BackendNote says why not
)

// StorageNames returns the strategies' names.
func StorageNames() []string {
	names := make([]string, len(storages))
	for i, s := range storages {
		names[i] = string(s)
	}
	return append(names, string(Host))
}

var storages = []Storage{EveryStep, EveryKth, SixteenBit, Disk, Boundary, Revolve}

// Options of a propagator. The zero value of each field is its default, MaxVelocity apart.
type Options struct {
	// MaxVelocity is the fastest velocity in m/s that any model will have: the solver's time step follows from it. Faster models are
	// refused. Required.
	MaxVelocity float64
	// Equation names an entry of the table of equations, kernels.Equations. "" is kernels.Acoustic.
	Equation string
	// Constants of the equation by name. Those left out have their defaults.
	Constants map[string]float64
	// Density in kg/m³, an array on the grid: fixed, while velocities change from model to model. Nil: constant. CPUs alone, and the acoustic equation, have it.
	Density []float32
	// Order in space: 2, 4, 6 or 8. 0 is 8.
	Order int
	// PointsPerWavelength is the fewest that waves have on the grid, above 2. The second differences in space are made for a band that ends there (kernels.BandWeights): at
	// order 8 three points are then better than four with Taylor's. 0: Taylor's, whose error falls with Order as the grid is refined.
	PointsPerWavelength float64
	// RowSlowest is the slowest velocity in m/s in each of the grid's rows, nil: the grid's rows are the solver's. The grid's spacing is taken for what the slowest of them needs; where
	// all is faster the solver's rows lie further apart in proportion, the uppermost few excepted, and with PointsPerWavelength its differences along x are made for longer
	// waves, so that there are fewer cells and the time step may be longer. Models, sources and receivers stay where they are. 2D, the acoustic equation and CPUs alone have it.
	RowSlowest []float64
	// RowFastest is the fastest velocity in m/s that models will have in each of the grid's rows (in 3D planes), nil: MaxVelocity everywhere. With slow rows
	// where they are close, the time step is longer.
	RowFastest []float64
	// Courant is the solver's time step as a fraction of the stability limit at MaxVelocity. 0 is 0.8, or the survey's step where that is little smaller.
	Courant float64
	// DT fixes the solver's time step in seconds. 0 takes it from Courant.
	DT float64
	// FreeSurface makes the first row of cells (in 3D: the uppermost plane) a free surface (u = 0); otherwise the top absorbs.
	FreeSurface bool
	// Layer is the width in cells of the absorbing layers outside the grid. 0 is 20.
	Layer int
	// LayerFrequency in Hz is where the absorbing layers are at their best for grazing waves; far below it they absorb less. 0 is a third of MaxFrequency.
	LayerFrequency float64
	// Reflecting switches the absorbing layer of a side off: the field is held at zero beyond its last cell.
	Reflecting map[Side]bool
	// MaxFrequency in Hz is the highest that the wavelets hold. 0 is measured: where their spectra fall 40 dB below the peak.
	MaxFrequency float64
	// Storage of the forward field. AutoStorage is the fastest that fits into MemoryLimit.
	Storage Storage
	// ScratchDir is where Disk makes its files. "" is os.TempDir(): in some systems that is memory.
	ScratchDir string
	// SnapshotInterval is the k of all strategies but EveryStep in solver steps. 0 derives it from MaxFrequency.
	SnapshotInterval int
	// MemoryLimit in bytes for all workers together. 0 is three quarters of the memory that the system has available.
	MemoryLimit int
	// Threads is the number of processors to use: for as many shots at a time, and where there are fewer shots or too little memory,
	// for threads inside the shots of a 3D survey. 0 is all.
	Threads int
	// InstructionSet of the CPU kernels: avx512, avx2, baseline. "" is the widest the machine has.
	InstructionSet string
	// WholeGrid steps all cells at every step, whatever Negligible says. Otherwise the kernels leave out those that the wave has not reached, whose values
	// are zero, and the results are the same: gathers to the bit, gradients to round-off. For measurements and tests.
	WholeGrid bool
	// Negligible is an amplitude in units of the loudest that a shot's sources inject, for the adjoint field its receivers. CPU kernels in float32 then do not step what runs
	// ahead of the wave below it, nor in 2D rows from which nothing comes to a receiver any more: gathers and gradients change by less than float32 rounds them, Gradient.Illumination lacks what no receiver hears, and Gradient.Wavelets is nil. 0: nothing is.
	Negligible float64
	// Backend is CPU, CUDA or Auto. "" is CPU. On GPUs the forward field is kept in their memory; EveryKth, SixteenBit, Host,
	// Boundary and Revolve are AutoStorage's choices there, and Disk is none.
	Backend string
	// DeviceMemoryLimit in bytes is what a GPU may use. 0 is nine tenths of what it has free.
	DeviceMemoryLimit int
	// Reference steps with the plain float64 implementation of the kernels, a hundred times slower. Only for PropagatorOf[float64].
	Reference bool
}

func (o Options) withDefaults() (Options, error) {
	if !(o.MaxVelocity > 0) || math.IsInf(o.MaxVelocity, 0) {
		return o, fmt.Errorf("Options.MaxVelocity is %g m/s: set the fastest velocity that models may have", o.MaxVelocity)
	}
	if o.Order == 0 {
		o.Order = 8
	}
	if err := kernels.CheckOrder(o.Order); err != nil {
		return o, err
	}
	if !(o.Courant >= 0 && o.Courant < 1) {
		return o, fmt.Errorf("Options.Courant is %g: it is a fraction of the stability limit, between 0 and 1", o.Courant)
	}
	if o.Layer == 0 {
		o.Layer = 20
	}
	switch {
	case o.Layer < 0:
		return o, fmt.Errorf("an absorbing layer of %d cells is impossible", o.Layer)
	case !(o.Negligible >= 0 && o.Negligible < 1):
		return o, fmt.Errorf("Options.Negligible is %g: it is a fraction of what is injected, between 0 and 1", o.Negligible)
	case o.SnapshotInterval < 0 || o.Threads < 0 || o.MemoryLimit < 0 || o.DeviceMemoryLimit < 0 || o.DT < 0 || o.MaxFrequency < 0 || o.LayerFrequency < 0:
		return o, fmt.Errorf("negative options: snapshot interval %d, threads %d, memory %d bytes, dt %g s, frequency %g Hz",
			o.SnapshotInterval, o.Threads, o.MemoryLimit, o.DT, o.MaxFrequency)
	}
	if o.Backend == "" {
		o.Backend = CPU
	}
	if !slices.Contains([]string{CPU, CUDA, Auto}, o.Backend) {
		return o, fmt.Errorf("backend %q is not available: choose %s, %s or %s", o.Backend, CPU, CUDA, Auto)
	}
	if o.Storage == Host && o.Backend == CPU {
		return o, fmt.Errorf("storage %q is for GPUs: their memory is not the machine's", Host)
	}
	if o.Storage != AutoStorage && o.Storage != Host && !slices.Contains(storages, o.Storage) {
		return o, fmt.Errorf("storage %q is not available: choose one of %s, or none for the fastest that fits", o.Storage, strings.Join(StorageNames(), ", "))
	}
	return o, nil
}

// secondDifference returns the weights of D2 for unit spacing.
func (o Options) secondDifference() ([]float64, error) {
	if o.PointsPerWavelength != 0 {
		return kernels.BandWeights(o.Order, o.PointsPerWavelength)
	}
	_, d2 := kernels.Weights(o.Order)
	return d2, nil
}

func (o *Options) scratchDir() string {
	if o.ScratchDir == "" {
		return os.TempDir()
	}
	return o.ScratchDir
}
