package fwi

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
)

// Misfit compares the synthetic gather of one shot with the observed one. Implementations must be safe for concurrent use:
// shots are evaluated in parallel.
type Misfit interface {
	Name() string

	// Evaluate returns the misfit J of one gather, [nrec, nt] sampled every dt seconds, and writes ∂J/∂synthetic, the
	// adjoint source, to adjoint. J approximates an integral over time, so it does not depend on the sampling. weight,
	// [nrec], multiplies the contribution of each trace and nil stands for ones. Observed traces of nothing but
	// zeros are dead: they contribute zero, as do traces of weight zero.
	Evaluate(adjoint, synthetic, observed, weight []float32, nrec, nt int, dt float64) (float64, error)
}

// MisfitOptions are the parameters of the misfits that have some. The zero value is the default of each.
type MisfitOptions struct {
	EnvelopePower  int     // 1 (or zero) compares envelopes, 2 squared envelopes
	StudentDegrees float64 // degrees of freedom ν of Student's t; zero: 2. Fewer resist outliers more
	StudentScale   float64 // scale σ of Student's t in the unit of the data; zero: the RMS of each observed gather
}

var misfits = map[string]func(MisfitOptions) (traceMisfit, error){
	"least-squares":    newLeastSquares,
	"trace-normalised": newTraceNormalised,
	"correlation":      newCorrelation,
	"envelope":         newEnvelope,
	"student-t":        newStudent,
	"adaptive":         newAdaptive,
	"transport":        newTransport,
}

var (
	registeredLock sync.RWMutex
	registered     = map[string]Misfit{}
)

// RegisterMisfit makes a misfit of one's own available under its name, to Config.Misfit and Stage.Misfit as to NewMisfit. A run
// divides its values by the number of live traces. It is meant for init functions, and panics if the name is taken.
func RegisterMisfit(m Misfit) {
	registeredLock.Lock()
	defer registeredLock.Unlock()
	if _, taken := misfits[m.Name()]; taken || registered[m.Name()] != nil {
		panic("fwi: the misfit " + m.Name() + " exists already")
	}
	registered[m.Name()] = m
}

// MisfitNames returns the names that NewMisfit takes, sorted.
func MisfitNames() []string {
	registeredLock.RLock()
	defer registeredLock.RUnlock()
	names := append(sortedNames(misfits), sortedNames(registered)...)
	slices.Sort(names)
	return names
}

