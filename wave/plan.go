package wave

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"gofwi/kernels"
)

// Plan is what a propagator will do, known before it does it.
type Plan struct {
	Equation         string  // of the table of equations
	SolverShape      []int   // grid with absorbing layers, [nz, nx] or [nz, ny, nx]
	Rows             int     // of the solver within the model's grid: fewer than its own with Options.RowSlowest; in 3D planes
	DT               float64 // solver time step, s
	Steps            int     // solver steps of a shot
	StabilityLimit   float64 // largest stable time step at MaxVelocity, s
	MaxVelocity      float64 // m/s
	MaxFrequency     float64 // of the wavelets, Hz
	Order            int
	Storage          Storage // what was chosen, never AutoStorage
	SnapshotInterval int     // steps between snapshots
	Snapshots        int     // of a shot
	Checkpoints      int     // Revolve's
	Recomputed       float64 // of a gradient, in forward runs
	Workers          int     // shots at a time
	ThreadsPerShot   int
	Backend          string   // CPU or CUDA
	BackendNote      string   // why Auto took no GPU; "" otherwise
	Devices          []string // GPUs
	Batch            int      // shots that a GPU steps at a time
	HostBytes        int      // pinned memory of the machine: Host's

	Memory             []MemoryItem // what a gradient takes, part by part
	BytesPerWorker     int          // of a gradient
	Bytes              int          // of a gradient, all workers and what they share
	DiskBytesPerWorker int          // Disk's
	InstructionSet     string

	piece   int // snapshots that are stepped before they go elsewhere
	segment int // snapshots of a segment between Revolve's checkpoints
}

// segments returns the number of Revolve's segments.
func (p *Plan) segments() int { return (p.Snapshots + p.segment - 1) / p.segment }

// GradientSolves returns the wave solves that a gradient of one shot costs: forward, adjoint, and what is stepped again.
func (p *Plan) GradientSolves() float64 { return 2 + p.Recomputed }

// PointsPerWavelength of the shortest wave in a model whose slowest velocity is vmin (m/s).
func (p *Plan) PointsPerWavelength(g Grid, vmin float64) float64 {
	return vmin / (p.MaxFrequency * g.MaxSpacing())
}

// Points returns the number of cells of the solver.
func (p *Plan) Points() int { return Grid{Shape: p.SolverShape}.Cells() }

// String describes the plan in a few lines.
func (p *Plan) String() string {
	return fmt.Sprintf(`%s equation; solver grid %s cells with absorbing layers, order %d in space, %s kernels
time step %.3f ms (%.0f %% of the limit %.3f ms at %.0f m/s), %d steps a shot
storage %s; %s for gradients (%s), %s`,
		p.Equation, Times("%d", p.SolverShape), p.Order, p.InstructionSet,
		1e3*p.DT, 100*p.DT/p.StabilityLimit, 1e3*p.StabilityLimit, p.MaxVelocity, p.Steps,
		p.StorageLine(), formatBytes(p.Bytes), p.memoryLine(), p.Concurrency())
}

// StorageLine describes how the forward field is kept, as in "every-kth: 100 snapshots a shot, every 8 steps, nothing stepped again".
func (p *Plan) StorageLine() string {
	text := fmt.Sprintf("%s: %d snapshots a shot, every %d steps", p.Storage, p.Snapshots, p.SnapshotInterval)
	switch p.Storage {
	case Boundary:
		text += " in the layers, strips at every step"
	case Revolve:
		text += fmt.Sprintf(", %d of them at a time, %d checkpoints", p.segment, p.Checkpoints)
	case Disk:
		text += fmt.Sprintf(", %s on disk", formatBytes(p.Workers*p.DiskBytesPerWorker))
	}
	if p.Recomputed > 0 {
		return fmt.Sprintf("%s, +%.1f forward", text, p.Recomputed)
	}
	return text + ", nothing stepped again"
}

func (p *Plan) memoryLine() string {
	parts := make([]string, len(p.Memory))
	for i, m := range p.Memory {
		parts[i] = fmt.Sprintf("%s %s", m.Name, formatBytes(m.Bytes))
	}
	return strings.Join(parts, ", ")
}

// Concurrency says how the processors are used.
func (p *Plan) Concurrency() string {
	text := fmt.Sprintf("%d shots at a time", p.Workers)
	if p.Backend == CUDA {
		return text + " on " + strings.Join(p.Devices, ", ")
	}
	if p.ThreadsPerShot > 1 {
		text += fmt.Sprintf(", %d threads each", p.ThreadsPerShot)
	}
	return text
}

func formatBytes(n int) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.0f KiB", math.Ceil(float64(n)/(1<<10)))
}

// AvailableMemory returns the bytes that the system can still give, or 0 where it does not say.
func AvailableMemory() int {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "MemAvailable:" {
			kib, err := strconv.Atoi(fields[1])
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// PhaseError returns the relative error of the numerical phase velocity along a grid axis for waves of the given frequency (Hz)
// and velocity (m/s) with the options' differences, on a spacing h in m with steps of dt seconds: positive is too fast.
func (o Options) PhaseError(h, dt, frequency, velocity float64) (float64, error) {
	d2, err := o.secondDifference()
	if err != nil {
		return 0, err
	}
	return kernels.PhaseVelocityError(d2, velocity/(frequency*h), velocity*dt/h), nil
}
