package wave

import (
	"fmt"
	"math"
	"math/cmplx"
	"testing"

	"gonum.org/v1/gonum/dsp/fourier"

	"gofwi/kernels"
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

// response returns the trace at distance r (m) of a source in a homogeneous medium, as green does for the acoustic equation.
type response func(source func(t float64) float64, r, v, t float64) float64

// analytic makes each equation's response, with its default constants, of the acoustic one.
var analytic = map[string]func(acoustic response) response{
	kernels.Acoustic: func(acoustic response) response { return acoustic },
	"damped": func(acoustic response) response {
		return func(source func(float64) float64, r, v, t float64) float64 {
			const damping = 1 // 1/s
			amplified := func(t float64) float64 { return math.Exp(damping*t/2) * source(t) }
			return math.Exp(-damping*t/2) * acoustic(amplified, r, v, t)
		}
	},
}

// homogeneous models one trace at distance (dz, dx) m from a source in the middle of a homogeneous section wide enough that nothing
// returns from its edges, and returns it with the analytic one.
func homogeneous(t *testing.T, o Options, h, peak, velocity, dt, duration, dz, dx float64) (got, want []float64) {
	t.Helper()
	o.MaxVelocity, o.DT = velocity, dt
	equation := o.Equation
	if equation == "" {
		equation = kernels.Acoustic
	}
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
	p, err := NewPropagatorOf[float64](g, s, o)
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
		want[i] = analytic[equation](green)(source, math.Hypot(dz, dx), velocity, float64(i)*dt)
	}
	return gathers[0], want
}

// The time step is so small that its error, (ω dt)²/24 per radian of phase, stays below the spatial one.
func TestErrorAgainstGreensFunctionFallsWithNominalOrder(t *testing.T) {
	for _, e := range kernels.Equations() {
		if analytic[e.Name] == nil {
			t.Errorf("there is no analytic response for equation %q: add it to the table of this test", e.Name)
			continue
		}
		greensFunctionError(t, e.Name)
	}
}

func greensFunctionError(t *testing.T, equation string) {
	const velocity, peak, duration = 2000.0, 10.0, 0.42
	for order := 2; order <= 8; order += 2 {
		// Coarse enough at high order that the spatial error leads, fine enough at low order to be asymptotic; the receiver
		// falls on a cell of both grids.
		coarse := map[int]float64{2: 8, 4: 16, 6: 16, 8: 16}[order]
		dt := map[int]float64{2: 0.0005, 4: 0.00025, 6: 0.000125, 8: 0.00005}[order]
		var errors [2]float64
		spacings := [2]float64{coarse, coarse / 1.25}
		for i, h := range spacings {
			errors[i] = relative(homogeneous(t, Options{Equation: equation, Order: order}, h, peak, velocity, dt, duration, 0, 20*coarse))
		}
		rate := math.Log(errors[0]/errors[1]) / math.Log(1.25)
		fmt.Printf("verification: Green's function, %s equation, order %d: error %.2e at %.1f m, %.2e at %.1f m, order of convergence %.2f\n",
			equation, order, errors[0], spacings[0], errors[1], spacings[1], rate)
		if math.Abs(rate-float64(order)) > 0.06*float64(order) {
			t.Errorf("%s, order %d converges with order %.2f", equation, order, rate)
		}
	}
}

