package fwi

import (
	"math"

	"gofwi/wave"
)

// totalVariation is Σ |∇x| over the cells of a grid, with forward differences per metre and |·| the length of the vector (isotropic), times the
// volume of a cell: Rudin, Osher & Fatemi (1992, Physica D 60, 259). Differences across the last cells are zero.
type totalVariation struct {
	shape   []int
	inverse []float64 // 1/spacing
	stride  []int
	cells   int
}

func newTotalVariation(g wave.Grid) *totalVariation {
	tv := &totalVariation{shape: g.Shape, cells: g.Cells(), stride: make([]int, g.Axes()), inverse: make([]float64, g.Axes())}
	for axis, stride := g.Axes()-1, 1; axis >= 0; axis-- {
		tv.stride[axis], tv.inverse[axis] = stride, 1/g.Spacing[axis]
		stride *= g.Shape[axis]
	}
	return tv
}

// last reports whether a cell is the last along an axis.
func (tv *totalVariation) last(axis, cell int) bool {
	return cell/tv.stride[axis]%tv.shape[axis] == tv.shape[axis]-1
}

// gradient writes the forward differences of x, [axis][cell].
func (tv *totalVariation) gradient(out [][]float64, x []float64) {
	for axis, g := range out {
		stride, inverse := tv.stride[axis], tv.inverse[axis]
		for i := range x {
			if g[i] = 0; !tv.last(axis, i) {
				g[i] = (x[i+stride] - x[i]) * inverse
			}
		}
	}
}

// transpose writes the transpose of gradient, minus the divergence, of p.
func (tv *totalVariation) transpose(out []float64, p [][]float64) {
	clear(out)
	for axis, g := range p {
		stride, inverse := tv.stride[axis], tv.inverse[axis]
		for i, v := range g {
			if !tv.last(axis, i) {
				out[i+stride] += v * inverse
				out[i] -= v * inverse
			}
		}
	}
}

// value returns the mean of |∇x| over the cells, in the unit of x per metre.
func (tv *totalVariation) value(x []float64) float64 {
	g := tv.field()
	tv.gradient(g, x)
	var sum float64
	for i := range x {
		sum += length(g, i)
	}
	return sum / float64(tv.cells)
}

func (tv *totalVariation) field() [][]float64 {
	all := make([]float64, len(tv.shape)*tv.cells)
	out := make([][]float64, len(tv.shape))
	for axis := range out {
		out[axis] = all[axis*tv.cells : (axis+1)*tv.cells]
	}
	return out
}

func length(p [][]float64, i int) float64 {
	var sum float64
	for _, g := range p {
		sum += g[i] * g[i]
	}
	return math.Sqrt(sum)
}

// denoise returns argmin_y ½ ‖y - x‖² + weight Σ |∇y| with the dual of Chambolle (2004, J. Math. Imaging Vision 20, 89) and the accelerated
// projected gradients of Beck & Teboulle (2009, IEEE Trans. Image Process. 18, 2419): y = x - ∇ᵀ p with |p| ≤ weight in every cell. p is where it
// begins and ends. It stops when the duality gap is below tolerance times ½ ‖x - mean‖², or after the given iterations, and returns the gap so measured.
func (tv *totalVariation) denoise(y, x []float64, weight float64, p [][]float64, tolerance float64, iterations int) float64 {
	var lipschitz, mean, spread float64 // ‖∇ ∇ᵀ‖ ≤ 4 Σ 1/h²
	for _, v := range tv.inverse {
		lipschitz += 4 * v * v
	}
	for _, v := range x {
		mean += v / float64(tv.cells)
	}
	for _, v := range x {
		spread += 0.5 * (v - mean) * (v - mean)
	}
	if spread == 0 || weight == 0 {
		copy(y, x)
		return 0
	}
	project := func(p [][]float64) {
		for i := range x {
			if l := length(p, i); l > weight {
				for _, g := range p {
					g[i] *= weight / l
				}
			}
		}
	}
	primal := func(p [][]float64) {
		tv.transpose(y, p)
		for i, v := range x {
			y[i] = v - y[i]
		}
	}
	project(p)
	q, g := tv.field(), tv.field()
	for axis := range q {
		copy(q[axis], p[axis])
	}
	gap, momentum := math.Inf(1), 1.0
	for k := range iterations {
		if k%10 == 0 {
			// gap: Σ (weight |∇y| - p·∇y)
			primal(p)
			tv.gradient(g, y)
			gap = 0
			for i := range x {
				gap += weight * length(g, i)
				for axis := range p {
					gap -= p[axis][i] * g[axis][i]
				}
			}
			if gap /= spread; gap <= tolerance {
				return gap
			}
		}
		primal(q)
		tv.gradient(g, y)
		next := 0.5 * (1 + math.Sqrt(1+4*momentum*momentum))
		for axis := range q {
			for i := range x {
				q[axis][i] += g[axis][i] / lipschitz
			}
		}
		project(q)
		for axis := range q {
			for i := range x {
				old := p[axis][i]
				p[axis][i] = q[axis][i]
				q[axis][i] += (momentum - 1) / next * (q[axis][i] - old)
			}
		}
		momentum = next
	}
	primal(p)
	return gap
}

// Limits of a projection: cheap beside wave solves, and within what a line search does not notice.
const (
	tvGap        = 1e-4
	tvIterations = 200
	tvSlack      = 1e-3 // by which the total variation may exceed its limit
)

// project writes to x the model nearest to it whose total variation (value) is at most limit: the weight of denoise at which it is, by bisection.
func (tv *totalVariation) project(x []float32, limit float64) {
	from, y := make([]float64, tv.cells), make([]float64, tv.cells)
	for i, v := range x {
		from[i] = float64(v)
	}
	if tv.value(from) <= limit*(1+tvSlack) {
		return
	}
	p := tv.field()
	low, high := 0.0, 0.0
	weight := tv.value(from) / (4 * maxOf(tv.inverse) * maxOf(tv.inverse)) // of the size of x over h
	for range 60 {
		tv.denoise(y, from, weight, p, tvGap, tvIterations)
		if high = weight; tv.value(y) <= limit {
			break
		}
		low, weight = weight, 4*weight
	}
	for range 40 {
		weight = 0.5 * (low + high)
		tv.denoise(y, from, weight, p, tvGap, tvIterations)
		switch v := tv.value(y); {
		case v > limit*(1+tvSlack):
			low = weight
		case v < limit*(1-tvSlack):
			high = weight
		default:
			low, high = weight, weight
		}
		if high-low <= 1e-6*high {
			break
		}
	}
	for i, v := range y {
		x[i] = float32(v)
	}
}

func maxOf(v []float64) float64 {
	out := v[0]
	for _, x := range v {
		out = max(out, x)
	}
	return out
}
