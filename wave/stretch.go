package wave

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"gofwi/kernels"
)

// stretch lays the solver's rows unevenly in depth: z = z(ζ), ζ in rows, with dz/dζ = s h, h the grid's spacing. What it makes of the equation is in
// kernels/stretch.go. Models stay on their grid: the rows take them as averages of 1/v², which is the effective medium (Regrid).
type stretch struct {
	ratio  []float64 // s in each row of the solver, absorbing layers included
	above  int       // rows of the upper layer
	depth  []float64 // of the solver's rows within the grid, in cells of the grid
	take   []axisRow // of the grid's rows in each of the solver's within the grid; they sum to one
	back   []axisRow // of the solver's rows in each of the grid's: linear interpolation
	step   float64   // m from entry to entry of zeta
	first  float64   // depth in m below the grid's first row of the first entry
	zeta   []float64 // rows below the grid's first row
	origin float64   // depth of the grid's first row, m
}

const (
	stretchSlope   = 0.08 // how much the ratio changes from row to row at most
	stretchShare   = 0.9  // of the spacing that the slowest velocity allows: what rows take of the model they then still hold at twice the wavenumber
	stretchSmooth  = 1.5  // cells of the grid: standard deviation of the Gaussian that rounds its corners
	stretchFlat    = 5    // cells of the grid at its top and its bottom over which the ratio stays what it is in the absorbing layer there, which takes no other for none
	stretchEntries = 64   // of the table in a cell of the grid
)

