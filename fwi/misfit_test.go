package fwi

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
)

// everyMisfit lists each misfit with each of its variants.
var everyMisfit = []struct {
	name    string
	options MisfitOptions
}{
	{"least-squares", MisfitOptions{}},
	{"trace-normalised", MisfitOptions{}},
	{"correlation", MisfitOptions{}},
	{"adaptive", MisfitOptions{}},
	{"transport", MisfitOptions{}},
	{"envelope", MisfitOptions{}},
	{"envelope", MisfitOptions{EnvelopePower: 2}},
	{"student-t", MisfitOptions{}},
	{"student-t", MisfitOptions{StudentDegrees: 5, StudentScale: 0.3}},
}

func forEveryMisfit(t *testing.T, f func(t *testing.T, m gatherMisfit)) {
	for _, c := range everyMisfit {
		t.Run(fmt.Sprintf("%s/%+v", c.name, c.options), func(t *testing.T) {
			m, err := NewMisfit(c.name, c.options)
			if err != nil {
				t.Fatal(err)
			}
			f(t, m.(gatherMisfit))
		})
	}
}

// wiggles returns traces of a few damped oscillations each, [nrec, nt].
func wiggles(rng *rand.Rand, nrec, nt int, dt float64) []float64 {
	out := make([]float64, nrec*nt)
	for r := range nrec {
		for range 4 {
			frequency, delay, phase := 4+8*rng.Float64(), dt*float64(nt)*(0.2+0.6*rng.Float64()), 6*rng.Float64()
			amplitude := math.Pow(10, -0.5*float64(r)) * rng.NormFloat64()
			for i := range nt {
				t := float64(i)*dt - delay
				out[r*nt+i] += amplitude * math.Exp(-t*t*frequency*frequency) * math.Cos(2*math.Pi*frequency*t+phase)
			}
		}
	}
	return out
}

func narrow(a []float64) []float32 {
	out := make([]float32, len(a))
	for i, v := range a {
		out[i] = float32(v)
	}
	return out
}

func dot[A, B float32 | float64](a []A, b []B) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

const (
	testReceivers = 4
	testSamples   = 257 // odd, and a prime, so that padding is exercised
	testInterval  = 0.004
)

// testGathers returns a synthetic and an observed gather with one dead trace, and weights with one mute.
func testGathers(seed uint64) (synthetic, observed, weight []float64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	synthetic = wiggles(rng, testReceivers, testSamples, testInterval)
	observed = wiggles(rng, testReceivers, testSamples, testInterval)
	clear(observed[testSamples : 2*testSamples])
	return synthetic, observed, []float64{1, 1, 0.3, 0}
}

func TestAdjointSourcePassesTaylorTest(t *testing.T) {
	forEveryMisfit(t, func(t *testing.T, m gatherMisfit) {
		s, d, w := testGathers(3)
		p := wiggles(rand.New(rand.NewPCG(9, 9)), testReceivers, testSamples, testInterval)
		adjoint, scratch := make([]float64, len(s)), make([]float64, len(s))
		evaluate := func(adjoint, s []float64) float64 {
			j, err := evaluateGather(m.core, adjoint, s, d, w, testReceivers, testSamples, testInterval)
			if err != nil {
				t.Fatal(err)
			}
			return j
		}
		j0 := evaluate(adjoint, s)
		slope := dot(adjoint, p)
		if slope == 0 {
			t.Fatal("the direction does not change the misfit: the test proves nothing")
		}
		remainder := func(h float64) float64 {
			moved := slices.Clone(s)
			for i := range moved {
				moved[i] += h * p[i]
			}
			return math.Abs(evaluate(scratch, moved) - j0 - h*slope)
		}
		// Small against the 1 % floor of the envelope, where its curvature changes; the remainders are 1e-14 and more, sums of few rounded to 1e-16.
		const h = 2e-5
		order := math.Log2(remainder(h) / remainder(h/2))
		if math.Abs(order-2) > 0.1 {
			t.Errorf("the Taylor remainder falls with order %.3f, not 2 ± 0.1", order)
		}
	})
}