func sortedNames[V any](table map[string]V) []string {
	names := make([]string, 0, len(table))
	for name := range table {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// NewMisfit returns the misfit of the given name:
//
//	least-squares     ½ ∫ (s - d)² dt
//	trace-normalised  the same, each trace divided by the energy of its observed trace
//	correlation       1 - ∫ s d dt / (‖s‖ ‖d‖)                 (Choi & Alkhalifah 2012)
//	envelope          ½ ∫ (E[s] - E[d])² dt, E the envelope   (Bozdağ et al. 2011; Wu et al. 2014)
//	adaptive          how far from zero lag the filter between s and d lies (Warner & Guasch 2016)
//	transport         how far mass has to travel from d to s (Engquist & Froese 2014; Yang et al. 2018)
//	student-t         ½ ν σ² ∫ log(1 + (s - d)²/(ν σ²)) dt     (Aravkin et al. 2011)
//
// each summed over the traces of synthetic s and observed d, or one made available with RegisterMisfit.
func NewMisfit(name string, o MisfitOptions) (Misfit, error) {
	registeredLock.RLock()
	own := registered[name]
	registeredLock.RUnlock()
	if own != nil {
		return own, nil
	}
	build, ok := misfits[name]
	if !ok {
		return nil, fmt.Errorf("there is no misfit %q; choose one of %s", name, strings.Join(MisfitNames(), ", "))
	}
	core, err := build(o)
	if err != nil {
		return nil, fmt.Errorf("misfit %s: %w", name, err)
	}
	return gatherMisfit{name, core}, nil
}

// traceMisfit is the mathematics of a misfit: the comparison of one live trace, in float64.
type traceMisfit interface {
	// trace returns the misfit of b.synthetic against b.observed and writes its gradient to b.adjoint. level is the RMS of
	// the live traces of the observed gather.
	trace(b *traceBuffers, dt, level float64) float64
}

type gatherMisfit struct {
	name string
	core traceMisfit
}

var _ Misfit = gatherMisfit{}

func (m gatherMisfit) Name() string { return m.name }

func (m gatherMisfit) Evaluate(adjoint, synthetic, observed, weight []float32, nrec, nt int, dt float64) (float64, error) {
	sum, err := evaluateGather(m.core, adjoint, synthetic, observed, weight, nrec, nt, dt)
	if err != nil {
		return 0, fmt.Errorf("misfit %s: %w", m.name, err)
	}
	return sum, nil
}

// evaluateGather sums a misfit over the traces of a gather. The tests instantiate it in float64.
func evaluateGather[T float32 | float64](m traceMisfit, adjoint, synthetic, observed, weight []T, nrec, nt int, dt float64) (float64, error) {
	n := nrec * nt
	if nrec < 0 || nt < 1 || len(adjoint) != n || len(synthetic) != n || len(observed) != n {
		return 0, fmt.Errorf("gathers of %d receivers by %d samples need %d values; the adjoint source has %d, the synthetic %d, the observed gather %d",
			nrec, nt, n, len(adjoint), len(synthetic), len(observed))
	}
	if weight != nil && len(weight) != nrec {
		return 0, fmt.Errorf("there are %d trace weights for %d receivers", len(weight), nrec)
	}
	if !(dt > 0) || math.IsInf(dt, 0) {
		return 0, fmt.Errorf("the sampling interval is %g s", dt)
	}
	for r, w := range weight {
		if !(w >= 0) || math.IsInf(float64(w), 0) {
			return 0, fmt.Errorf("the weight of receiver %d is %g", r, w)
		}
	}

	b := traceBufferPool.Get().(*traceBuffers)
	defer traceBufferPool.Put(b)
	b.resize(nt)

	var energy float64
	live := 0
	for r := range nrec {
		if weight != nil && weight[r] == 0 {
			continue
		}
		if e := traceEnergy(observed[r*nt : (r+1)*nt]); e > 0 {
			energy += e
			live++
		}
	}
	level := 0.0
	if live > 0 {
		level = math.Sqrt(energy / float64(live*nt))
	}

	var sum float64
	for r := range nrec {
		span := func(gather []T) []T { return gather[r*nt : (r+1)*nt] }
		w := 1.0
		if weight != nil {
			w = float64(weight[r])
		}
		out := span(adjoint)
		if w == 0 || traceEnergy(span(observed)) == 0 {
			clear(out)
			continue
		}
		for i, v := range span(synthetic) {
			b.synthetic[i] = float64(v)
		}
		for i, v := range span(observed) {
			b.observed[i] = float64(v)
		}
		j := w * m.trace(b, dt, level)
		if math.IsNaN(j) || math.IsInf(j, 0) {
			return 0, fmt.Errorf("receiver %d gives %g: its synthetic or observed trace is not finite, or overflows", r, j)
		}
		sum += j
		for i, v := range b.adjoint {
			out[i] = T(w * v)
		}
	}
	return sum, nil
}

func traceEnergy[T float32 | float64](trace []T) float64 {
	var sum float64
	for _, v := range trace {
		sum += float64(v) * float64(v)
	}
	return sum
}

// traceBuffers hold one trace of each kind, [nt], and scratch for the envelope.
type traceBuffers struct {
	synthetic, observed, adjoint []float64
	quadrature, envelope, work   []float64
}

var traceBufferPool = sync.Pool{New: func() any { return new(traceBuffers) }}

func (b *traceBuffers) resize(nt int) {
	if len(b.synthetic) == nt {
		return
	}
	all := make([]float64, 6*nt)
	for i, p := range []*[]float64{&b.synthetic, &b.observed, &b.adjoint, &b.quadrature, &b.envelope, &b.work} {
		*p = all[i*nt : (i+1)*nt : (i+1)*nt]
	}
}
