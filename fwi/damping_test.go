package fwi

import (
	"math"
	"testing"
)

func TestDampingDecaysFromTheFirstArrival(t *testing.T) {
	const nt, dt, time = 200, 0.01, 0.25
	first := []int{30, 34, 150, 42, 46} // the third is an outlier, such as a trace with a spike would give
	traces := make([]float32, len(first)*nt)
	for r, at := range first {
		for i := at; i < nt; i++ {
			traces[r*nt+i] = 1
		}
	}
	dead := append(traces, make([]float32, nt)...)
	picks := firstArrivals(dead, nt, dt)
	if math.Abs(picks[2]-0.42) > 1e-9 {
		t.Errorf("the outlier is picked at %g s, its neighbours' median is 0.42 s", picks[2])
	}
	damp(dead, picks, nt, dt, time)
	for i := first[1]; i < nt; i++ {
		want := math.Exp(-max(float64(i)*dt-picks[1], 0) / time)
		if got := float64(dead[nt+i]); math.Abs(got-want) > 1e-5 {
			t.Fatalf("sample %d is %g, not %g", i, got, want)
		}
	}
}