func TestAdjointSourceMatchesFiniteDifferencesAtEachSample(t *testing.T) {
	forEveryMisfit(t, func(t *testing.T, m gatherMisfit) {
		s, d, w := testGathers(4)
		adjoint, scratch := make([]float64, len(s)), make([]float64, len(s))
		evaluate := func(adjoint, s []float64) float64 {
			j, err := evaluateGather(m.core, adjoint, s, d, w, testReceivers, testSamples, testInterval)
			if err != nil {
				t.Fatal(err)
			}
			return j
		}
		evaluate(adjoint, s)
		var peak float64
		for _, a := range adjoint {
			peak = max(peak, math.Abs(a))
		}
		const h = 1e-5
		for i := 0; i < len(s); i += 7 {
			at := s[i]
			s[i] = at + h
			up := evaluate(scratch, s)
			s[i] = at - h
			down := evaluate(scratch, s)
			s[i] = at
			// Central differences err by h² of the third derivative, at most 1/floor² of the envelope, and by round-off/h.
			if numeric := (up - down) / (2 * h); math.Abs(numeric-adjoint[i]) > 1e-5*peak {
				t.Fatalf("sample %d: the adjoint source is %g, the finite difference %g (peak %g)", i, adjoint[i], numeric, peak)
			}
		}
	})
}

func TestMisfitVanishesAtEquality(t *testing.T) {
	forEveryMisfit(t, func(t *testing.T, m gatherMisfit) {
		s, d, _ := testGathers(5)
		adjoint := make([]float32, len(d))
		elsewhere, err := m.Evaluate(adjoint, narrow(s), narrow(d), nil, testReceivers, testSamples, testInterval)
		if err != nil {
			t.Fatal(err)
		}
		scale := math.Sqrt(dot(adjoint, adjoint))
		if !(elsewhere > 0) || !(scale > 0) {
			t.Fatalf("different gathers have misfit %g and adjoint source of norm %g", elsewhere, scale)
		}
		j, err := m.Evaluate(adjoint, narrow(d), narrow(d), nil, testReceivers, testSamples, testInterval)
		if err != nil {
			t.Fatal(err)
		}
		// Round-off of float64 sums.
		if math.Abs(j) > 1e-14*elsewhere*float64(testReceivers) || math.Sqrt(dot(adjoint, adjoint)) > 1e-7*scale {
			t.Errorf("equal gathers have misfit %g (elsewhere %g) and adjoint source of norm %g (elsewhere %g)", j, elsewhere, math.Sqrt(dot(adjoint, adjoint)), scale)
		}
	})
}

func TestDeadAndMutedTracesContributeNothing(t *testing.T) {
	forEveryMisfit(t, func(t *testing.T, m gatherMisfit) {
		s, d, w := testGathers(6)
		adjoint := make([]float32, len(s))
		for i := range adjoint {
			adjoint[i] = float32(math.NaN()) // must be overwritten
		}
		if _, err := m.Evaluate(adjoint, narrow(s), narrow(d), narrow(w), testReceivers, testSamples, testInterval); err != nil {
			t.Fatal(err)
		}
		for _, r := range []int{1, 3} {
			if e := traceEnergy(adjoint[r*testSamples : (r+1)*testSamples]); e != 0 {
				t.Errorf("the adjoint source of trace %d has energy %g", r, e)
			}
		}
		if e := traceEnergy(adjoint[:testSamples]); !(e > 0) {
			t.Errorf("the adjoint source of a live trace has energy %g", e)
		}
		zero := make([]float32, len(s))
		j, err := m.Evaluate(adjoint, narrow(s), zero, nil, testReceivers, testSamples, testInterval)
		if err != nil || j != 0 || traceEnergy(adjoint) != 0 {
			t.Errorf("a gather of dead traces has misfit %g, adjoint energy %g, error %v", j, traceEnergy(adjoint), err)
		}
		j, err = m.Evaluate(adjoint, zero, narrow(d), nil, testReceivers, testSamples, testInterval)
		if e := traceEnergy(adjoint); err != nil || !(j > 0) || math.IsNaN(e) || math.IsInf(e, 0) {
			t.Errorf("a silent synthetic has misfit %g, adjoint energy %g, error %v", j, e, err)
		}
	})
}

