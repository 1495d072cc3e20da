package wave

import (
	"fmt"
	"math"
	"sort"

	"gofwi/kernels"
)

// stretch lays the solver's rows unevenly in depth: z = z(ζ), ζ in rows, with dz/dζ = s h, h the grid's spacing. What it makes of the equation is in
// kernels/stretch.go. Models stay on their grid: the rows take them as averages of 1/v², which is the effective medium (Regrid).
type stretch struct {
	ratio  []float64 // s in each row of the solver, absorbing layers included
	above  int       // rows of the upper layer
	take   []axisRow // of the grid's rows in each of the solver's within the grid; they sum to one
	back   []axisRow // of the solver's rows in each of the grid's: linear interpolation
	step   float64   // m from entry to entry of zeta
	first  float64   // depth in m below the grid's first row of the first entry
	zeta   []float64 // rows below the grid's first row
	origin float64   // depth of the grid's first row, m
}

const (
	stretchSlope   = 0.08 // how much the ratio changes from row to row at most
	stretchSmooth  = 2.5  // cells of the grid: standard deviation of the Gaussian that rounds its corners
	stretchEntries = 64   // of the table in a cell of the grid
)

// newStretch returns the rows for spacings in m that are wanted at most at the grid's rows, with so many cells of absorbing layers; nil where the
// grid's own are as few.
func newStretch(g Grid, wanted []float64, layers [2]int) (*stretch, error) {
	n, h := g.Shape[0], g.Spacing[0]
	if len(wanted) != n {
		return nil, fmt.Errorf("Options.RowSpacing has %d values for %d rows", len(wanted), n)
	}
	var widest float64
	for i, w := range wanted {
		if !(w > 0) || math.IsInf(w, 0) {
			return nil, fmt.Errorf("Options.RowSpacing is %g m at row %d", w, i)
		}
		widest = max(widest, w/h)
	}
	if widest <= 1 {
		return nil, nil
	}
	// The ratio at the table's entries, constant beyond the grid, with its steepest rises cut and its corners rounded.
	margin := int(math.Ceil(widest*float64(max(layers[0], layers[1])+2*hicksHalfWidth))) + 8*stretchSmooth
	at := func(k int) float64 { return float64(k-margin*stretchEntries) / stretchEntries } // in cells of the grid
	ratio := make([]float64, (n-1+2*margin)*stretchEntries+1)
	for k := range ratio {
		z := min(max(at(k), 0), float64(n-1))
		i := min(int(z), n-2)
		t := z - float64(i)
		ratio[k] = max(1, ((1-t)*wanted[i]+t*wanted[i+1])/h)
	}
	const rise = stretchSlope / stretchEntries
	for k := 1; k < len(ratio); k++ {
		ratio[k] = min(ratio[k], ratio[k-1]+rise)
	}
	for k := len(ratio) - 2; k >= 0; k-- {
		ratio[k] = min(ratio[k], ratio[k+1]+rise)
	}
	ratio = smoothed(ratio, stretchSmooth*stretchEntries)

	// Rows: as many as make the last one the grid's last, and a little closer for it.
	zeta := make([]float64, len(ratio))
	count := func() (total float64) {
		for k := 1; k < len(ratio); k++ {
			zeta[k] = zeta[k-1] + (1/ratio[k-1]+1/ratio[k])/(2*stretchEntries)
		}
		begin := zeta[margin*stretchEntries]
		for k := range zeta {
			zeta[k] -= begin
		}
		return zeta[len(zeta)-1-margin*stretchEntries]
	}
	total := count()
	rows := int(math.Ceil(total-1e-9)) + 1
	if rows >= n {
		return nil, nil
	}
	for k := range ratio {
		ratio[k] *= total / float64(rows-1)
	}
	count()

	s := &stretch{above: layers[0], step: h / stretchEntries, first: -float64(margin) * h, zeta: zeta, origin: g.Start(0)}
	depth := make([]float64, layers[0]+rows+layers[1]) // in cells of the grid
	for i := range depth {
		row := float64(i - layers[0])
		k := min(max(sort.SearchFloat64s(zeta, row), 1), len(zeta)-1)
		t := (row - zeta[k-1]) / (zeta[k] - zeta[k-1])
		depth[i] = at(k-1) + t/stretchEntries
		s.ratio = append(s.ratio, (1-t)*ratio[k-1]+t*ratio[k])
	}
	inside := depth[layers[0] : layers[0]+rows]
	for i, z := range inside {
		s.take = append(s.take, meanRow(n, z, s.ratio[layers[0]+i]-1))
	}
	for i := range n {
		k := min(max(sort.SearchFloat64s(inside, float64(i)), 1), rows-1)
		t := min(max((float64(i)-inside[k-1])/(inside[k]-inside[k-1]), 0), 1)
		s.back = append(s.back, axisRow{begin: k - 1, weight: []float64{1 - t, t}})
	}
	return s, nil
}

