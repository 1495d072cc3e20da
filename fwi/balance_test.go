package fwi

import (
	"math"
	"testing"
)

// An arrival and one of a hundredth of its amplitude half a second later, in two traces of which one is silent.
func TestBalanceRaisesWeakArrivals(t *testing.T) {
	const nt, late, floor = 400, 250, 1e-4
	dt := 0.004
	gather := make([]float32, 2*nt)
	for i := range nt {
		ricker := func(at int) float64 {
			a := math.Pi * 10 * float64(i-at) * dt
			return (1 - 2*a*a) * math.Exp(-a*a)
		}
		gather[i] = float32(ricker(125) + 0.01*ricker(late))
	}
	peak := func(trace, gain []float32) (first, second float64) {
		for i := range nt {
			v := math.Abs(float64(trace[i] * gain[i]))
			if i < (125+late)/2 {
				first = max(first, v)
			} else {
				second = max(second, v)
			}
		}
		return first, second
	}
	for _, power := range []float64{0.5, 0.7} {
		gain := balanceGain([][]float32{gather}, [][]float32{{1, 0}}, nt, 12, power, floor)[0]
		first, second := peak(gather, gain)
		// The floor, at a hundredth of the mean amplitude, which the silence between arrivals lowers, takes a few percent.
		if want := math.Pow(0.01, 1-power); math.Abs(second/first/want-1) > 0.1 {
			t.Errorf("to the power %g the weak arrival has %.4f of the strong one's amplitude, want %.4f", power, second/first, want)
		}
		most := math.Pow(floor, -power/2)
		for i, g := range gain[nt:] {
			if math.Abs(float64(g)/most-1) > 1e-5 {
				t.Fatalf("sample %d of a silent trace is multiplied by %g, want %g", i, g, most)
			}
		}
	}
	alone := balanceGain([][]float32{gather[:nt]}, [][]float32{nil}, nt, 12, 0.7, floor)[0]
	for i, g := range balanceGain([][]float32{gather}, [][]float32{{1, 0}}, nt, 12, 0.7, floor)[0][:nt] {
		if g != alone[i] {
			t.Fatalf("a trace without weight changes the gain of sample %d from %g to %g", i, alone[i], g)
		}
	}
}

func TestPowersAreThoseOfMath(t *testing.T) {
	for _, exponent := range []float64{-0.5, -0.3, 0.25} {
		p := newPowers(exponent)
		for x := 1e-37; x < 1e38; x *= 1.0371 {
			want := math.Pow(x, exponent)
			if e := math.Abs(float64(p.of(float32(x)))/want - 1); !(e <= math.Abs(exponent*(exponent-1))/(1<<19)+3e-7) { // tables, and five roundings of float32
				t.Fatalf("%g to the power %g is off by %.1e of it", x, exponent, e)
			}
		}
		if v := p.of(float32(math.NaN())); v == v {
			t.Errorf("NaN to the power %g is %g", exponent, v)
		}
	}
}

// Without its balance a level has the misfit, to the bit, of one that was made without.
func TestMisfitWithoutBalance(t *testing.T) {
	p, c := smallProblem(t, nil)
	plain := c
	plain.Balance = -1
	for i, s := range c.Stages {
		var misfits [2]float64
		for k, c := range []Config{c, plain} {
			e, err := NewEvaluator(background, p, c, s)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if (e.level.balance == nil) != (k == 1) {
				t.Fatalf("stage %d: with balance %g there are gains for %d shots", i+1, c.Balance, len(e.level.balance))
			}
			x, err := e.restrict(p.Start)
			if err != nil {
				t.Fatal(err)
			}
			out, err := e.level.withoutBalance().evaluate(background, x, e.level.survey.AllShots(), false)
			if err != nil {
				t.Fatal(err)
			}
			misfits[k] = out.Misfit
			if balanced, err := e.Misfit(background, p.Start); err != nil || (balanced == out.Misfit) != (k == 1) {
				t.Errorf("stage %d: the misfit is %g with a balance of %g and %g without (%v)", i+1, balanced, c.Balance, out.Misfit, err)
			}
		}
		if misfits[0] != misfits[1] {
			t.Errorf("stage %d: the misfit without the balance is %g, that of a level that has none %g", i+1, misfits[0], misfits[1])
		}
	}
	s := c.Stages[0]
	s.Encoded = 2
	e, err := NewEvaluator(background, p, c, s)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if e.level.balance != nil {
		t.Error("encoded shots are balanced, which their sum does not allow")
	}
}
