package fwi

import "gofwi/wave"

// RegularisationConfig says what is known of a model besides its data. Both parts may be used together.
type RegularisationConfig struct {
	// Tikhonov adds Tikhonov/2 · mean |D v|² to the misfit (that of a model that predicts nothing is one half), where D v are the velocity's derivatives,
	// (m/s)/m. In s², 0: none.
	Tikhonov float64 `yaml:"tikhonov,omitempty"`
	// Horizontal is the weight of horizontal derivatives in D, the vertical one's being 1. 0 is 1.
	Horizontal float64 `yaml:"horizontal,omitempty"`
	// Reference is what D is taken of: "model", the model itself, or "start", its difference from the start model. "" is model.
	Reference string `yaml:"reference,omitempty"`
	// TotalVariation bounds the mean of |∇v| over the cells, in units of the start model's: every trial model is projected to the nearest one within the
	// bound, which keeps edges and levels what lies between them (Esser, Guasch, van Leeuwen, Aravkin & Herrmann 2018, SIAM J. Imaging Sci. 11, 376). 0: none.
	TotalVariation float64 `yaml:"total_variation,omitempty"`
}

// regulariser is the regularisation on one stage's grid. nil is none.
type regulariser struct {
	tv        *totalVariation
	weight    float64   // Tikhonov's, over the number of cells
	axes      []float64 // squares of the weights of D along the axes
	reference []float64 // nil: zero
	bounded   bool      // is the total variation
	limit     float64   // of it
}

// newRegulariser returns the regularisation of a configuration on a grid, where start is the start model.
func newRegulariser(g wave.Grid, c RegularisationConfig, start []float32) *regulariser {
	if c.Tikhonov == 0 && c.TotalVariation == 0 {
		return nil
	}
	r := &regulariser{tv: newTotalVariation(g), weight: c.Tikhonov / float64(g.Cells()), axes: make([]float64, g.Axes())}
	wide := make([]float64, len(start))
	for i, v := range start {
		wide[i] = float64(v)
	}
	for axis := range r.axes {
		if r.axes[axis] = 1; axis > 0 {
			r.axes[axis] = c.Horizontal * c.Horizontal
		}
	}
	if c.Reference == "start" {
		r.reference = wide
	}
	r.bounded, r.limit = c.TotalVariation > 0, c.TotalVariation*r.tv.value(wide)
	return r
}

// add adds the penalty's derivative at x to gradient, if there is one, and returns the penalty.
func (r *regulariser) add(gradient, x []float32) float64 {
	if r == nil || r.weight == 0 {
		return 0
	}
	v := make([]float64, len(x))
	for i, s := range x {
		v[i] = float64(s)
		if r.reference != nil {
			v[i] -= r.reference[i]
		}
	}
	d := r.tv.field()
	r.tv.gradient(d, v)
	var sum float64
	for axis, square := range r.axes {
		for i, s := range d[axis] {
			sum += square * s * s
			d[axis][i] *= square
		}
	}
	if gradient != nil {
		r.tv.transpose(v, d)
		for i, s := range v {
			gradient[i] += float32(r.weight * s)
		}
	}
	return 0.5 * r.weight * sum
}

// project moves a model into the bound on its total variation.
func (r *regulariser) project(x []float32) { r.tv.project(x, r.limit) }

// product adds the penalty's second derivative times a change to out.
func (r *regulariser) product(out, change []float32) {
	if r == nil {
		return
	}
	linear := *r
	linear.reference = nil
	linear.add(out, change)
}