// A Ricker wavelet of 10 Hz ends at about 28 Hz, whose waves have three points on 24 m; they travel 34 of their wavelengths. The time step is so small that
// its error stays below that of the differences made for the band.
func TestBandWeightsHoldThePhaseOnCoarseGrids(t *testing.T) {
	const velocity, peak, h, dt, duration = 2000.0, 10.0, 24.0, 0.00025, 1.6
	trace := func(points float64) float64 {
		return relative(homogeneous(t, Options{PointsPerWavelength: points}, h, peak, velocity, dt, duration, 0, 100*h))
	}
	taylor, band := trace(0), trace(3)
	fmt.Printf("verification: trace 100 cells from its source at three points per wavelength, order 8: error %.2e with Taylor's differences, %.2e with those made for three points\n", taylor, band)
	if !(band < 0.4*taylor) { // the wavelet is not that of the weights' band; counted: 0.2
		t.Errorf("differences made for the band err by %.2e, Taylor's by %.2e", band, taylor)
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

// throughScheme returns nt samples of a wavelet of the given function, filtered by exp(-iΩτ) with Ω = (2/dt) sin(ω dt/2): what arrives after τ
// seconds if the time steps' error is all there is.
func throughScheme(source func(float64) float64, tau, dt float64, nt int) []float64 {
	n := 8 * nt
	trace := make([]float64, n)
	for i := range nt {
		trace[i] = source(float64(i) * dt)
	}
	fft := fourier.NewFFT(n)
	spectrum := fft.Coefficients(nil, trace)
	for k := range spectrum {
		omega := 2 / dt * math.Sin(math.Pi*float64(k)/float64(n))
		spectrum[k] *= cmplx.Exp(complex(0, -omega*tau)) / complex(float64(n), 0)
	}
	return fft.Sequence(nil, spectrum)[:nt]
}

// In 3D the field of a point source is s(t - r/v) / (4π r). The analytic trace is read in the time of the scheme, so that the error left is that
// in space, whatever the step.
func TestErrorAgainstGreensFunctionFallsWithNominalOrderIn3D(t *testing.T) {
	const velocity, peak, dt, nt = 2000.0, 10.0, 0.0015, 214
	for order := 2; order <= 8; order += 2 {
		coarse := map[int]float64{2: 10, 4: 16, 6: 16, 8: 16}[order]
		var errors [2]float64
		spacings := [2]float64{coarse, coarse / 1.25}
		offset := []float64{4 * coarse, -4 * coarse, 8 * coarse} // on cells of both grids
		r := Distance(offset, []float64{0, 0, 0})
		for i, h := range spacings {
			// nothing returns from the edges in time
			n := 2*int(math.Ceil((velocity*nt*dt+r)/2/h)) + 1
			g := NewGrid3D(n, n, n, h, h, h)
			middle := g.End(0) / 2
			receiver := Position{middle + offset[0], middle + offset[1], middle + offset[2]}
			source := gauss(peak, 1.5/peak)
			wavelet := make([]float32, nt)
			for i := range wavelet {
				wavelet[i] = float32(source(float64(i) * dt))
			}
			p, err := NewPropagatorOf[float64](g, FixedSpread([]Position{{middle, middle, middle}}, []Position{receiver}, wavelet, dt),
				Options{MaxVelocity: velocity, Order: order, DT: dt, Reflecting: allSides})
			if err != nil {
				t.Fatal(err)
			}
			gathers, err := p.Forward(background, converted[float64](constant(g.Cells(), velocity)), []int{0})
			p.Close()
			if err != nil {
				t.Fatal(err)
			}
			want := throughScheme(source, r/velocity, dt, nt)
			for i := range want {
				want[i] /= 4 * math.Pi * r
			}
			errors[i] = relative(gathers[0], want)
		}
		rate := math.Log(errors[0]/errors[1]) / math.Log(1.25)
		fmt.Printf("verification: Green's function in 3D, order %d: error %.2e at %.1f m, %.2e at %.1f m, order of convergence %.2f\n",
			order, errors[0], spacings[0], errors[1], spacings[1], rate)
		if math.Abs(rate-float64(order)) > 0.06*float64(order) {
			t.Errorf("order %d converges with order %.2f", order, rate)
		}
	}
}

var allSides = map[Side]bool{Top: true, Bottom: true, Left: true, Right: true, Front: true, Back: true}

// As in 2D, but with an edge of y that is near. 10 points per wavelength of the peak frequency.
func TestAbsorbingLayerReflectsLessThanOneInAThousandIn3D(t *testing.T) {
	const h, velocity, peak, nt, dt, depth = 20.0, 2000.0, 10.0, 180, 0.0035, 200.0
	offsets := []float64{0, 200, 400, 660} // incidence up to 59°
	source := gauss(peak, 1.5/peak)
	wavelet := Ricker(peak, dt, nt, 1.5/peak)
	for _, c := range []struct{ order, layer int }{{4, 20}, {4, 8}, {8, 8}} {
		run := func(g Grid, o Options) [][]float32 {
			var receivers []Position
			for _, offset := range offsets {
				receivers = append(receivers, Position{offset, 0, 0})
			}
			o.MaxVelocity, o.Order = velocity, c.order
			p, err := NewPropagator(g, FixedSpread([]Position{{0, 0, 1e-4}}, receivers, wavelet, dt), o)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			gathers, err := p.Forward(background, constant(g.Cells(), velocity), []int{0})
			if err != nil {
				t.Fatal(err)
			}
			traces := make([][]float32, len(receivers))
			for i := range traces {
				traces[i] = gathers[0][i*nt : (i+1)*nt]
			}
			return traces
		}
		// source and receivers are 200 m from the front and 300 m or more from the other edges, or so far from all that nothing returns in time
		near := NewGrid3D(64, 26, 31, h, h, h)
		near.Origin = []float64{-300, -depth, -300}
		wide := NewGrid3D(100, 66, 66, h, h, h)
		wide.Origin = []float64{-660, -660, -660}
		layers, free := run(near, Options{Layer: c.layer}), run(wide, Options{Reflecting: allSides})
		line := fmt.Sprintf("verification: absorbing layer of %d cells in 3D, order %d: reflection coefficient", c.layer, c.order)
		for i, offset := range offsets {
			var difference, mirror float64
			r := math.Hypot(offset, 2*depth)
			for n := range layers[i] {
				difference = max(difference, math.Abs(float64(layers[i][n]-free[i][n])))
				mirror = max(mirror, math.Abs(source(float64(n)*dt-r/velocity)/(4*math.Pi*r)))
			}
			angle := math.Atan2(offset, 2*depth) * 180 / math.Pi
			line += fmt.Sprintf(" %.1e at %.0f°", difference/mirror, angle)
			if !(difference < 1e-3*mirror) {
				t.Errorf("order %d: at %.0f° the layer reflects %.1e", c.order, angle, difference/mirror)
			}
		}
		fmt.Println(line)
	}
}