// Traces in other units than the data's, or a trace that is all but dead, must not end a run.
func TestLoudSyntheticsKeepMisfitsFinite(t *testing.T) {
	forEveryMisfit(t, func(t *testing.T, m gatherMisfit) {
		s, d, _ := testGathers(5)
		for i := range s {
			s[i] *= 1e5
		}
		adjoint := make([]float32, len(s))
		j, err := m.Evaluate(adjoint, narrow(s), narrow(d), nil, testReceivers, testSamples, testInterval)
		if e := traceEnergy(adjoint); err != nil || !(j > 0) || math.IsNaN(e) || math.IsInf(e, 0) {
			t.Errorf("synthetics 100000 times as loud as the data have misfit %g, adjoint energy %g, error %v", j, e, err)
		}
	})
}

func TestMisfitDoesNotDependOnSampling(t *testing.T) {
	forEveryMisfit(t, func(t *testing.T, m gatherMisfit) {
		misfit := func(nt int, dt float64) float64 {
			s := wiggles(rand.New(rand.NewPCG(7, 1)), 2, nt, dt)
			d := wiggles(rand.New(rand.NewPCG(7, 2)), 2, nt, dt)
			j, err := m.Evaluate(make([]float32, len(s)), narrow(s), narrow(d), nil, 2, nt, dt)
			if err != nil {
				t.Fatal(err)
			}
			return j
		}
		coarse, fine := misfit(300, 0.004), misfit(1200, 0.001)
		// The signals are far below the Nyquist frequency of either sampling: only smooth non-linear functions of them are integrated.
		if math.Abs(coarse-fine) > 2e-3*fine {
			t.Errorf("the misfit is %g at 4 ms and %g at 1 ms", coarse, fine)
		}
	})
}

