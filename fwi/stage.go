package fwi

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gofwi/internal/parallel"
	"gofwi/wave"
)

// level is one stage's problem on the stage's own grid: band-limited data and wavelets at the solver's sampling interval, so that no
// trace is resampled during the inversion.
type level struct {
	stage      Stage
	grid       wave.Grid
	regrid     *wave.Regrid
	survey     *wave.Survey
	observed   [][]float32 // gathers at the stage's sampling
	weights    [][]float32 // per receiver: 0 outside the offset window
	gain       []float32   // per sample, for both sides of the misfit
	balance    [][]float32 // the same by shot, [receivers, samples]; nil: ones
	unbalanced float64     // scale of the misfit without the balance
	picks      [][]float64 // first arrival of each trace in s; nil: no damping
	references [][]float64 // from which each trace's window counts, in s; nil: no window
	mask       []float32
	base       []float32 // the model that the stage began with, restricted, and
	of         *float32  // the first cell of that model on the user's grid, which does not change: all iterates are changes to it
	upper      []float32 // bound of each cell, m/s
	propagator *wave.Propagator
	options    wave.Options // of the propagator
	separate   *separate    // the shots behind encoded ones; nil: they are not encoded
	misfit     Misfit
	wavelets   [][][]float32 // of each shot, the problem's: the survey's own may have been estimated from them
	// waveletLength in s bounds the filters of estimated wavelets; 0: as long as the record.
	waveletLength float64
	scale         float64 // 1/energy of the observed data for misfits in units of the data, else (registered ones too) 1/live traces
}

// band is the pass band of a stage: nothing above MaxFrequency, nothing lost below three quarters of it.
func (s Stage) band() Band {
	b := Band{High: 0.875 * s.MaxFrequency, Flank: 0.125 / 0.875}
	if s.MinFrequency > 0 {
		b.Low = s.MinFrequency
	}
	return b
}

// autoStorage leaves the storage of the forward field to the planner.
const autoStorage = "auto"

func (c Config) storage() wave.Storage {
	if c.Storage == autoStorage {
		return wave.AutoStorage
	}
	return wave.Storage(c.Storage)
}

// differencePoints bounds the points per wavelength that second differences are made for: below, the grid is too coarse for any; above, they are exact to round-off.
var differencePoints = [2]float64{2.5, 8}

// stageCourant is the time step of stages in units of the largest stable one: its dispersion is in the stage's data (converter), so it may be as long as is stable.
const stageCourant = 0.99

// negligible is wave.Options.Negligible of stages: float32 itself rounds more than sixty times as much.
const negligible = 1e-9

// stageOptions returns the propagator's options for a stage on its grid.
func stageOptions(p *Problem, c Config, s Stage, g wave.Grid) wave.Options {
	o := wave.Options{MaxVelocity: c.MaxVelocity, Courant: stageCourant, Negligible: negligible, Order: c.Order, FreeSurface: c.FreeSurface, Layer: c.Layer, MaxFrequency: s.MaxFrequency,
		Density: p.densityOn(g), Backend: c.Backend, Storage: c.storage(), ScratchDir: c.ScratchDir, Threads: c.Threads, MemoryLimit: c.MemoryLimit}
	if o.Density == nil { // a density that jumps between cells asks for weights of small negative terms (kernels.Potential): Taylor's
		points := c.slowest(p) / (s.MaxFrequency * g.MaxSpacing())
		o.PointsPerWavelength = min(max(points, differencePoints[0]), differencePoints[1])
	}
	return o
}

