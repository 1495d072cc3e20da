package fwi

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gofwi/internal/h5"
	"gofwi/wave"
)

// Verdict of a check.
type Verdict int

// Verdicts.
const (
	Fine Verdict = iota
	Warning
	Failure
)

// Finding is one line of a check's report.
type Finding struct {
	Verdict Verdict
	Text    string
}

// Check looks at a prepared problem: dispersion, cycle skipping and memory of each stage, and an adjoint and a Taylor test of the
// propagator on the problem's own start model, survey and band, in float64.
func Check(ctx context.Context, p *Problem, c Config) ([]Finding, error) {
	var out []Finding
	add := func(v Verdict, format string, args ...any) {
		out = append(out, Finding{v, fmt.Sprintf(format, args...)})
	}
	plans, err := PlanStages(p, c)
	if err != nil {
		return nil, err
	}
	for i, s := range plans {
		v := Fine
		if s.TooCoarse {
			v = Warning
		}
		add(v, "stage %d, dispersion: %.1f points per wavelength at %.1f Hz, phase velocity off by %+.2f %%", i+1, s.PointsPerWavelength, s.Stage.MaxFrequency, 100*s.PhaseError)
	}
	limit, need := wave.AvailableMemory(), 0
	for _, s := range plans {
		need = max(need, s.Plan.Bytes)
	}
	v := Fine
	if limit > 0 && need > limit/2 {
		v = Warning
	}
	add(v, "memory: the largest stage needs %.0f MiB, the system has %.0f MiB available", float64(need)/(1<<20), float64(limit)/(1<<20))

	l, err := newLevel(ctx, p, c, c.Stages[0], c.during(c.Stages[0], p.Start))
	if err != nil {
		return nil, err
	}
	defer l.propagator.Close()
	share, err := l.cycleSkipping(ctx, c, p)
	if err != nil {
		return nil, err
	}
	v = Fine
	if share > 0.25 {
		v = Warning
	}
	add(v, "cycle skipping: in the first stage, up to %.1f Hz, %.0f %% of the traces' energy is predicted with more than half a period of error", c.Stages[0].MaxFrequency, 100*share)

	dot, slope, err := l.proveOperators(ctx, c, p)
	if err != nil {
		return nil, err
	}
	v = Fine
	if !(dot <= 1e-11) {
		v = Failure
	}
	add(v, "adjoint: Born and its adjoint agree in a dot product to %.1e (float64; at most 1e-11)", dot)
	v = Fine
	if math.Abs(slope-2) > 0.1 {
		v = Failure
	}
	add(v, "gradient: the remainder of the Taylor expansion falls with order %.3f (2 ± 0.1)", slope)
	return out, nil
}

// cycleSkipping returns the share of the observed energy in traces whose best time shift against the start model's is more than half a
// period of the stage's middle frequency.
func (l *level) cycleSkipping(ctx context.Context, c Config, p *Problem) (float64, error) {
	x := l.restrict(c, p.Start)
	shots := l.survey.AllShots()
	if len(shots) > 8 { // a sample will do
		step := len(shots) / 8
		for i := range 8 {
			shots[i] = i * step
		}
		shots = shots[:8]
	}
	gathers, err := l.propagator.Forward(ctx, x, shots)
	if err != nil {
		return 0, err
	}
	low, _, err := surveyBand(l.survey)
	if err != nil {
		return 0, err
	}
	period := 2 / (low + l.stage.MaxFrequency)
	half := int(period / 2 / l.survey.DT)
	reach := 3 * half
	nt := l.survey.NT
	var skipped, all float64
	for i, g := range gathers {
		for r := range len(g) / nt {
			s, d := g[r*nt:(r+1)*nt], l.observed[shots[i]][r*nt:(r+1)*nt]
			var energy float64
			for _, v := range d {
				energy += float64(v) * float64(v)
			}
			best, at := math.Inf(-1), 0
			for lag := -reach; lag <= reach; lag++ {
				var sum float64
				for t := max(0, -lag); t < min(nt, nt-lag); t++ {
					sum += float64(s[t]) * float64(d[t+lag])
				}
				if sum > best {
					best, at = sum, lag
				}
			}
			all += energy
			if at > half || at < -half {
				skipped += energy
			}
		}
	}
	if all == 0 {
		return 0, nil
	}
	return skipped / all, nil
}

