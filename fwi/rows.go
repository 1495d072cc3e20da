package fwi

import (
	"math"

	"gofwi/wave"
)

// models says which models on the user's grid a propagator is made for: those given, and those that are at most `rise` times as fast as the fastest of them at the same
// depth or above, a few rows further down included. None: all within the configuration's bounds.
type models struct {
	of   [][]float32
	rise float64
}

// mostRise is models.rise within a stage: its time step is that of the fastest row, and the deep ones, whose velocities are the highest, lie furthest apart. The next
// stage takes the model that this one ends with. Above the lowest frequency models change less.
const (
	mostRise  = 1.4
	laterRise = 1.25
)

const riseBelow = 4 // rows

// during returns the models of a stage that begins with the given one.
func (c Config) during(s Stage, vp []float32) models {
	for _, other := range c.Stages {
		if other.MaxFrequency < s.MaxFrequency {
			return models{[][]float32{vp}, laterRise}
		}
	}
	return models{[][]float32{vp}, mostRise}
}

// lay lets the solver's rows lie as far apart as the slowest velocity at their depth allows, and bounds the velocity of each.
func (m models) lay(o *wave.Options, p *Problem, c Config, g wave.Grid) {
	n := g.Shape[0]
	slowest, fastest := make([]float64, n), make([]float64, n)
	regrid := wave.NewRegrid(p.Grid, g)
	for i, fine := range m.of {
		vp := make([]float32, g.Cells())
		regrid.Velocity(vp, fine)
		low, high := rowExtremes(g, vp)
		for row := range n {
			if i == 0 {
				slowest[row] = low[row]
			}
			slowest[row], fastest[row] = min(slowest[row], low[row]), max(fastest[row], high[row])
		}
	}
	o.RowFastest = make([]float64, n)
	var most float64
	for row := range n {
		for _, v := range fastest[row:min(row+riseBelow+1, n)] {
			most = max(most, v)
		}
		o.RowFastest[row] = min(m.rise*most, c.MaxVelocity)
	}
	o.MaxVelocity = o.RowFastest[n-1]
	if o.Backend == wave.CPU && g.Axes() == 2 {
		least := c.slowest(p) // for which the stage's spacing is made
		for _, v := range slowest {
			o.RowSlowest = append(o.RowSlowest, max(v, least))
		}
	}
}

// rowExtremes returns the slowest and the fastest velocity of each of a grid's rows, in 3D planes.
func rowExtremes(g wave.Grid, vp []float32) (slowest, fastest []float64) {
	cells := len(vp) / g.Shape[0]
	for row := range g.Shape[0] {
		slowest, fastest = append(slowest, math.Inf(1)), append(fastest, 0)
		for _, v := range vp[row*cells : (row+1)*cells] {
			slowest[row], fastest[row] = min(slowest[row], float64(v)), max(fastest[row], float64(v))
		}
	}
	return slowest, fastest
}

// planStage returns the options of a stage's propagator for the given models, and its plan.
func planStage(p *Problem, c Config, s Stage, g wave.Grid, top float64, m models) (wave.Options, wave.Plan, error) {
	o := stageOptions(p, c, s, g)
	o.MaxFrequency = top
	plan, err := planOf(g, p.Survey, o)
	if err != nil || m.of == nil {
		return o, plan, err
	}
	note := plan.BackendNote
	if plan.Backend == wave.CPU {
		o.Backend = wave.CPU // what GPUs do not have is not asked of them: Auto's answer stands
	}
	m.lay(&o, p, c, g)
	plan, err = planOf(g, p.Survey, o)
	plan.BackendNote = note
	return o, plan, err
}

func planOf(g wave.Grid, s *wave.Survey, o wave.Options) (wave.Plan, error) {
	p, err := wave.NewPropagator(g, s, o)
	if err != nil {
		return wave.Plan{}, err
	}
	defer p.Close()
	return p.Plan(), nil
}

// upperBounds returns the fastest velocity of each of a grid's cells.
func upperBounds(o *wave.Options, g wave.Grid) []float32 {
	out := make([]float32, g.Cells())
	cells := len(out) / g.Shape[0]
	for i := range out {
		v := o.MaxVelocity
		if o.RowFastest != nil {
			v = o.RowFastest[i/cells]
		}
		out[i] = float32(v)
	}
	return out
}
