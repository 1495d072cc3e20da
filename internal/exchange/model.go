package exchange

import (
	"fmt"
	"math"
	"slices"

	"gofwi/internal/segy"
	"gofwi/wave"
)

// Model is a velocity model whose grid may be known in part only.
type Model struct {
	Values  []float32
	Shape   []int     // [nz, nx] or [nz, ny, nx]
	Spacing []float64 // m per axis; 0: unknown
	Origin  []float64 // position of the first cell in m; nil: unknown
}

// ReadModel takes a model from a SEG-Y section, a column from each trace. The spacing down is the sample interval, taken for
// millimetres as is usual in depth sections; the spacing across follows from the CDP positions, or those of sources, where they
// are evenly spaced. Traces whose CDP positions fill a rectangle line by line, lines along x, are a volume.
func ReadModel(f *segy.File) (*Model, error) {
	values, nz, nx, err := f.Section()
	if err != nil {
		return nil, err
	}
	dz, top := float64(f.Interval)/1e3, f.Traces[0].Header.Delay*1e3
	m := &Model{Values: values, Shape: []int{nz, nx}, Spacing: []float64{dz, 0}}
	if f.Traces[0].Header.CoordinateUnits >= 2 {
		return m, nil
	}
	if ny, perLine, dy, dx := rectangle(f.Traces); ny > 1 {
		first := &f.Traces[0].Header
		return &Model{Values: values, Shape: []int{nz, ny, perLine}, Spacing: []float64{dz, dy, dx}, Origin: []float64{top, first.CDPY, first.CDPX}}, nil
	}
	for _, place := range []func(*segy.Header) float64{
		func(h *segy.Header) float64 { return h.CDPX },
		func(h *segy.Header) float64 { return h.SourceX },
	} {
		first, last := place(&f.Traces[0].Header), place(&f.Traces[nx-1].Header)
		step := (last - first) / float64(max(1, nx-1))
		even := step > 0
		for x := range nx {
			even = even && math.Abs(place(&f.Traces[x].Header)-first-float64(x)*step) <= 0.01*step
		}
		if even {
			m.Spacing[1] = step
			m.Origin = []float64{top, first}
			break
		}
	}
	return m, nil
}

// rectangle returns the numbers of lines and of traces on a line, and their distances in m, of traces whose CDP positions fill a
// rectangle line by line; zeros if they do not.
func rectangle(traces []segy.Trace) (ny, nx int, dy, dx float64) {
	first := &traces[0].Header
	for nx < len(traces) && traces[nx].Header.CDPY == first.CDPY {
		nx++
	}
	if nx < 2 || nx == len(traces) || len(traces)%nx != 0 {
		return 0, 0, 0, 0
	}
	ny = len(traces) / nx
	last := &traces[len(traces)-1].Header
	dy, dx = (last.CDPY-first.CDPY)/float64(ny-1), (last.CDPX-first.CDPX)/float64(nx-1)
	for i := range traces {
		h := &traces[i].Header
		offX, offY := h.CDPX-first.CDPX-float64(i%nx)*dx, h.CDPY-first.CDPY-float64(i/nx)*dy
		if !(math.Abs(offX) <= 0.01*dx && math.Abs(offY) <= 0.01*dy) {
			return 0, 0, 0, 0
		}
	}
	return ny, nx, dy, dx
}

// Transpose turns a model stored the other way round: [nx, nz] or [nx, ny, nz].
func (m *Model) Transpose() {
	slices.Reverse(m.Shape)
	turned := make([]float32, len(m.Values))
	g := wave.Grid{Shape: m.Shape}
	for i := range turned {
		index := g.Index(i)
		from := 0
		for d := len(index) - 1; d >= 0; d-- {
			from = from*m.Shape[d] + index[d]
		}
		turned[i] = m.Values[from]
	}
	m.Values = turned
}

// Thin keeps every n-th sample in every direction.
func (m *Model) Thin(n int) {
	g := wave.Grid{Shape: m.Shape}
	var kept []float32
	for i, v := range m.Values {
		if !slices.ContainsFunc(g.Index(i), func(k int) bool { return k%n != 0 }) {
			kept = append(kept, v)
		}
	}
	m.Values, m.Shape, m.Spacing = kept, slices.Clone(m.Shape), slices.Clone(m.Spacing)
	for d := range m.Shape {
		m.Shape[d] = (m.Shape[d] + n - 1) / n
		m.Spacing[d] *= float64(n)
	}
}

// Grid returns the model's grid, or an error if it is not fully known or the values are no velocities in m/s.
func (m *Model) Grid() (wave.Grid, error) {
	g := wave.Grid{Shape: m.Shape, Spacing: m.Spacing}
	if slices.ContainsFunc(m.Origin, func(x float64) bool { return x != 0 }) {
		g.Origin = m.Origin
	}
	if err := g.Validate(); err != nil {
		return g, err
	}
	vmin, vmax, err := wave.CheckVelocity(g, m.Values)
	switch {
	case err != nil:
		return g, err
	case vmax < 20:
		return g, fmt.Errorf("the values run from %g to %g: these look like km/s (--unit km/s)", vmin, vmax)
	case vmin < 100 || vmax > 15000:
		return g, fmt.Errorf("the values run from %g to %g m/s: outside anything that rock or water does (100 to 15000 m/s); is the byte order, type or unit another one?", vmin, vmax)
	}
	return g, nil
}

// ModelTraces returns a SEG-Y file with a column of the model in each trace, the spacing down in millimetres as sample
// interval, the top's depth as delay in metres and the places across as positions; of a volume line by line, numbered as inlines and crosslines.
// ReadModel takes it back.
func ModelTraces(values []float32, g wave.Grid) (*segy.File, error) {
	mm := g.DZ() * 1e3
	if math.Abs(mm-math.Round(mm)) > 1e-6*mm || mm < 0.5 || mm > math.MaxUint16 {
		return nil, fmt.Errorf("a spacing down of %g m does not fit into SEG-Y, which holds whole millimetres up to %.3f m", g.DZ(), math.MaxUint16/1e3)
	}
	if top := g.Start(0); top != math.Round(top) {
		return nil, fmt.Errorf("the model's top at %g m does not fit into SEG-Y, which holds whole metres", top)
	}
	nx := g.NX()
	traces, err := segy.SectionTraces(values, g.NZ(), g.Columns(), g.DX(), g.Start(g.Axes()-1))
	if err != nil {
		return nil, err
	}
	for i := range traces {
		h := &traces[i].Header
		h.Delay = g.Start(0) * 1e-3
		if g.Axes() == 3 {
			x, y := g.Start(2)+float64(i%nx)*g.DX(), g.Start(1)+float64(i/nx)*g.Spacing[1]
			h.SourceX, h.ReceiverX, h.CDPX = x, x, x
			h.SourceY, h.ReceiverY, h.CDPY = y, y, y
			h.Inline, h.Xline = int32(i/nx+1), int32(i%nx+1)
			h.FieldRecord, h.TraceNumber = h.Inline, h.Xline
		}
	}
	return &segy.File{Format: segy.IEEE, Interval: int(math.Round(mm)), Revision: 1, Traces: traces}, nil
}
