package fwi

import (
	"gofwi/wave"
)

// RegularisationConfig says what is known of a model besides its data. Both parts may be used together.
type RegularisationConfig struct {
	// Tikhonov adds Tikhonov/2 · mean(|∂z w|² + Horizontal² |∂h S w|²) to the misfit (that of a model that predicts nothing is one half). w is what Reference
	// says, S averages along depth, ∂z and ∂h are differences in (m/s)/m between neighbours that the mask lets change. In s²; a stage may change it
	// (Stage.Tikhonov). 0: none, but in the schedule that is made where none is given 0.0018 over the
	// square of its first stage's highest frequency, while least squares are fitted there, and little of it at the next. Negative: none.
	Tikhonov float64 `yaml:"tikhonov,omitempty"`
	// Horizontal is the weight of horizontal derivatives. 0 is 10.
	Horizontal float64 `yaml:"horizontal,omitempty"`
	// Smoothing is the standard deviation in m of the average S, that leaves thin layers free to dip. 0 is 0.4 of the first stage's shortest wavelength,
	// negative none.
	Smoothing float64 `yaml:"smoothing,omitempty"`
	// Reference is "start", by which w is the velocity's difference from the start model, or "model", the velocity itself. "" is start.
	Reference string `yaml:"reference,omitempty"`
	// TotalVariation bounds the mean of |∇v| over the cells, in units of the start model's: every trial model is projected to the nearest one within the
	// bound, which keeps edges and levels what lies between them (Esser, Guasch, van Leeuwen, Aravkin & Herrmann 2018, SIAM J. Imaging Sci. 11, 376). 0: none.
	TotalVariation float64 `yaml:"total_variation,omitempty"`
}

const (
	// tikhonovScale is the default of Tikhonov times the square of the first stage's frequency: derivatives of a velocity are frequencies, and scale with it.
	tikhonovScale = 0.0018
	// horizontalScale is the default of Horizontal, regularSmoothing of Smoothing in wavelengths.
	horizontalScale, regularSmoothing = 10, 0.4
	// releasedTikhonov is the share of the weight that is left when all data are heard, up to releasedFrom times the first stage's frequency: there and at
	// the next two of the schedule's.
	releasedTikhonov, releasedFrom = 0.1, 2.0
)

// resolve fills the defaults for a schedule and the slowest velocity in m/s.
func (c *RegularisationConfig) resolve(stages []Stage, vmin float64) {
	if c.Tikhonov <= 0 {
		return
	}
	if c.Horizontal == 0 {
		c.Horizontal = horizontalScale
	}
	if c.Smoothing == 0 {
		c.Smoothing = regularSmoothing * vmin / stages[0].MaxFrequency
	}
	if c.Reference == "" {
		c.Reference = "start"
	}
}

// regularise gives a default schedule the regularisation that lets the model depart from its start, along the section, no more roughly than the data ask
// for (docs/decisions/regularisation.md): all of it while the data are chosen, a tenth with all data there and at the next two frequencies, none at higher ones.
func (c *Config) regularise() {
	first := c.Stages[0].MaxFrequency
	c.Regularisation.Tikhonov = tikhonovScale / (first * first)
	for i := range c.Stages {
		switch s := &c.Stages[i]; {
		case s.MaxFrequency > releasedFrom*first:
			s.Tikhonov = -1
		case s.MaxFrequency > first || lastOfAttempt(c.Stages, i):
			s.Tikhonov = releasedTikhonov
		}
	}
}

// of returns the regularisation of a stage.
func (c RegularisationConfig) of(s Stage) RegularisationConfig {
	if s.Tikhonov != 0 {
		c.Tikhonov *= max(0, s.Tikhonov)
	}
	return c
}

// regulariser is the regularisation on one stage's grid. nil is none.
type regulariser struct {
	tv        *totalVariation
	weight    float64   // Tikhonov's, over the number of cells
	axes      []float64 // squares of the weights of derivatives along the axes
	average   *Smoother // S; nil: none
	mask      []float32
	reference []float64 // nil: zero
	bounded   bool      // is the total variation
	limit     float64   // of it
}

// newRegulariser returns the regularisation of a resolved configuration on a grid, where mask tells the cells that may change and start is the start model.
func newRegulariser(g wave.Grid, c RegularisationConfig, mask, start []float32) (*regulariser, error) {
	if c.Tikhonov <= 0 && c.TotalVariation == 0 {
		return nil, nil
	}
	r := &regulariser{tv: newTotalVariation(g), mask: mask, weight: max(0, c.Tikhonov) / float64(g.Cells()), axes: make([]float64, g.Axes())}
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
	if c.Smoothing > 0 {
		sigma := make([]float64, g.Axes())
		sigma[0] = c.Smoothing
		var err error
		if r.average, err = NewSmoother(g.Shape, g.Spacing, sigma, mask); err != nil {
			return nil, err
		}
	}
	r.bounded, r.limit = c.TotalVariation > 0, c.TotalVariation*r.tv.value(wide)
	return r, nil
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
		r.inside(axis, d[axis])
		if axis > 0 && r.average != nil {
			r.average.apply(d[axis])
		}
		for i, s := range d[axis] {
			sum += square * s * s
			d[axis][i] *= square
		}
	}
	if gradient != nil {
		for axis := range r.axes {
			if axis > 0 && r.average != nil {
				r.average.adjoint(d[axis])
			}
			r.inside(axis, d[axis])
		}
		r.tv.transpose(v, d)
		for i, s := range v {
			gradient[i] += float32(r.weight * s)
		}
	}
	return 0.5 * r.weight * sum
}

// inside sets the differences along an axis to zero that reach over the mask's edge.
func (r *regulariser) inside(axis int, d []float64) {
	stride := r.tv.stride[axis]
	for i := range d {
		if r.mask[i] == 0 || i+stride < len(d) && r.mask[i+stride] == 0 {
			d[i] = 0
		}
	}
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
