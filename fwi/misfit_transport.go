package fwi

import "math"

// transport is the quadratic Wasserstein distance between traces made densities (Engquist & Froese 2014, Comm. Math. Sci. 12, 979; Yang,
// Engquist, Sun & Hamfeldt 2018, Geophysics 83, R43): how far, in s², the observed trace's mass has to travel to become the synthetic's. It grows
// with a delay however many periods that lasts, which least squares do not.
//
// Traces have both signs, and mass has not: each sign is compared by itself, the mean of both counts,
//
//	h = log(1 + exp(±β s)) + 0.01,   f = h / Σ h
//
// (softplus after Qiu, Ramos-Martínez, Valenciano, Yang & Engquist 2017, SEG Expanded Abstracts 1240), with β in units of the observed trace's RMS:
// amplitudes of the size of noise weigh little, large ones as themselves.
//
// f and g are constant within a sample, so that their quantiles are piecewise linear and ∫ (F⁻¹ - G⁻¹)² dq is summed exactly, as is the
// derivative with respect to the mass of a sample: the mean over the sample of the potential φ, φ' = 2 (t - T(t)) with T the optimal map
// (Villani 2003, Topics in Optimal Transportation).
type transport struct{}

// β times the RMS of the observed trace. A wavelet's peak is some 5 RMS, where its density is 20 times that of silence.
const transportSharpness = 3

// What is added to h: where a synthetic trace is so loud that its softplus underflows, there is still mass to tell times by.
const transportFloor = 0.01

func newTransport(MisfitOptions) (traceMisfit, error) { return transport{}, nil }

func (transport) trace(b *traceBuffers, dt, _ float64) float64 {
	clear(b.adjoint)
	beta := transportSharpness / math.Sqrt(traceEnergy(b.observed)/float64(len(b.observed)))
	f, g, potential := b.quadrature, b.envelope, b.work
	var sum float64
	for _, sign := range []float64{1, -1} {
		mass := densities(f, b.synthetic, sign*beta)
		densities(g, b.observed, sign*beta)
		sum += 0.5 * wasserstein(potential, f, g, dt)
		var mean float64
		for i, p := range potential {
			mean += p * f[i]
		}
		for i, p := range potential {
			// ∂f/∂h through the sum of all h, and ∂h/∂s
			b.adjoint[i] += 0.5 * (p - mean) / mass * sign * beta * logistic(sign*beta*b.synthetic[i])
		}
	}
	return sum
}

// densities writes log(1 + exp(beta v)) + transportFloor divided by its sum, which it returns.
func densities(out, v []float64, beta float64) float64 {
	var sum float64
	for i, x := range v {
		x *= beta
		out[i] = math.Log1p(math.Exp(-math.Abs(x))) + max(x, 0) + transportFloor
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return sum
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// wasserstein returns ∫ (F⁻¹ - G⁻¹)² dq of two densities of sum 1, positive in every sample of dt, and writes its derivative with respect to the masses of f.
func wasserstein(potential, f, g []float64, dt float64) float64 {
	n := len(f)
	var sum float64
	var i, j int         // samples of f and g that the quantile q lies in
	var inF, inG float64 // masses of them below q
	var phi, cell float64
	for i < n {
		dq := f[i] - inF
		endsF := true
		if rest := g[j] - inG; rest < dq && j < n-1 {
			dq, endsF = rest, false
		}
		// times in units of dt, relative to the sample of f
		t0, t1 := inF/f[i], (inF+dq)/f[i]
		if endsF {
			t1 = 1
		}
		shift := float64(i - j)
		a, b := shift+t0-inG/g[j], shift+t1-min((inG+dq)/g[j], 1)
		sum += dq * (a*a + a*b + b*b) / 3
		step := t1 - t0
		cell += phi*step + step*step*(2*a+b)/3
		phi += (a + b) * step
		inF += dq
		inG += dq
		if endsF {
			potential[i] = cell * dt * dt
			i, inF, cell = i+1, 0, 0
		} else {
			j, inG = j+1, 0
		}
	}
	return sum * dt * dt
}