// newStretch returns rows that lie as far apart as the slowest velocities in the grid's rows allow, in proportion, with so many cells of absorbing layers; nil where the
// grid's own are as few.
func newStretch(g Grid, slowest []float64, layers [2]int) *stretch {
	n, h := g.Shape[0], g.Spacing[0]
	least := slices.Min(slowest)
	widest := slices.Max(slowest) / least
	// The ratio at the table's entries, constant beyond the grid, with its steepest rises cut and its corners rounded.
	margin := int(math.Ceil(widest*float64(max(layers[0], layers[1])+2*hicksHalfWidth))) + 12
	at := func(k int) float64 { return float64(k-margin*stretchEntries) / stretchEntries } // in cells of the grid
	ratio := make([]float64, (n-1+2*margin)*stretchEntries+1)
	bottom := slices.Min(slowest[max(n-1-stretchFlat, 0):])
	for k := range ratio {
		z := min(max(at(k), 0), float64(n-1))
		i := min(int(z), n-2)
		t, v := z-float64(i), least
		if z > float64(n-1-stretchFlat) {
			v = bottom
		} else if z > stretchFlat {
			v = (1-t)*slowest[i] + t*slowest[i+1]
		}
		ratio[k] = max(1, stretchShare*v/least)
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
		return nil
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
	s.depth = inside
	for i, z := range inside {
		row := sincRow(n, z, max(s.ratio[layers[0]+i], 1))
		if i == rows-1 { // it goes on through the lower layer
			row = axisRow{begin: n - 1, weight: []float64{1}}
		}
		s.take = append(s.take, row)
	}
	for i := range n {
		k := min(max(sort.SearchFloat64s(inside, float64(i)), 1), rows-1)
		t := min(max((float64(i)-inside[k-1])/(inside[k]-inside[k-1]), 0), 1)
		s.back = append(s.back, axisRow{begin: k - 1, weight: []float64{1 - t, t}})
	}
	return s
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

// placeRows lays the solver's rows as Options.RowSlowest asks for, and checks Options.RowFastest.
func (p *PropagatorOf[T]) placeRows(layers [2]int) (err error) {
	o := &p.options
	if o.RowFastest != nil && len(o.RowFastest) != p.grid.Shape[0] {
		return fmt.Errorf("Options.RowFastest has %d values for %d rows", len(o.RowFastest), p.grid.Shape[0])
	}
	for i, v := range o.RowFastest {
		if !(v > 0) || v > o.MaxVelocity*(1+1e-6) {
			return fmt.Errorf("Options.RowFastest is %g m/s at row %d: it must be positive and at most the MaxVelocity of %g m/s", v, i, o.MaxVelocity)
		}
	}
	if o.RowSlowest == nil {
		return nil
	}
	if p.grid.Axes() != 2 || p.equation.Name != kernels.Acoustic {
		return fmt.Errorf("Options.RowSlowest is for 2D grids and equation %q, not for %d axes and %q", kernels.Acoustic, p.grid.Axes(), p.equation.Name)
	}
	if len(o.RowSlowest) != p.grid.Shape[0] {
		return fmt.Errorf("Options.RowSlowest has %d values for %d rows", len(o.RowSlowest), p.grid.Shape[0])
	}
	for i, v := range o.RowSlowest {
		if !(v > 0) || math.IsInf(v, 0) {
			return fmt.Errorf("Options.RowSlowest is %g m/s at row %d", v, i)
		}
	}
	p.stretch = newStretch(p.grid, o.RowSlowest, layers)
	return nil
}

// weightMargin is by how much waves may be slower than Options.RowSlowest and still have weights made for them: as much as they may be for the rows' spacing.
const weightMargin = stretchShare

// longWaveTolerance of |e| (kernels.BandError) is half of what weights for 3.2 points, the default of inversions, have: grids with more points need no better.
const longWaveTolerance = 1e-3

// longWaveWeights returns the weights down, and those along x of each block of the solver's rows, made for the band of what is slowest there: its waves are longer than the
// grid could carry, along x at depth, down wherever cells are lower than wide, and the time step may be longer for it. Nil: those of all rows.
func (p *PropagatorOf[T]) longWaveWeights() (down []float64, along [][]float64) {
	points := p.options.PointsPerWavelength
	if p.stretch == nil || points == 0 || p.options.Density != nil { // densities are stepped with D2 (kernels.Potential)
		return nil, nil
	}
	slowest, rows, h := p.options.RowSlowest, p.layout.shape[0], p.grid.Spacing
	least := slices.Min(slowest)
	tolerance := max(kernels.BandError(p.weights, points), longWaveTolerance)
	known := map[float64][]float64{}
	made := func(of float64) []float64 {
		of = math.Floor(20*of) / 20 // in steps: few sets will do
		if _, found := known[of]; !found {
			known[of] = p.weights
			if w := kernels.LongWaveWeights(p.options.Order, of, tolerance); w != nil && of > points && kernels.MaxSymbol(w) < kernels.MaxSymbol(p.weights) {
				known[of] = w
			}
		}
		return known[of]
	}
	fewest := math.Inf(1) // waves of the slowest velocity along x have `points`
	for first := 0; first < rows; first += kernels.RowBlock {
		v := math.Inf(1)
		for row := first; row < min(first+kernels.RowBlock, rows); row++ {
			z := p.stretch.depth[min(max(row-p.stretch.above, 0), p.stretch.rows()-1)]
			i := min(int(z), len(slowest)-2)
			of := max(1, weightMargin*min(slowest[i], slowest[i+1])/least)
			v, fewest = min(v, of), min(fewest, points*of*p.grid.MaxSpacing()/(h[0]*p.stretch.ratio[row]))
		}
		along = append(along, made(points*v))
	}
	return made(fewest), along
}

// rows returns the number of rows within the grid.
func (s *stretch) rows() int { return len(s.take) }

// fastest returns the largest of the values of the grid's rows that are no further than half a row from one of the solver's, or next to it.
func (s *stretch) fastest(v []float64, row int) (most float64) {
	z := s.depth[row]
	half := max(1, s.ratio[s.above+row]/2)
	for k := max(int(math.Ceil(z-half)), 0); k < len(v) && float64(k) <= z+half; k++ {
		most = max(most, v[k])
	}
	return most
}

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
	for i, s := range rows { // at sharp contrasts the mean overshoots
		ceiling := T(p.ceiling[p.stretch.above+i/nx])
		rows[i] = ceiling
		if least := 1 / (ceiling * inUnits * ceiling * inUnits); s > least {
			rows[i] = T(1 / (inUnits * math.Sqrt(float64(s))))
		}
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
		if v == T(p.ceiling[i/p.domain.NX()]) {
			v = 0
		}
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
		if v == T(p.ceiling[i/p.domain.NX()]) {
			v = 0
		}
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

// ceilings returns the fastest velocity that each of the solver's rows (in 3D planes) may have: with uneven rows the fastest of those of the grid that are closer to it
// than to its neighbours.
func (p *PropagatorOf[T]) ceilings() []float64 {
	above := p.layout.added[0][0]
	out := make([]float64, p.layout.shape[0])
	for i := range out {
		row := min(max(i-above, 0), p.layout.grid.Shape[0]-1)
		switch {
		case p.options.RowFastest == nil:
			out[i] = p.options.MaxVelocity
		case p.stretch == nil:
			out[i] = p.options.RowFastest[row]
		default:
			out[i] = p.stretch.fastest(p.options.RowFastest, row)
		}
	}
	return out
}

// stabilityLimit returns the largest stable time step in s, the least of what each row's velocity, spacing, weights and potential allow: for all u,
// -Σ u (D2 - W) u ≤ Σ (s² S_x/dx² + S_z/dz² + max W) u² over the rows, S the symbols' maxima.
func (p *PropagatorOf[T]) stabilityLimit(potential []float64) float64 {
	least := math.Inf(1)
	cells := p.layout.cells() / p.layout.shape[0]
	symbol, down := kernels.MaxSymbol(p.weights), kernels.MaxSymbol(p.domain.SecondDifference())
	var sum, block float64
	for _, h := range p.grid.Spacing {
		sum += symbol / (h * h)
	}
	for row, vmax := range p.ceiling {
		limit, s := p.equation.MaxTimeStep(p.weights, vmax, p.grid.Spacing...), 1.0
		if p.stretch != nil { // the equation's limit in proportion to the square root of the symbols' sum
			s = p.stretch.ratio[row]
			along := symbol
			if p.domain.D2Along != nil {
				if row%kernels.RowBlock == 0 {
					block = kernels.MaxSymbol(p.domain.D2Along[row/kernels.RowBlock])
				}
				along = block
			}
			h := p.grid.Spacing
			limit *= math.Sqrt(sum / (along/(h[1]*h[1]) + down/(s*h[0]*s*h[0])))
		}
		if potential != nil {
			scaled := slices.Clone(potential[row*cells : (row+1)*cells])
			for i := range scaled {
				scaled[i] /= s * s
			}
			limit = kernels.LimitWithPotential(limit, vmax, scaled)
		}
		least = min(least, limit)
	}
	return least
}
