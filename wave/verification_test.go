package wave

import (
	"fmt"
	"math"
	"testing"
)

// green returns the pressure at distance r (m) of a line source with wavelet s in a homogeneous medium,
//
//	u(t) = 1/(2π) ∫₀^∞ s(t - r/v·cosh θ) dθ,
//
// the 2D Green's function H(t-r/v) / (2π sqrt(t²-r²/v²)) with its singularity transformed away.
func green(s func(t float64) float64, r, v, t float64) float64 {
	if v*t <= r {
		return 0
	}
	limit := math.Acosh(v * t / r)
	const n = 4000
	h := limit / n
	sum := (s(t-r/v) + s(0)) / 2
	for i := 1; i < n; i++ {
		sum += s(t - r/v*math.Cosh(float64(i)*h))
	}
	return sum * h / (2 * math.Pi)
}

// gauss is a smooth wavelet: the second derivative of a Gaussian with peak frequency f at t0, as Ricker.
func gauss(f, t0 float64) func(float64) float64 {
	return func(t float64) float64 {
		if t < 0 {
			return 0
		}
		a := math.Pi * f * (t - t0)
		return (1 - 2*a*a) * math.Exp(-a*a)
	}
}

// homogeneous models one trace at distance (dz, dx) m from a source in the middle of a homogeneous section wide enough that nothing
// returns from its edges, and returns it with the analytic one.
func homogeneous(t *testing.T, order int, h, peak, velocity, dt, duration, dz, dx float64) (got, want []float64) {
	t.Helper()
	n := 2*int(math.Ceil((velocity*duration/2+math.Hypot(dz, dx)/2+100)/h)) + 1
	g := NewGrid2D(n, n, h, h)
	middle := g.End(0) / 2
	nt := int(duration/dt) + 1
	source := gauss(peak, 1.5/peak)
	wavelet := make([]float32, nt)
	for i := range wavelet {
		wavelet[i] = float32(source(float64(i) * dt))
	}
	s := FixedSpread([]Position{{middle, middle}}, []Position{{middle + dz, middle + dx}}, wavelet, dt)
	p, err := NewPropagatorOf[float64](g, s, Options{MaxVelocity: velocity, Order: order, DT: dt})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	vp := make([]float64, g.Cells())
	for i := range vp {
		vp[i] = velocity
	}
	gathers, err := p.Forward(background, vp, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	want = make([]float64, nt)
	for i := range want {
		want[i] = green(source, math.Hypot(dz, dx), velocity, float64(i)*dt)
	}
	return gathers[0], want
}

// The time step is so small that its error, (ω dt)²/24 per radian of phase, stays below the spatial one.
func TestErrorAgainstGreensFunctionFallsWithNominalOrder(t *testing.T) {
	const velocity, peak, duration = 2000.0, 10.0, 0.42
	for order := 2; order <= 8; order += 2 {
		// Coarse enough at high order that the spatial error leads, fine enough at low order to be asymptotic; the receiver
		// falls on a cell of both grids.
		coarse := map[int]float64{2: 8, 4: 16, 6: 16, 8: 16}[order]
		dt := map[int]float64{2: 0.0005, 4: 0.00025, 6: 0.000125, 8: 0.00005}[order]
		var errors [2]float64
		spacings := [2]float64{coarse, coarse / 1.25}
		for i, h := range spacings {
			errors[i] = relative(homogeneous(t, order, h, peak, velocity, dt, duration, 0, 20*coarse))
		}
		rate := math.Log(errors[0]/errors[1]) / math.Log(1.25)
		fmt.Printf("verification: Green's function, order %d: error %.2e at %.1f m, %.2e at %.1f m, order of convergence %.2f\n",
			order, errors[0], spacings[0], errors[1], spacings[1], rate)
		if math.Abs(rate-float64(order)) > 0.06*float64(order) {
			t.Errorf("order %d converges with order %.2f", order, rate)
		}
	}
}

// A section with absorbing layers is compared with one so wide that nothing comes back in time. The reflection coefficient is the
// largest difference over the largest amplitude that a mirror instead of the layer would send to the same receiver.
func TestAbsorbingLayerReflectsLessThanOneInAThousand(t *testing.T) {
	const h, velocity, peak, duration, dt = 10.0, 2000.0, 10.0, 1.0, 0.002
	for _, c := range []struct{ order, layer int }{{2, 20}, {4, 20}, {6, 20}, {8, 20}, {8, 10}} {
		order := c.order
		nt := int(duration / dt)
		wavelet := Ricker(peak, dt, nt, 1.5/peak)
		run := func(extra int) [][]float64 {
			// the left edge is 300 m from source and receivers; all other edges are as far as `extra` says at least
			g := NewGrid2D(301+2*extra, 101+2*extra, h, h)
			g.Origin = []float64{-float64(extra) * h, -float64(extra) * h}
			receivers := []Position{}
			for _, offset := range []float64{0, 300, 600, 1000} { // incidence up to 59°
				receivers = append(receivers, Position{1000 + offset, 300})
			}
			p, err := NewPropagatorOf[float64](g, FixedSpread([]Position{{1000, 300.0001}}, receivers, wavelet, dt), Options{MaxVelocity: velocity, Order: order, Layer: c.layer})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			vp := make([]float64, g.Cells())
			for i := range vp {
				vp[i] = velocity
			}
			gathers, err := p.Forward(background, vp, []int{0})
			if err != nil {
				t.Fatal(err)
			}
			traces := make([][]float64, len(receivers))
			for i := range traces {
				traces[i] = gathers[0][i*nt : (i+1)*nt]
			}
			return traces
		}
		layers, wide := run(0), run(80)
		line := fmt.Sprintf("verification: absorbing layer of %d cells, order %d: reflection coefficient", c.layer, order)
		for i, offset := range []float64{0, 300, 600, 1000} {
			var difference, mirror float64
			source := gauss(peak, 1.5/peak)
			for n := range layers[i] {
				difference = max(difference, math.Abs(layers[i][n]-wide[i][n]))
				mirror = max(mirror, math.Abs(green(source, math.Hypot(offset, 600), velocity, float64(n)*dt)))
			}
			angle := math.Atan2(offset, 600) * 180 / math.Pi
			line += fmt.Sprintf(" %.1e at %.0f°", difference/mirror, angle)
			if !(difference < 1e-3*mirror) {
				t.Errorf("order %d: at %.0f° the layer reflects %.1e", order, angle, difference/mirror)
			}
		}
		fmt.Println(line)
	}
}
