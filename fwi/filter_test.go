package fwi

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var filterBands = map[string]Band{
	"low-pass":              {High: 5},
	"high-pass":             {Low: 4},
	"band-pass":             {Low: 3, High: 9},
	"steep band-pass":       {Low: 3, High: 9, Flank: 0.1},
	"butterworth low-pass":  {High: 5, Butterworth: 4},
	"butterworth band-pass": {Low: 3, High: 9, Butterworth: 6},
}

func TestFilterIsSelfAdjoint(t *testing.T) {
	for name, band := range filterBands {
		t.Run(name, func(t *testing.T) {
			const nt, dt = 331, 0.004
			rng := rand.New(rand.NewPCG(1, 1))
			f, err := NewFilter(band, nt, dt)
			if err != nil {
				t.Fatal(err)
			}
			x, y := noise(rng, 2*nt), noise(rng, 2*nt)
			fx, fy := make([]float32, 2*nt), make([]float32, 2*nt)
			if err := f.Apply(fx, x); err != nil {
				t.Fatal(err)
			}
			if err := f.Apply(fy, y); err != nil {
				t.Fatal(err)
			}
			a, b := dot(fx, y), dot(x, fy)
			// Output is rounded to float32.
			if scale := math.Sqrt(dot(fx, fx) * dot(y, y)); math.Abs(a-b) > 1e-7*scale || scale == 0 {
				t.Errorf("⟨Fx, y⟩ = %g, ⟨x, Fy⟩ = %g", a, b)
			}
		})
	}
}

func noise(rng *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64())
	}
	return out
}

func TestFilterHalvesAmplitudeAtItsCorners(t *testing.T) {
	for name, band := range filterBands {
		for _, corner := range []float64{band.Low, band.High} {
			if corner == 0 {
				continue
			}
			// A long sine through the filter, measured in its middle. The other corner of a band-pass takes its share.
			const nt, dt = 8000, 0.004
			x := make([]float32, nt)
			for i := range x {
				x[i] = float32(math.Sin(2 * math.Pi * corner * float64(i) * dt))
			}
			f, err := NewFilter(band, nt, dt)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Apply(x, x); err != nil {
				t.Fatal(err)
			}
			var peak float64
			for _, v := range x[3000:5000] {
				peak = max(peak, math.Abs(float64(v)))
			}
			// 2000 samples of 0.004 s do not hit every crest.
			if math.Abs(peak-0.5) > 0.01 {
				t.Errorf("%s: a sine at the corner %g Hz comes out with amplitude %g, not 0.5", name, corner, peak)
			}
		}
	}
}

func TestFilterPassesItsBandAndStopsTheRest(t *testing.T) {
	b := Band{Low: 4, High: 8}
	for f, want := range map[float64]float64{0: 0, 3: 0, 5.01: 1, 5.99: 1, 10: 0, 40: 0} {
		if got := b.Amplitude(f); math.Abs(got-want) > 1e-12 {
			t.Errorf("the amplitude at %g Hz is %g, not %g", f, got, want)
		}
	}
}

func TestFilterDoesNotWrapRound(t *testing.T) {
	for name, band := range filterBands {
		t.Run(name, func(t *testing.T) {
			// The response to a spike at the end of a short trace equals that in the middle of a very long one.
			const nt, long, dt = 200, 40000, 0.004
			short, reference := make([]float32, nt), make([]float32, long)
			short[nt-1], reference[long/2] = 1, 1
			for _, x := range [][]float32{short, reference} {
				f, err := NewFilter(band, len(x), dt)
				if err != nil {
					t.Fatal(err)
				}
				if err := f.Apply(x, x); err != nil {
					t.Fatal(err)
				}
			}
			peak := float64(reference[long/2])
			for i, v := range short {
				// The padding is chosen for a tail of 1e-5; the flank of a cosine leaves a few of them.
				if want := reference[long/2-(nt-1)+i]; math.Abs(float64(v-want)) > 5e-5*math.Abs(peak) {
					t.Fatalf("sample %d is %g, not %g (peak %g)", i, v, want, peak)
				}
			}
		})
	}
}

func TestOpenFilterPassesEverything(t *testing.T) {
	x := noise(rand.New(rand.NewPCG(2, 2)), 100)
	y := slices.Clone(x)
	f, err := NewFilter(Band{}, 50, 0.004)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Apply(y, y); err != nil || !slices.Equal(x, y) {
		t.Errorf("the zero band changes traces (%v)", err)
	}
}

func TestFilterRefusesBadInput(t *testing.T) {
	for _, b := range []Band{{Low: 5, High: 4}, {Low: -1}, {High: math.NaN()}, {High: math.Inf(1)}, {High: 3, Flank: 1}, {Low: 200}, {High: 3, Butterworth: -1}} {
		if _, err := NewFilter(b, 100, 0.004); err == nil {
			t.Errorf("%+v was accepted", b)
		}
	}
	if _, err := NewFilter(Band{High: 5}, 100, 0); err == nil {
		t.Error("dt = 0 was accepted")
	}
	f, err := NewFilter(Band{High: 5}, 100, 0.004)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Apply(make([]float32, 150), make([]float32, 150)); err == nil {
		t.Error("one and a half traces were filtered")
	}
}

func TestFastLengthHasSmallFactors(t *testing.T) {
	for n, want := range map[int]int{1: 1, 7: 8, 11: 12, 1999: 2000, 2001: 2025, 4001: 4050} {
		if got := fastLength(n); got != want {
			t.Errorf("the fast length above %d is %d, not %d", n, got, want)
		}
	}
}
