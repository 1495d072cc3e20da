package exchange

import (
	"fmt"
	"math"

	"gofwi/internal/segy"
	"gofwi/wave"
)

// Model is a velocity model whose grid may be known in part only.
type Model struct {
	Values []float32 // [NZ, NX]
	NZ, NX int
	DZ, DX float64   // m; 0: unknown
	Origin []float64 // (z, x) in m; nil: unknown
}

// ReadModel takes a model from a SEG-Y section, a column from each trace. The spacing down is the sample interval, taken for
// millimetres as is usual in depth sections; the spacing across follows from the CDP positions, or those of sources, where they
// are evenly spaced.
func ReadModel(f *segy.File) (*Model, error) {
	values, nz, nx, err := f.Section()
	if err != nil {
		return nil, err
	}
	m := &Model{Values: values, NZ: nz, NX: nx, DZ: float64(f.Interval) / 1e3}
	for _, place := range []func(*segy.Header) float64{
		func(h *segy.Header) float64 { return h.CDPX },
		func(h *segy.Header) float64 { return h.SourceX },
	} {
		first, last := place(&f.Traces[0].Header), place(&f.Traces[nx-1].Header)
		step := (last - first) / float64(max(1, nx-1))
		even := step > 0 && f.Traces[0].Header.CoordinateUnits < 2
		for x := range nx {
			even = even && math.Abs(place(&f.Traces[x].Header)-first-float64(x)*step) <= 0.01*step
		}
		if even {
			m.DX = step
			m.Origin = []float64{f.Traces[0].Header.Delay * 1e3, first}
			break
		}
	}
	return m, nil
}

// Transpose turns a model stored [nx, nz] by columns.
func (m *Model) Transpose() {
	turned := make([]float32, len(m.Values))
	for i := range m.NZ {
		for j := range m.NX {
			turned[j*m.NZ+i] = m.Values[i*m.NX+j]
		}
	}
	m.Values, m.NZ, m.NX = turned, m.NX, m.NZ
}

// Thin keeps every n-th sample in both directions.
func (m *Model) Thin(n int) {
	nz, nx := (m.NZ+n-1)/n, (m.NX+n-1)/n
	kept := make([]float32, 0, nz*nx)
	for z := 0; z < m.NZ; z += n {
		for x := 0; x < m.NX; x += n {
			kept = append(kept, m.Values[z*m.NX+x])
		}
	}
	m.Values, m.NZ, m.NX = kept, nz, nx
	m.DZ *= float64(n)
	m.DX *= float64(n)
}

// Grid returns the model's grid, or an error if it is not fully known or the values are no velocities in m/s.
func (m *Model) Grid() (wave.Grid, error) {
	g := wave.NewGrid2D(m.NZ, m.NX, m.DZ, m.DX)
	if len(m.Origin) == 2 && (m.Origin[0] != 0 || m.Origin[1] != 0) {
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

// ModelTraces returns a SEG-Y file with a column of the model [nz, nx] in each trace, the spacing down in millimetres as sample
// interval, the top's depth as delay in metres and the places across as positions. ReadModel takes it back.
func ModelTraces(values []float32, g wave.Grid) (*segy.File, error) {
	mm := g.DZ() * 1e3
	if math.Abs(mm-math.Round(mm)) > 1e-6*mm || mm < 0.5 || mm > math.MaxUint16 {
		return nil, fmt.Errorf("a spacing down of %g m does not fit into SEG-Y, which holds whole millimetres up to %.3f m", g.DZ(), math.MaxUint16/1e3)
	}
	if top := g.Start(0); top != math.Round(top) {
		return nil, fmt.Errorf("the model's top at %g m does not fit into SEG-Y, which holds whole metres", top)
	}
	traces, err := segy.SectionTraces(values, g.NZ(), g.NX(), g.DX(), g.Start(1))
	if err != nil {
		return nil, err
	}
	for i := range traces {
		traces[i].Header.Delay = g.Start(0) * 1e-3
	}
	return &segy.File{Format: segy.IEEE, Interval: int(math.Round(mm)), Revision: 1, Traces: traces}, nil
}