// proveOperators returns the relative difference of the two sides of Born's dot product, and the order with which the Taylor remainder of a least-squares
// misfit falls, for one shot of the stage in float64 with every step stored.
func (l *level) proveOperators(ctx context.Context, c Config, p *Problem) (dot, slope float64, err error) {
	o := l.options
	o.Storage, o.DT = wave.EveryStep, l.survey.DT
	shot := len(l.survey.Shots) / 2
	one := *l.survey
	one.Shots = one.Shots[shot : shot+1]
	propagator, err := wave.NewPropagatorOf[float64](l.grid, &one, o)
	if err != nil {
		return 0, 0, fmt.Errorf("adjoint and Taylor tests: %w", err)
	}
	defer propagator.Close()
	start := l.restrict(c, p.Start)
	vp, dv := make([]float64, len(start)), make([]float64, len(start))
	rng := rand.New(rand.NewPCG(c.Seed, 1))
	for i, v := range start {
		vp[i] = float64(v)
		if l.mask[i] > 0 {
			// half a percent, smooth enough to change arrivals and not only to scatter
			var phase float64
			for d, k := range l.grid.Index(i) {
				phase += float64(k) / float64(7+2*d)
			}
			dv[i] = 0.005 * vp[i] * (0.5 + 0.5*math.Sin(phase) + 0.2*rng.NormFloat64())
			dv[i] = min(dv[i], (float64(l.upper[i])-vp[i])/2)
		}
	}
	born, err := propagator.Born(ctx, vp, dv, []int{0})
	if err != nil {
		return 0, 0, err
	}
	r := make([]float64, len(born[0]))
	for i := range r {
		r[i] = rng.NormFloat64()
	}
	back, err := propagator.BornAdjoint(ctx, vp, [][]float64{r}, []int{0})
	if err != nil {
		return 0, 0, err
	}
	inner := func(a, b []float64) float64 {
		var sum float64
		for i := range a {
			sum += a[i] * b[i]
		}
		return sum
	}
	left, right := inner(born[0], r), inner(dv, back)
	dot = math.Abs(left-right) / max(math.Abs(left), math.Abs(right))

	observed := l.observed[shot]
	misfit := func(_ int, synthetic, adjoint []float64) (float64, error) {
		var sum float64
		for i, v := range synthetic {
			adjoint[i] = v - float64(observed[i])
			sum += adjoint[i] * adjoint[i] / 2
		}
		return sum, nil
	}
	g, err := propagator.Gradient(ctx, vp, []int{0}, misfit)
	if err != nil {
		return 0, 0, err
	}
	var remainder [2]float64
	for k, h := range []float64{0.1, 0.05} {
		moved := make([]float64, len(vp))
		for i := range vp {
			moved[i] = vp[i] + h*dv[i]
		}
		d, err := propagator.Forward(ctx, moved, []int{0})
		if err != nil {
			return 0, 0, err
		}
		j, _ := misfit(0, d[0], make([]float64, len(d[0])))
		remainder[k] = math.Abs(j - g.Misfit - h*inner(g.VP, dv))
	}
	return dot, math.Log2(remainder[0] / remainder[1]), nil
}

// WriteGradient writes a gradient and the illumination, on the user's grid, to an HDF5 file.
func WriteGradient(path string, p *Problem, misfit float64, gradient, illumination []float32) error {
	f, err := h5.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, e := range []error{writeModel(f, "/gradient", p.Grid, gradient), writeModel(f, "/illumination", p.Grid, illumination),
		writeModel(f, "/vp", p.Grid, p.Start), f.SetAttr("/gradient", "misfit", misfit)} {
		if e != nil {
			return e
		}
	}
	return f.Commit()
}
