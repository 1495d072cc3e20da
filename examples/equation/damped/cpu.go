package damped

import (
	"fmt"
	"math"

	"gofwi/kernels"
)

// maxLoss is the largest γT/2 of a record: float32 holds the factor exp(γT/2) and its square many times over.
const maxLoss = 20

// solver steps the damped equation with the kernels of the acoustic one. If q solves the acoustic equation with the source exp(γt/2) f, then
// u = exp(-γt/2) q solves the damped one. The solver inside holds q, its adjoint field, and snapshots of q's w + f.
type solver[T kernels.Real] struct {
	kernels.Solver[T]
	decay  float64 // of u in one step
	factor []T     // exp(-γt/2), by step
	rows   []T     // of an adjoint source as the caller gave it
}

func solvers[T kernels.Real]() kernels.Solvers[T] {
	return kernels.Solvers[T]{
		New: func(d kernels.Domain, o kernels.CPUOptions) (kernels.Solver[T], error) {
			g, err := decay(&d)
			if err != nil {
				return nil, err
			}
			inside, err := kernels.NewCPU[T](d, o)
			if err != nil {
				return nil, err
			}
			return &solver[T]{Solver: inside, decay: g}, nil
		},
		Measure: kernels.MeasureCPU[T],
	}
}

// prepare computes the factors of a shot's steps.
func (s *solver[T]) prepare(steps int) error {
	if loss := -math.Log(s.decay) * float64(steps); loss > maxLoss {
		return fmt.Errorf("waves would decay to exp(-%.0f) within the record, less than exp(-%d): use less damping or a shorter record", loss, maxLoss)
	}
	for n := len(s.factor); n <= steps; n++ {
		s.factor = append(s.factor, T(math.Pow(s.decay, float64(n))))
	}
	return nil
}

// damp multiplies rows n0 … n1-1 of traces [step, count] by exp(-γt/2).
func (s *solver[T]) damp(traces []T, n0, n1, count int) {
	for n := n0; n < n1; n++ {
		for i := range traces[n*count : (n+1)*count] {
			traces[n*count+i] *= s.factor[n]
		}
	}
}

// Forward implements kernels.Solver.
func (s *solver[T]) Forward(shot *kernels.Shot[T], n0, n1 int, snap *kernels.Snapshots[T]) error {
	if err := s.prepare(shot.NT); err != nil {
		return err
	}
	amplified := *shot
	amplified.Wavelet = make([]T, len(shot.Wavelet))
	for i, f := range shot.Wavelet {
		amplified.Wavelet[i] = f / s.factor[i%shot.NT]
	}
	if err := s.Solver.Forward(&amplified, n0, n1, snap); err != nil {
		return err
	}
	s.damp(shot.Record, n0, n1, shot.Receivers.Count())
	return nil
}

// Scatter implements kernels.Solver.
func (s *solver[T]) Scatter(shot *kernels.Shot[T], n0, n1 int, snap *kernels.Snapshots[T], deltaM []T) error {
	if err := s.prepare(shot.NT); err != nil {
		return err
	}
	if err := s.Solver.Scatter(shot, n0, n1, snap, deltaM); err != nil {
		return err
	}
	s.damp(shot.Record, n0, n1, shot.Receivers.Count())
	return nil
}

// Adjoint implements kernels.Solver: the adjoint of what Forward does, backward. Products of η and w + f are those of the damped fields as
// they are, since η holds the inverse of the factor; of the squares each snapshot has its own.
func (s *solver[T]) Adjoint(shot *kernels.Shot[T], n0, n1 int, snap *kernels.Snapshots[T], image *kernels.Imaging[T]) error {
	if err := s.prepare(shot.NT); err != nil {
		return err
	}
	receivers := shot.Receivers.Count()
	if len(shot.Record) == shot.NT*receivers && 0 <= n0 && n0 <= n1 && n1 <= shot.NT { // else it is refused below
		given := shot.Record[n0*receivers : n1*receivers]
		s.rows = append(s.rows[:0], given...)
		s.damp(shot.Record, n0, n1, receivers)
		defer func() { copy(given, s.rows) }()
	}
	for end := n1; end > n0; {
		begin := n0
		var squares []T
		if snap != nil && image != nil && image.Illumination != nil && end > snap.Phase {
			// back to the last step with a snapshot
			if n := (end-1-snap.Phase)/snap.Every*snap.Every + snap.Phase; n >= n0 {
				begin, squares = n, image.Illumination
			}
		}
		multiply(squares, 1/(s.factor[begin]*s.factor[begin]))
		if err := s.Solver.Adjoint(shot, begin, end, snap, image); err != nil {
			return err
		}
		multiply(squares, s.factor[begin]*s.factor[begin])
		end = begin
	}
	if image != nil && image.Wavelet != nil {
		sources := shot.Sources.Count()
		for n := n0; n < n1; n++ {
			for i := range sources {
				image.Wavelet[n*sources+i] /= s.factor[n]
			}
		}
	}
	return nil
}

func multiply[T kernels.Real](v []T, by T) {
	for i := range v {
		v[i] *= by
	}
}

// TurnBack implements kernels.Solver.
func (s *solver[T]) TurnBack(kernels.Solver[T], []int) error {
	return fmt.Errorf("the damped equation is not stepped back in time")
}