// newLevel filters, resamples and thins the data of a problem for one stage and the given models, as planStage takes them.
func newLevel(ctx context.Context, p *Problem, c Config, s Stage, models models) (*level, error) {
	_, high, err := surveyBand(p.Survey)
	if err != nil {
		return nil, err
	}
	top := min(s.MaxFrequency, high)
	l := &level{stage: s, waveletLength: c.WaveletLength, grid: c.stageGrid(p, top, c.slowest(p))}
	l.regrid = wave.NewRegrid(p.Grid, l.grid)
	o, plan, err := planStage(p, c, s, l.grid, top, models)
	if err != nil {
		return nil, err
	}
	dt := plan.DT
	l.upper = upperBounds(&o, l.grid)
	wavelength := c.slowest(p) / top
	nt := int(math.Floor(p.Survey.Duration()/dt+1e-6)) + 1
	band := s.band()
	if err := band.validate(); err != nil {
		return nil, err
	}
	convert := newConverter(p.Survey.NT, p.Survey.DT, nt, dt, s.MaxFrequency, func(f float64) float64 { return toScheme(f, dt) },
		func(f float64) float64 { return band.Amplitude(toScheme(f, dt)) }, true)
	l.survey = &wave.Survey{DT: dt, NT: nt, Shots: make([]wave.Shot, len(p.Survey.Shots))}
	l.observed = make([][]float32, len(p.Survey.Shots))
	l.weights = make([][]float32, len(p.Survey.Shots))
	kept := map[*wave.Position][]int{} // of the receivers that shots share
	thinned := map[*wave.Position][]wave.Position{}
	wavelets := map[*float32][]float32{}
	for i := range p.Survey.Shots {
		from, to := &p.Survey.Shots[i], &l.survey.Shots[i]
		to.Sources = from.Sources
		for _, w := range from.Wavelets {
			if wavelets[&w[0]] == nil {
				wavelets[&w[0]] = convert.apply(w)
			}
			to.Wavelets = append(to.Wavelets, wavelets[&w[0]])
		}
		l.wavelets = append(l.wavelets, to.Wavelets)
		key := &from.Receivers[0]
		if kept[key] == nil {
			kept[key] = keptReceivers(from.Receivers, wavelength)
			for _, r := range kept[key] {
				thinned[key] = append(thinned[key], from.Receivers[r])
			}
		}
		to.Receivers = thinned[key]
	}
	l.gain = timeGain(c.TimeGain, nt, dt, endTaper/s.MaxFrequency)
	if s.Damping > 0 {
		l.picks = make([][]float64, len(p.Survey.Shots))
	}
	if s.Window.any() {
		l.references = make([][]float64, len(p.Survey.Shots))
	}
	parallel.Ranges(len(p.Survey.Shots), func(first, last int) {
		for i := first; i < last && ctx.Err() == nil; i++ {
			receivers := kept[&p.Survey.Shots[i].Receivers[0]]
			var traces []float32
			for _, r := range receivers {
				traces = append(traces, p.Observed[i][r*p.Survey.NT:(r+1)*p.Survey.NT]...)
			}
			var picks []float64
			if s.Damping > 0 || s.Window.FirstArrival {
				picks = firstArrivals(traces, p.Survey.NT, p.Survey.DT)
			}
			if s.Damping > 0 {
				l.picks[i] = picks
			}
			if s.Window.any() {
				l.references[i] = s.Window.references(&l.survey.Shots[i], picks)
			}
			l.observed[i] = convert.apply(traces)
			l.weights[i] = traceWeights(&l.survey.Shots[i], l.grid, s.MinOffset, s.MaxOffset)
			l.weights[i] = p.weigh(i, receivers, l.weights[i], c.RejectTraces)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if l.misfit, err = NewMisfit(s.Misfit, MisfitOptions{}); err != nil {
		return nil, err
	}
	if l.scale, err = l.normalisation(p.energy()); err != nil {
		return nil, err
	}
	if c.Balance > 0 && s.Misfit == "least-squares" && s.Encoded == 0 {
		l.unbalanced = l.scale
		l.balance = balanceGain(l.observed, l.weights, nt, int(math.Round(1/(s.MaxFrequency*dt))), c.Balance, l.balanceFloor())
		l.scale = 1 / l.energy()
	}
	l.mask = stageMask(l.regrid, p.Mask)
	if allZero(l.mask) {
		return nil, fmt.Errorf("on the stage's grid of %s cells the update mask freezes everything", wave.Times("%d", l.grid.Shape))
	}
	o.DT = dt
	l.options = o
	l.propagator, err = wave.NewPropagator(l.grid, l.survey, o)
	return l, err
}

// slowest returns the velocity that decides the spacing: the slowest of the start, for what the inversion adds below it is small.
func (c Config) slowest(p *Problem) float64 {
	vmin, _, err := wave.CheckVelocity(p.Grid, p.Start)
	if err != nil {
		return c.MinVelocity
	}
	return vmin
}

// Offsets below nearField cells of the stage's grid are left out, with a taper up to twice that: so close to a source, its
// discrete image is not yet that of a point, and there the traces are strongest.
const nearField = 2

// traceWeights returns the weight of each receiver of a shot: a window in offset between minOffset, or the near field, and maxOffset (0: none). It
// is nil where all would be one, or where all receivers stand in the near field.
func traceWeights(shot *wave.Shot, g wave.Grid, minOffset, maxOffset float64) []float32 {
	near := nearField * g.MaxSpacing()
	w := make([]float32, len(shot.Receivers))
	ones, zeros := true, true
	for i, r := range shot.Receivers {
		offset := offset(shot, r)
		v := min(max(offset/near-1, 0), 1)
		if minOffset > 0 {
			v *= min(max((offset-minOffset)/(0.1*minOffset), 0), 1)
		}
		if maxOffset > 0 {
			// a taper of a tenth: an edge in offset would image as one
			v *= min(max((maxOffset-offset)/(0.1*maxOffset), 0), 1)
		}
		w[i] = float32(v)
		ones, zeros = ones && v == 1, zeros && v == 0
	}
	if ones || zeros && minOffset == 0 && maxOffset == 0 {
		return nil
	}
	return w
}

// stageMask freezes a stage's cell unless all it averages may change.
func stageMask(r *wave.Regrid, mask []float32) []float32 {
	out := make([]float32, r.Coarse.Cells())
	r.Restrict(out, mask)
	for i, v := range out {
		// A cell keeps its value only where practically all of it is frozen: one that mixes water and rock would otherwise keep
		// the start's mixture, a misfit that no other cell can explain.
		if v < 0.05 {
			out[i] = 0
		} else {
			out[i] = 1
		}
	}
	return out
}

// minShare is the least share of the data's energy that a stage's band must hold. Ghosts of a free surface leave 3e-6 between 3 and 4.2 Hz of data up to
// 25 Hz; what the wavelet does not hold at all, 30 to 40 Hz on the small section of the tests, is at 2e-7.
const minShare = 1e-6

// normalisation makes misfits comparable between stages: that of a model that predicts nothing is one half, or one for correlation.
// total is the energy of the data in all bands.
func (l *level) normalisation(total float64) (float64, error) {
	switch l.stage.Misfit {
	case "least-squares", "student-t", "envelope":
		energy := l.energy()
		// where there is no signal, records cut off at their end still leave some of the energy
		if share := energy / total; !(share > minShare) {
			return 0, fmt.Errorf("between %g and %g Hz the observed data hold %.1e of their energy, too little to fit", l.stage.MinFrequency, l.stage.MaxFrequency, share)
		}
		return 1 / energy, nil
	}
	var traces float64
	for i, g := range l.observed {
		g = l.gained(i, g)
		for r := range len(g) / l.survey.NT {
			dead := allZero(g[r*l.survey.NT : (r+1)*l.survey.NT])
			if !dead && (l.weights[i] == nil || l.weights[i][r] > 0) {
				traces++
			}
		}
	}
	if traces == 0 {
		return 0, fmt.Errorf("no trace is alive between %g and %g Hz: there is nothing to fit", l.stage.MinFrequency, l.stage.MaxFrequency)
	}
	return 1 / traces, nil
}

// energy returns Σ w d² dt of the observed data as least squares hear them.
func (l *level) energy() float64 {
	var sum float64
	for i, g := range l.observed {
		for k, v := range l.gained(i, g) {
			w := 1.0
			if l.weights[i] != nil {
				w = float64(l.weights[i][k/l.survey.NT])
			}
			sum += w * float64(v) * float64(v)
		}
	}
	return sum * l.survey.DT
}

// withoutBalance returns the level with a misfit of what the records hold.
func (l *level) withoutBalance() *level {
	if l.balance == nil {
		return l
	}
	plain := *l
	plain.balance, plain.scale = nil, l.unbalanced
	return &plain
}

// endTaper is the length in periods of the highest frequency over which traces fade out. Records end while waves still
// arrive, and what the band's filter leaves there lacks what came after: on a generated section that was half of the misfit of the
// true model at 4.2 Hz, all of it at far offsets.
const endTaper = 1

// timeGain returns (t/duration)^power for each sample, so that late arrivals from depth may weigh as much as the
// early ones; times a cosine over the last `fade` seconds.
func timeGain(power float64, nt int, dt, fade float64) []float32 {
	gain := make([]float32, nt)
	duration := float64(nt-1) * dt
	for i := range gain {
		t := float64(i) * dt
		left := min((float64(nt-1)*dt-t)/fade, 1)
		gain[i] = float32(math.Pow(t/duration, power) * 0.5 * (1 - math.Cos(math.Pi*left)))
	}
	return gain
}

// gained returns traces of a shot multiplied by the gain and the damping.
func (l *level) gained(shot int, traces []float32) []float32 {
	out := make([]float32, len(traces))
	for at := 0; at < len(traces); at += len(l.gain) {
		for i, g := range l.gain {
			out[at+i] = traces[at+i] * g
		}
	}
	if l.balance != nil {
		for i, g := range l.balance[shot] {
			out[i] *= g
		}
	}
	if l.picks != nil {
		damp(out, l.picks[shot], l.survey.NT, l.survey.DT, l.stage.Damping)
	}
	if l.references != nil {
		taper := l.stage.Window.Taper
		if taper == 0 {
			taper = 1 / l.stage.MaxFrequency
		}
		l.stage.Window.apply(out, l.references[shot], l.survey.NT, l.survey.DT, taper)
	}
	return out
}

// weigh multiplies the weights of the receivers that a stage keeps of a shot, nil for ones, by those of the problem, and rejects traces far louder or
// weaker than their neighbours if factor is positive.
func (p *Problem) weigh(shot int, kept []int, weights []float32, factor float64) []float32 {
	if p.Weights == nil && factor == 0 {
		return weights
	}
	out := make([]float32, len(kept))
	var reject []bool
	if factor > 0 {
		reject = rejected(p.Observed[shot], p.Survey.NT, factor)
	}
	for i, r := range kept {
		out[i] = 1
		if weights != nil {
			out[i] = weights[i]
		}
		if p.Weights != nil {
			out[i] *= p.Weights[shot][r]
		}
		if reject != nil && reject[r] {
			out[i] = 0
		}
	}
	return out
}

// energy returns Σ d² dt of the observed data.
func (p *Problem) energy() float64 {
	var sum float64
	for _, g := range p.Observed {
		for _, v := range g {
			sum += float64(v) * float64(v)
		}
	}
	return sum * p.Survey.DT
}

// evaluation is an Evaluation with what the preconditioner needs.
type evaluation struct {
	Evaluation
	illumination []float32
}

// evaluate returns misfit and, if wanted, gradient of a model over the given shots, scaled to the whole survey. Errors that end the run come back as
// the error; what only this model is to blame for, in Evaluation.Err.
func (l *level) evaluate(ctx context.Context, vp []float32, shots []int, gradient bool) (evaluation, error) {
	misfit := func(shot int, synthetic, adjoint []float32) (float64, error) {
		return l.compare(l.misfit, shot, len(shots), synthetic, adjoint)
	}
	var e evaluation
	if gradient {
		g, err := l.propagator.Gradient(ctx, vp, shots, misfit)
		if err != nil {
			return e, l.classify(&e, err)
		}
		e.Misfit, e.Gradient, e.illumination = g.Misfit, g.VP, g.Illumination
		for i, m := range l.mask {
			e.Gradient[i] *= m
		}
		return e, nil
	}
	gathers, err := l.propagator.Forward(ctx, vp, shots)
	if err != nil {
		return e, l.classify(&e, err)
	}
	for i, g := range gathers {
		j, err := misfit(shots[i], g, make([]float32, len(g)))
		if err != nil {
			return e, err
		}
		e.Misfit += j
	}
	return e, nil
}

// reach returns Σ 1/r over the receivers, in 3D Σ 1/r², weighted as their traces: the square of what they would hear of each cell in a homogeneous
// medium. Where shots have receivers of their own it is the mean over them.
func (l *level) reach() []float32 {
	weight := map[*wave.Position]float64{} // shots share the memory of the receivers they share
	var receivers []*wave.Position         // in a fixed order
	for i := range l.survey.Shots {
		for k := range l.survey.Shots[i].Receivers {
			at := &l.survey.Shots[i].Receivers[k]
			if _, known := weight[at]; !known {
				receivers = append(receivers, at)
			}
			w := 1.0
			if l.weights[i] != nil {
				w = float64(l.weights[i][k])
			}
			weight[at] += w
		}
	}
	out := make([]float32, l.grid.Cells())
	near := l.grid.MaxSpacing()
	for i := range out {
		var sum float64
		at := make(wave.Position, l.grid.Axes())
		for axis, k := range l.grid.Index(i) {
			at[axis] = l.grid.Start(axis) + float64(k)*l.grid.Spacing[axis]
		}
		for _, r := range receivers {
			spreading := max(wave.Distance(at, *r), near)
			if l.grid.Axes() == 3 {
				spreading *= spreading
			}
			sum += weight[r] / spreading
		}
		out[i] = float32(sum)
	}
	return out
}

// compare returns the misfit of a shot's synthetic gather, or of what stands in its place, and writes the adjoint source, both weighed as one of
// so many shots that stand for the survey.
func (l *level) compare(misfit Misfit, shot, of int, synthetic, adjoint []float32) (float64, error) {
	scale := l.scale * float64(len(l.survey.Shots)) / float64(of)
	receivers := len(l.survey.Shots[shot].Receivers)
	j, err := misfit.Evaluate(adjoint, l.gained(shot, synthetic), l.gained(shot, l.observed[shot]), l.weights[shot], receivers, l.survey.NT, l.survey.DT)
	if err != nil {
		return 0, err
	}
	for i := range adjoint {
		adjoint[i] *= float32(scale)
	}
	copy(adjoint, l.gained(shot, adjoint))
	return j * scale, nil
}

// multiply returns the product of the Gauss-Newton Hessian of evaluate's misfit at vp, over the given shots, with a change of velocity.
func (l *level) multiply(ctx context.Context, vp, dv []float32, shots []int) (Evaluation, error) {
	var e Evaluation
	misfit, err := linearise(l.misfit)
	if err != nil {
		return e, err
	}
	masked := make([]float32, len(dv))
	Multiply(masked, dv, l.mask)
	gathers, err := l.propagator.Born(ctx, vp, masked, shots)
	if err != nil {
		return e, err
	}
	for i, g := range gathers {
		if _, err := l.compare(misfit, shots[i], len(shots), slices.Clone(g), g); err != nil {
			return e, err
		}
	}
	if e.Gradient, err = l.propagator.BornAdjoint(ctx, vp, gathers, shots); err != nil {
		return e, err
	}
	Multiply(e.Gradient, e.Gradient, l.mask)
	return e, nil
}
