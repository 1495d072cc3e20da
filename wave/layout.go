package wave

// layout places a model's grid inside the solver's, which adds the absorbing layers.
type layout struct {
	grid        Grid
	shape       []int    // of the solver
	added       [][2]int // cells before the first and behind the last of the model, per axis
	freeSurface bool
	stretch     *stretch // nil: rows lie evenly
}

func newLayout(g Grid, added [][2]int, freeSurface bool) layout {
	l := layout{grid: g, added: added, freeSurface: freeSurface}
	for d, n := range g.Shape {
		l.shape = append(l.shape, n+added[d][0]+added[d][1])
	}
	return l
}

// cells returns the number of cells of the solver.
func (l *layout) cells() int { return Grid{Shape: l.shape}.Cells() }

// eachRow calls f with every row (cells along x) of the solver's grid, in their order in memory, and the row of the model that is
// nearest to it; inside tells whether it is the same one.
func (l *layout) eachRow(f func(row, nearest int, inside bool)) {
	index := make([]int, len(l.shape)-1)
	for row := 0; ; row++ {
		nearest, inside := 0, true
		for d, i := range index {
			n := l.grid.Shape[d]
			at := i - l.added[d][0]
			clamped := min(max(at, 0), n-1)
			inside = inside && at == clamped
			nearest = nearest*n + clamped
		}
		f(row, nearest, inside)
		d := len(index) - 1
		for ; d >= 0; d-- {
			if index[d]++; index[d] < l.shape[d] {
				break
			}
			index[d] = 0
		}
		if d < 0 {
			return
		}
	}
}

// alongX returns the lengths of rows of the solver's grid and of the model, and where the model's begins in the solver's.
func (l *layout) alongX() (solver, model, left int) {
	x := len(l.shape) - 1
	return l.shape[x], l.grid.Shape[x], l.added[x][0]
}

// extend copies a model onto the solver's grid, repeating the outermost cells through the layers.
func extend[T float32 | float64](l *layout, dst, src []T) {
	wide, nx, left := l.alongX()
	l.eachRow(func(row, nearest int, _ bool) {
		from, to := src[nearest*nx:(nearest+1)*nx], dst[row*wide:(row+1)*wide]
		for j := range to {
			to[j] = from[min(max(j-left, 0), nx-1)]
		}
	})
}

// fold is the adjoint of extend: what a layer's cells hold is added to the outermost cells.
func fold[T float32 | float64](l *layout, dst, src []T) {
	wide, nx, left := l.alongX()
	clear(dst)
	l.eachRow(func(row, nearest int, _ bool) {
		from, to := src[row*wide:(row+1)*wide], dst[nearest*nx:(nearest+1)*nx]
		for j, v := range from {
			to[min(max(j-left, 0), nx-1)] += v
		}
	})
}

// crop copies the model's part of the solver's grid.
func crop[T float32 | float64](l *layout, dst, src []T) {
	wide, nx, left := l.alongX()
	l.eachRow(func(row, nearest int, inside bool) {
		if inside {
			copy(dst[nearest*nx:(nearest+1)*nx], src[row*wide+left:])
		}
	})
}
