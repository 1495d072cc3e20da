package wave

// layout places a model's grid inside the solver's, which adds the absorbing layers.
type layout struct {
	grid                     Grid
	nz, nx                   int // of the solver
	top, bottom, left, right int // cells added
	freeSurface              bool
}

func newLayout(g Grid, top, bottom, left, right int, freeSurface bool) layout {
	return layout{g, g.NZ() + top + bottom, g.NX() + left + right, top, bottom, left, right, freeSurface}
}

// extend copies a model onto the solver's grid, repeating the outermost cells through the layers.
func extend[T float32 | float64](l *layout, dst, src []T) {
	nz, nx := l.grid.NZ(), l.grid.NX()
	for i := range l.nz {
		row := src[min(max(i-l.top, 0), nz-1)*nx:]
		for j := range l.nx {
			dst[i*l.nx+j] = row[min(max(j-l.left, 0), nx-1)]
		}
	}
}

// fold is the adjoint of extend: what a layer's cells hold is added to the outermost cells.
func fold[T float32 | float64](l *layout, dst, src []T) {
	nz, nx := l.grid.NZ(), l.grid.NX()
	clear(dst)
	for i := range l.nz {
		row := dst[min(max(i-l.top, 0), nz-1)*nx:]
		for j := range l.nx {
			row[min(max(j-l.left, 0), nx-1)] += src[i*l.nx+j]
		}
	}
}

// crop copies the model's part of the solver's grid.
func crop[T float32 | float64](l *layout, dst, src []T) {
	nz, nx := l.grid.NZ(), l.grid.NX()
	for i := range nz {
		copy(dst[i*nx:(i+1)*nx], src[(i+l.top)*l.nx+l.left:])
	}
}
