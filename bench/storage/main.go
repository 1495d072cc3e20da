// Command storage measures the storage strategies of the forward field on one 2D and one 3D problem:
//
//	go run ./bench/storage         what a gradient takes in memory, against the plan's estimate
//	go run ./bench/storage -time   what a gradient costs, in forward runs
//
// The peak of memory is that of a child process (VmHWM), less what the process held before it made the propagator. Times are processor times
// of the process on one thread, the medians of alternating runs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gofwi/wave"
)

func main() {
	timing := flag.Bool("time", false, "measure time instead of memory")
	rounds := flag.Int("rounds", 3, "alternating runs of each strategy that are timed")
	axes := flag.Int("axes", 0, "measure the 2D or the 3D problem only")
	child := flag.String("child", "", "strategy to measure in this process")
	flag.Parse()
	if err := run(*timing, *rounds, *axes, *child); err != nil {
		fmt.Fprintln(os.Stderr, "storage:", err)
		os.Exit(1)
	}
}

func run(timing bool, rounds, axes int, child string) error {
	if child != "" {
		return peak(axes, wave.Storage(child))
	}
	measure := table
	if timing {
		measure = func(axes int) error { return times(axes, rounds) }
	}
	for a := 2; a <= 3; a++ {
		if axes == 0 || axes == a {
			if err := measure(a); err != nil {
				return err
			}
		}
	}
	return nil
}

// problem is a model and two shots over it, in 2D as large as a section in an inversion.
type problem struct {
	grid   wave.Grid
	survey *wave.Survey
	vp     []float32
}

func newProblem(axes int) problem {
	p := problem{grid: wave.NewGrid2D(200, 500, 10, 10)}
	nt, receivers := 1000, wave.Line(300, 20, 0, 4990)
	sources := []wave.Position{{20, 1500}, {20, 3500}}
	if axes == 3 {
		p.grid = wave.NewGrid3D(72, 80, 88, 10, 10, 10)
		nt, receivers = 300, wave.Patch(12, 12, 20, 0, 790, 0, 870)
		sources = []wave.Position{{20, 300, 300}, {20, 500, 600}}
	}
	dt := 1.6e-3
	p.survey = wave.FixedSpread(sources, receivers, wave.Ricker(12, dt, nt, 0.1), dt)
	p.vp = make([]float32, p.grid.Cells())
	for i := range p.vp {
		p.vp[i] = float32(1600 + 2000*float64(i)/float64(len(p.vp)))
	}
	return p
}

var strategies = []wave.Storage{wave.EveryStep, wave.EveryKth, wave.SixteenBit, wave.Disk, wave.Boundary, wave.Revolve}

// revolveShare is the memory that Revolve is allowed, as a fraction of what EveryKth takes.
const revolveShare = 0.5

func (p problem) propagator(s wave.Storage) (*wave.Propagator, error) {
	o := wave.Options{MaxVelocity: 4000, Storage: s, Threads: 1, MemoryLimit: 1 << 50}
	if s == wave.Revolve {
		o.Storage = wave.EveryKth
		q, err := wave.NewPropagator(p.grid, p.survey, o)
		if err != nil {
			return nil, err
		}
		plan := q.Plan()
		q.Close()
		o.Storage, o.MemoryLimit = s, int(revolveShare*float64(plan.Bytes))
	}
	return wave.NewPropagator(p.grid, p.survey, o)
}

func misfit(_ int, synthetic, adjoint []float32) (float64, error) {
	copy(adjoint, synthetic)
	return 0, nil
}

// peak prints the plan's bytes and the peak of this process.
func peak(axes int, s wave.Storage) error {
	p := newProblem(axes)
	runtime.GC()
	before, err := status("VmRSS:")
	if err != nil {
		return err
	}
	q, err := p.propagator(s)
	if err != nil {
		return err
	}
	defer q.Close()
	for range 2 { // the second call must find what the first allocated
		if _, err := q.Gradient(context.Background(), p.vp, p.survey.AllShots(), misfit); err != nil {
			return err
		}
	}
	highest, err := status("VmHWM:")
	if err != nil {
		return err
	}
	plan := q.Plan()
	fmt.Println(plan.Bytes, highest-before, plan.StorageLine())
	return nil
}

// status returns a figure of /proc/self/status in bytes.
func status(name string) (int, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			kib, err := strconv.Atoi(fields[1])
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no %s", name)
}

func table(axes int) error {
	fmt.Printf("\n%v\n\n| strategy | planned, MiB | measured, MiB | planned / measured |\n|---|---|---|---|\n", newProblem(axes).grid)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, s := range strategies {
		out, err := exec.Command(self, "-axes", strconv.Itoa(axes), "-child", string(s)).Output()
		if err != nil {
			var failed *exec.ExitError
			if errors.As(err, &failed) {
				err = fmt.Errorf("%w: %s", err, failed.Stderr)
			}
			return err
		}
		var planned, measured float64
		if _, err := fmt.Sscan(string(out), &planned, &measured); err != nil {
			return err
		}
		line := strings.TrimSpace(string(out))
		line = line[strings.Index(line, string(s)):]
		fmt.Printf("| %s | %.1f | %.1f | %.3f |\n", line, planned/(1<<20), measured/(1<<20), planned/measured)
	}
	return nil
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// times prints what a gradient costs with each strategy, in forward runs.
func times(axes, rounds int) error {
	p := newProblem(axes)
	runtime.GOMAXPROCS(1)
	ctx := context.Background()
	propagators := make([]*wave.Propagator, len(strategies))
	for i, s := range strategies {
		var err error
		if propagators[i], err = p.propagator(s); err != nil {
			return err
		}
		defer propagators[i].Close()
	}
	timed := func(f func() error) (float64, float64, error) {
		wall, begun := time.Now(), processorTime()
		err := f()
		return (processorTime() - begun).Seconds(), time.Since(wall).Seconds(), err
	}
	shots := []int{0}
	ratios, elapsed := make([][]float64, len(strategies)), make([][]float64, len(strategies))
	for round := range rounds + 1 {
		for i, q := range propagators {
			forward, _, err := timed(func() error { _, err := q.Forward(ctx, p.vp, shots); return err })
			if err != nil {
				return err
			}
			gradient, wall, err := timed(func() error { _, err := q.Gradient(ctx, p.vp, shots, misfit); return err })
			if err != nil {
				return err
			}
			if round > 0 { // the first allocates
				ratios[i], elapsed[i] = append(ratios[i], gradient/forward), append(elapsed[i], wall/gradient)
			}
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("\n%v, medians of %d runs, load %s\n\n| strategy | gradient, forward runs | least | most | time on the wall / processor time |\n|---|---|---|---|---|\n", p.grid, rounds, strings.Fields(string(load))[0])
	for i, q := range propagators {
		plan := q.Plan()
		fmt.Printf("| %s | %.2f | %.2f | %.2f | %.2f |\n", plan.StorageLine(), median(ratios[i]), slices.Min(ratios[i]), slices.Max(ratios[i]), median(elapsed[i]))
	}
	return nil
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}
