package wave

// kernelElements estimates the elements that a solver of the kernels holds, fields, model and CPML memory with their padding, and those of
// one snapshot.
func kernelElements(l *layout, order int) (solver, snapshot int) {
	if len(l.shape) == 3 {
		return kernelElements3D(l, order)
	}
	rows, cols := l.shape[0], (l.shape[1]+15)/16*16
	solver = 3 * ((rows+7)/8*8 + 8) * (cols + 16) // the fields have whole tiles of 8 rows, and 4 more on both sides
	for _, w := range l.added[0] {
		solver += 2 * (w + order/2 + 8) * (cols + 16)
	}
	for _, w := range l.added[1] {
		solver += 2 * rows * (w + order/2 + 16 + 32)
	}
	return solver, rows * cols
}

func kernelElements3D(l *layout, order int) (solver, snapshot int) {
	nz, ny, cols := l.shape[0], l.shape[1], (l.shape[2]+15)/16*16
	plane := ny * cols
	solver = 3 * (nz + 8) * (ny + 8) * (cols + 16)
	for _, w := range l.added[0] {
		solver += 2 * (w + order/2) * plane
	}
	for _, w := range l.added[1] {
		solver += 2 * nz * (w + order/2) * cols
	}
	for _, w := range l.added[2] {
		solver += 2 * nz * ny * (w + order/2 + 16)
	}
	return solver, nz * plane
}
