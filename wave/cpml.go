package wave

import "math"

// layerReflection is the theoretical reflection coefficient that sets the strength of an absorbing layer.
const layerReflection = 1e-4

// cpmlCoefficients returns a and b of the recursions in kernels/acoustic.h for n cells, of which the first
// `low` and the last `high` are absorbing: σ grows as the square of the depth into the layer, α falls linearly from π f to
// zero (Komatitsch & Martin 2007), κ = 1.
func cpmlCoefficients(n, low, high int, h [2]float64, dt, velocity, frequency float64) (a, b []float64) {
	a, b = make([]float64, n), make([]float64, n)
	set := func(i int, h, depth, width float64) {
		sigma := -3 * velocity * math.Log(layerReflection) / (2 * width * h) * depth * depth / (width * width)
		alpha := math.Pi * frequency * (1 - depth/width)
		b[i] = math.Exp(-(sigma + alpha) * dt)
		a[i] = sigma / (sigma + alpha) * (b[i] - 1)
	}
	for i := range low {
		set(i, h[0], float64(low-i), float64(low))
	}
	for i := range high {
		set(n-1-i, h[1], float64(high-i), float64(high))
	}
	return a, b
}
