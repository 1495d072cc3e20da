package fwi

import "math"

// anderson accelerates preconditioned steepest descent, the iteration x + f with f = -t P g (Anderson 1965; Walker & Ni 2011). Of the last steps, of
// which S are the changes of x and Y those of the gradient, it takes the combination that brings the gradient nearest to zero in the metric of P,
//
//	d = -S γ - t P (g - Y γ),   (YᵀP Y) γ = YᵀP g,
//
// where t is the step of Barzilai & Borwein from the newest pair. The misfit is the safeguard: steps must descend, and where d does not, or no step
// along it does, the memory is dropped.
type anderson struct{ *lbfgs }

// andersonRidge is added to the diagonal of YᵀP Y in units of it: the changes of the gradient are nearly parallel.
const andersonRidge = 1e-6

func (a anderson) direct(m *optimizer) {
	n := len(a.s)
	if n == 0 {
		steepest{}.direct(m)
		return
	}
	weighed := make([][]float32, n)
	for i, y := range a.y {
		weighed[i] = make([]float32, len(y))
		m.precondition(weighed[i], y)
	}
	matrix, right := make([][]float64, n), make([]float64, n)
	for i := range n {
		matrix[i] = make([]float64, n)
		for j := range i + 1 {
			matrix[i][j] = m.dot(a.y[i], weighed[j])
		}
		matrix[i][i] *= 1 + andersonRidge
		right[i] = m.dot(m.s.Gradient, weighed[i])
	}
	t := m.dot(a.s[n-1], a.y[n-1]) / m.dot(a.y[n-1], weighed[n-1])
	solveSymmetric(matrix, right)
	m.precondition(m.s.Direction, m.s.Gradient)
	for i, v := range m.s.Direction {
		if m.free != nil && !m.free[i] {
			m.s.Direction[i] = 0
			continue
		}
		d := -t * float64(v)
		for k, gamma := range right {
			d += gamma * (t*float64(weighed[k][i]) - float64(a.s[k][i]))
		}
		m.s.Direction[i] = float32(d)
	}
}

// solveSymmetric solves a system by Cholesky's method in place; of a positive matrix only the lower triangle is read. Where it is not
// positive, what is singular of it gets a share of zero.
func solveSymmetric(a [][]float64, b []float64) {
	for i := range a {
		whole := a[i][i]
		for j := range i + 1 {
			sum := a[i][j]
			for k := range j {
				sum -= a[i][k] * a[j][k]
			}
			switch {
			case j < i:
				a[i][j] = sum / a[j][j]
			case sum > 1e-14*whole:
				a[i][i] = math.Sqrt(sum)
			default:
				a[i][i] = math.Inf(1)
			}
		}
	}
	for i := range b {
		for k := range i {
			b[i] -= a[i][k] * b[k]
		}
		b[i] /= a[i][i]
	}
	for i := len(b) - 1; i >= 0; i-- {
		for k := i + 1; k < len(b); k++ {
			b[i] -= a[k][i] * b[k]
		}
		b[i] /= a[i][i]
	}
}
