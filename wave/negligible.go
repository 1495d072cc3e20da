package wave

import "math"

// neglects reports whether kernels leave out what Options.Negligible says.
func (p *PropagatorOf[T]) neglects() bool {
	_, single := any(T(0)).(float32)
	return single && p.options.Negligible > 0 && !p.options.WholeGrid && !p.options.Reference
}

// What short waves of the grid gain on those in the model: the differences' group velocities are above 1 by a few per cent at most, and points, as differences
// do, act on four rows.
const (
	fastestShare = 0.92
	spareRows    = 4
)

// lastSteps returns for each of the solver's rows the last step after which a wave there can still come to a receiver, whose cells are given, before the shot ends. A row's waves are no
// faster than its bound.
func (p *PropagatorOf[T]) lastSteps(cells []int32) []int32 {
	n, nx := p.domain.Shape[0], p.domain.NX()
	time := make([]float64, n) // s to the next receiver's row
	for i := range time {
		time[i] = math.Inf(1)
	}
	for _, c := range cells {
		time[int(c)/nx] = 0
	}
	across := func(i int) float64 { // from row i to the next
		spacing := p.grid.Spacing[0] * (p.ratioAt(i*nx) + p.ratioAt((i+1)*nx)) / 2
		return fastestShare * spacing / max(p.ceiling[i], p.ceiling[i+1])
	}
	for i := range n - 1 {
		time[i+1] = min(time[i+1], time[i]+across(i))
	}
	for i := n - 2; i >= 0; i-- {
		time[i] = min(time[i], time[i+1]+across(i))
	}
	out := make([]int32, n)
	for i, t := range time {
		steps := (t - spareRows*across(min(i, n-2))) / p.plan.DT
		out[i] = int32(p.plan.Steps - int(max(0, min(steps, float64(p.plan.Steps)))))
	}
	return out
}