// smoothed returns values filtered with a Gaussian, the outermost going on beyond both ends.
func smoothed(v []float64, sigma float64) []float64 {
	reach := int(4 * sigma)
	weight := make([]float64, reach+1)
	sum := 0.0
	for k := range weight {
		weight[k] = math.Exp(-float64(k*k) / (2 * sigma * sigma))
		sum += weight[k]
		if k > 0 {
			sum += weight[k]
		}
	}
	out := make([]float64, len(v))
	for i := range v {
		total := weight[0] * v[i]
		for k := 1; k <= reach; k++ {
			total += weight[k] * (v[max(i-k, 0)] + v[min(i+k, len(v)-1)])
		}
		out[i] = total / sum
	}
	return out
}

// meanRow returns the weights of n values at 0 … n-1 in the mean of their linear interpolant over the given width about x; that is itself for no width.
func meanRow(n int, x, width float64) axisRow {
	width = max(width, 0)
	from, to := min(max(x-width/2, 0), float64(n-1)), min(max(x+width/2, 0), float64(n-1))
	begin := min(int(from), n-2)
	row := axisRow{begin: begin, weight: make([]float64, min(int(math.Ceil(to)), n-1)-begin+1)}
	if len(row.weight) < 2 {
		row.weight = make([]float64, 2)
	}
	if to-from < 1e-9 {
		t := from - float64(begin)
		row.weight[0], row.weight[1] = 1-t, t
		return row
	}
	for k := 0; k+1 < len(row.weight); k++ {
		a, b := max(from-float64(begin+k), 0), min(to-float64(begin+k), 1)
		if b <= a {
			continue
		}
		share := (b*b - a*a) / 2
		row.weight[k+1] += share / (to - from)
		row.weight[k] += (b - a - share) / (to - from)
	}
	return row
}

// placeRows lays the solver's rows as Options.RowSpacing asks for, and checks Options.RowVelocity.
func (p *PropagatorOf[T]) placeRows(layers [2]int) (err error) {
	o := &p.options
	if o.RowVelocity != nil && len(o.RowVelocity) != p.grid.Shape[0] {
		return fmt.Errorf("Options.RowVelocity has %d values for %d rows", len(o.RowVelocity), p.grid.Shape[0])
	}
	for i, v := range o.RowVelocity {
		if !(v > 0) || v > o.MaxVelocity*(1+1e-6) {
			return fmt.Errorf("Options.RowVelocity is %g m/s at row %d: it must be positive and at most the MaxVelocity of %g m/s", v, i, o.MaxVelocity)
		}
	}
	if o.RowSpacing == nil {
		return nil
	}
	if p.grid.Axes() != 2 || p.equation.Name != kernels.Acoustic {
		return fmt.Errorf("Options.RowSpacing is for 2D grids and equation %q, not for %d axes and %q", kernels.Acoustic, p.grid.Axes(), p.equation.Name)
	}
	p.stretch, err = newStretch(p.grid, o.RowSpacing, layers)
	return err
}

// rows returns the number of rows within the grid.
func (s *stretch) rows() int { return len(s.take) }

// row returns where a depth in m lies, in rows of the solver.
func (s *stretch) row(z float64) float64 {
	x := (z - s.origin - s.first) / s.step
	k := min(max(int(x), 0), len(s.zeta)-2)
	t := x - float64(k)
	return (1-t)*s.zeta[k] + t*s.zeta[k+1] + float64(s.above)
}

// mapRows applies rows of weights to a section of nx cells a row.
func mapRows[T float32 | float64](dst, src []T, rows []axisRow, nx int) {
	for i, r := range rows {
		to := dst[i*nx:][:nx]
		clear(to)
		for k, w := range r.weight {
			for j, v := range src[(r.begin+k)*nx:][:nx] {
				to[j] += T(w) * v
			}
		}
	}
}

// mapRowsAdjoint is the transpose of mapRows.
func mapRowsAdjoint[T float32 | float64](dst, src []T, rows []axisRow, nx int) {
	clear(dst)
	for i, r := range rows {
		from := src[i*nx:][:nx]
		for k, w := range r.weight {
			to := dst[(r.begin+k)*nx:][:nx]
			for j, v := range from {
				to[j] += T(w) * v
			}
		}
	}
}

// inUnits are the units in which velocities are cubed: km/s, whose powers float32 holds well.
const inUnits = 1e-3

// solverVelocity writes a model to the solver's grid.
func (p *PropagatorOf[T]) solverVelocity(dst, vp []T) {
	if p.stretch == nil {
		extend(&p.layout, dst, vp)
		return
	}
	slowness := make([]T, len(vp))
	for i, v := range vp {
		slowness[i] = 1 / (v * inUnits * v * inUnits)
	}
	nx := p.grid.NX()
	rows := make([]T, p.stretch.rows()*nx)
	mapRows(rows, slowness, p.stretch.take, nx)
	for i, s := range rows {
		rows[i] = T(1 / (inUnits * math.Sqrt(float64(s))))
	}
	extend(&p.layout, dst, rows)
}

