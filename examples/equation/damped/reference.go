package damped

import "gofwi/kernels"

// newReference returns the oracle. With g = exp(-γ dt/2) the scheme is
//
//	u[n+1] = 2 g u[n] - g² u[n-1] + g M (w[n] + f[n]),
//
// and the memory variables of the absorbing layers decay by g a step more than those of the acoustic equation.
func newReference(d kernels.Domain) (kernels.Solver[float64], error) {
	g, err := decay(&d)
	if err != nil {
		return nil, err
	}
	b := make([][]float64, len(d.B))
	for axis := range b {
		for _, v := range d.B[axis] {
			b[axis] = append(b[axis], g*v)
		}
	}
	d.B = b
	s, err := kernels.NewReference(d)
	if err != nil {
		return nil, err
	}
	s.Step = func(now, before, m, w float64) float64 {
		return 2*g*now - g*g*before + g*m*w
	}
	return s, nil
}