func TestCorrelationIgnoresAmplitude(t *testing.T) {
	m, _ := NewMisfit("correlation", MisfitOptions{})
	s, d, _ := testGathers(8)
	adjoint := make([]float32, len(s))
	evaluate := func(factor float64) float64 {
		scaled := slices.Clone(s)
		for i := range scaled {
			scaled[i] *= factor
		}
		j, err := m.Evaluate(adjoint, narrow(scaled), narrow(d), nil, testReceivers, testSamples, testInterval)
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	if a, b := evaluate(1), evaluate(1e-6); math.Abs(a-b) > 1e-6*a { // float32 input
		t.Errorf("the misfit is %g, and %g of a synthetic a million times weaker", a, b)
	}
	if radial := dot(adjoint, s) / math.Sqrt(dot(adjoint, adjoint)*dot(s, s)); math.Abs(radial) > 1e-6 {
		t.Errorf("the adjoint source has a component %g along the synthetic", radial)
	}
}

func TestStudentResistsOutliers(t *testing.T) {
	robust, _ := NewMisfit("student-t", MisfitOptions{StudentScale: 1})
	adjoint := make([]float32, 3)
	if _, err := robust.Evaluate(adjoint, []float32{0.01, 1, 1e4}, []float32{0, 0, 1e-30}, nil, 1, 3, 1); err != nil {
		t.Fatal(err)
	}
	if math.Abs(float64(adjoint[0])-0.01) > 1e-6 || adjoint[2] > adjoint[1] {
		t.Errorf("adjoint source %v: a small residual must be as in least squares and a wild one below a moderate one", adjoint)
	}
}

func TestStudentScaleFindsTheScaleOfItsDistribution(t *testing.T) {
	// Student's t with 2 degrees of freedom: normal / √(exponential), times the scale.
	rng := rand.New(rand.NewPCG(1, 2))
	const scale = 0.037
	residual := make([]float32, 40000)
	for i := range residual {
		residual[i] = float32(scale * rng.NormFloat64() / math.Sqrt(rng.ExpFloat64()))
	}
	silence := make([]float32, len(residual))
	got, err := StudentScale([][]float32{residual, silence}, [][]float32{make([]float32, len(residual)), silence}, 2)
	if err != nil {
		t.Fatal(err)
	}
	// Standard error of the estimate about 1 %; the cut at a thousandth of the RMS, itself large for ν = 2, adds some.
	if math.Abs(got/scale-1) > 0.05 {
		t.Errorf("the scale is %g, not %g", got, scale)
	}
}

func TestEnvelopeOfAnOscillationIsItsAmplitude(t *testing.T) {
	const nt, dt = 1000, 0.002
	trace, quadrature := make([]float64, nt), make([]float64, nt)
	amplitude := func(i int) float64 { t := (float64(i)*dt - 1) / 0.2; return math.Exp(-t * t) }
	for i := range trace {
		trace[i] = amplitude(i) * math.Cos(2*math.Pi*12*float64(i)*dt)
	}
	hilbert(quadrature, trace)
	for i := range trace {
		// The analytic signal of a modulated cosine is exact up to the overlap of its spectrum with zero frequency, below 1e-9 here.
		if e := math.Hypot(trace[i], quadrature[i]); math.Abs(e-amplitude(i)) > 1e-6 {
			t.Fatalf("sample %d: the envelope is %g, the amplitude %g", i, e, amplitude(i))
		}
	}
}

func TestMisfitIsSafeAndDeterministicInParallel(t *testing.T) {
	forEveryMisfit(t, func(t *testing.T, m gatherMisfit) {
		want := make([][]float32, 8)
		misfit := make([]float64, len(want))
		evaluate := func(i int) (float64, []float32) {
			s, d, w := testGathers(uint64(i))
			adjoint := make([]float32, len(s))
			j, err := m.Evaluate(adjoint, narrow(s), narrow(d), narrow(w), testReceivers, testSamples, testInterval)
			if err != nil {
				t.Error(err)
			}
			return j, adjoint
		}
		for i := range want {
			misfit[i], want[i] = evaluate(i)
		}
		var wait sync.WaitGroup
		for i := range want {
			wait.Add(1)
			go func() {
				defer wait.Done()
				for range 10 {
					if j, a := evaluate(i); j != misfit[i] || !slices.Equal(a, want[i]) {
						t.Errorf("gather %d differs when evaluated in parallel", i)
					}
				}
			}()
		}
		wait.Wait()
	})
}

func TestMisfitRefusesBadInput(t *testing.T) {
	if _, err := NewMisfit("l2", MisfitOptions{}); err == nil || !strings.Contains(err.Error(), "envelope, least-squares") {
		t.Errorf("an unknown name gives %v, not the list of names", err)
	}
	if _, err := NewMisfit("envelope", MisfitOptions{EnvelopePower: 3}); err == nil {
		t.Error("an envelope of power 3 was accepted")
	}
	if _, err := NewMisfit("student-t", MisfitOptions{StudentScale: math.NaN()}); err == nil {
		t.Error("a scale of NaN was accepted")
	}
	forEveryMisfit(t, func(t *testing.T, m gatherMisfit) {
		good := []float32{1, 2, 3, 4}
		out := make([]float32, 4)
		for what, call := range map[string]func() (float64, error){
			"short synthetic": func() (float64, error) { return m.Evaluate(out, good[:3], good, nil, 2, 2, 1) },
			"short adjoint":   func() (float64, error) { return m.Evaluate(out[:2], good, good, nil, 2, 2, 1) },
			"missing weights": func() (float64, error) { return m.Evaluate(out, good, good, good[:1], 2, 2, 1) },
			"negative weight": func() (float64, error) { return m.Evaluate(out, good, good, []float32{1, -1}, 2, 2, 1) },
			"zero dt":         func() (float64, error) { return m.Evaluate(out, good, good, nil, 2, 2, 0) },
			"NaN in synthetic": func() (float64, error) {
				return m.Evaluate(out, []float32{1, float32(math.NaN()), 3, 4}, good, nil, 2, 2, 1)
			},
			"NaN in observed": func() (float64, error) {
				return m.Evaluate(out, good, []float32{1, 2, float32(math.NaN()), 4}, nil, 2, 2, 1)
			},
		} {
			if _, err := call(); err == nil {
				t.Errorf("%s was accepted", what)
			}
		}
	})
}