// solverChange writes the change of solverVelocity's outcome, velocity, for a change of the model.
func (p *PropagatorOf[T]) solverChange(dst, velocity, vp, dv []T) {
	if p.stretch == nil {
		extend(&p.layout, dst, dv)
		return
	}
	scaled := make([]T, len(vp))
	for i, v := range vp {
		v *= inUnits
		scaled[i] = dv[i] / (v * v * v)
	}
	nx := p.grid.NX()
	rows := make([]T, p.stretch.rows()*nx)
	mapRows(rows, scaled, p.stretch.take, nx)
	extend(&p.layout, dst, rows)
	for i, v := range velocity {
		v *= inUnits
		dst[i] *= v * v * v
	}
}

// modelGradient turns M ∂J/∂M, which it changes, into ∂J/∂v on the grid; M is that of vp.
func (p *PropagatorOf[T]) modelGradient(dst, sum, vp []T) error {
	if p.stretch == nil {
		fold(&p.layout, dst, sum)
		for i, v := range vp {
			dst[i] *= 2 / v // ∂M/∂v = 2 M / v
		}
		return nil
	}
	velocity, err := p.borrow()
	if err != nil {
		return err
	}
	defer p.giveBack(velocity)
	p.solverVelocity(velocity.Data, vp)
	for i, v := range velocity.Data {
		v *= inUnits
		sum[i] *= v * v
	}
	nx := p.grid.NX()
	rows := make([]T, p.stretch.rows()*nx)
	fold(&p.layout, rows, sum)
	mapRowsAdjoint(dst, rows, p.stretch.take, nx)
	for i, v := range vp {
		s := v * inUnits
		dst[i] *= 2 / (v * s * s)
	}
	return nil
}

// modelIllumination turns the sum of squared snapshots into that of (∂(1/v² ∂²p/∂t²))² on the grid: a snapshot is s^(3/2) times as large.
func (p *PropagatorOf[T]) modelIllumination(dst, sum []T) {
	if p.stretch == nil {
		crop(&p.layout, dst, sum)
		return
	}
	nx := p.grid.NX()
	rows := make([]T, p.stretch.rows()*nx)
	crop(&p.layout, rows, sum)
	for i := range rows {
		s := T(p.stretch.ratio[p.stretch.above+i/nx])
		rows[i] /= s * s * s
	}
	mapRows(dst, rows, p.stretch.back, nx)
}

// ratioAt returns s in a cell of the solver.
func (p *PropagatorOf[T]) ratioAt(cell int) float64 {
	if p.stretch == nil {
		return 1
	}
	return p.stretch.ratio[cell/p.domain.NX()]
}

// ceilings returns the fastest velocity that each of the solver's rows (in 3D planes) may have.
func (p *PropagatorOf[T]) ceilings() []float64 {
	above := p.layout.added[0][0]
	out := make([]float64, p.layout.shape[0])
	for i := range out {
		row := min(max(i-above, 0), p.layout.grid.Shape[0]-1)
		switch {
		case p.options.RowVelocity == nil:
			out[i] = p.options.MaxVelocity
		case p.stretch == nil:
			out[i] = p.options.RowVelocity[row]
		default:
			take := p.stretch.take[row]
			for k, w := range take.weight {
				if w > 0 {
					out[i] = max(out[i], p.options.RowVelocity[take.begin+k])
				}
			}
		}
	}
	return out
}

// stabilityLimit returns the largest stable time step in s: by Gershgorin's theorem for M (D2 - W), the least of what each row's velocity, spacing and potential allow.
func (p *PropagatorOf[T]) stabilityLimit(potential []float64) float64 {
	least := math.Inf(1)
	cells := p.layout.cells() / p.layout.shape[0]
	spacing := append([]float64{}, p.grid.Spacing...)
	limits := map[[2]float64]float64{}
	for row, vmax := range p.ceilings() {
		s := 1.0
		if p.stretch != nil {
			s = p.stretch.ratio[row]
		}
		key := [2]float64{vmax, s}
		if _, known := limits[key]; !known {
			spacing[0] = s * p.grid.Spacing[0]
			limits[key] = p.equation.MaxTimeStep(p.weights, vmax, spacing...)
		}
		limit := limits[key]
		if potential != nil {
			part := potential[row*cells : (row+1)*cells]
			scaled := make([]float64, len(part))
			for i, w := range part {
				scaled[i] = w / (s * s)
			}
			limit = kernels.LimitWithPotential(limit, vmax, scaled)
		}
		least = min(least, limit)
	}
	return least
}
