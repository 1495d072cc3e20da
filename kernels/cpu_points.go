package kernels

/*
#include "cpu.h"
*/
import "C"

import (
	"math"
	"runtime"
	"unsafe"
)

// cpuPoints are points as the kernels take them, kept from run to run.
type cpuPoints[T Real] struct {
	of           *int32 // first cell of the Points and their first weight; nobody changes them while they are in use
	weight       *T
	offset, cell []int32
	line         pointLine[T]
}

// pointLine is what points share that all act on the same rows with the same shares, as receivers at one depth do; no rows if they do not. The kernels then read
// or write the rows once for all points, and not eight rows for each.
type pointLine[T Real] struct {
	row     []int32 // offset of its first column in a field, for each row
	share   []T     // of each row
	column  []int32 // of each point's run, from the first
	along   []T     // [point][Run]
	scratch []T     // [columns]
}

// points translates cells of the grid to offsets in the padded fields and snapshots, and finds the line that receivers share. Sources share none: they act on snapshots
// too, and steps with and without a snapshot must round alike.
func (s *CPU[T]) points(pin *runtime.Pinner, p *Points[T], known *cpuPoints[T]) C.cpu_points {
	if len(p.Cell) > 0 && (known.of != &p.Cell[0] || known.weight != &p.Weight[0] || len(known.offset) != len(p.Cell)) {
		nx, width := int32(s.domain.NX()), int32(s.solver.width)
		*known = cpuPoints[T]{of: &p.Cell[0], weight: &p.Weight[0], offset: make([]int32, len(p.Cell)), cell: make([]int32, len(p.Cell))}
		for k, c := range p.Cell {
			known.offset[k] = s.offset(c)
			known.cell[k] = c/nx*width + c%nx
		}
		if len(s.domain.Shape) == 2 && known == &s.receivers {
			known.line = s.lineOf(p)
		}
	}
	out := C.cpu_points{
		count:  C.int(p.Count()),
		begin:  (*C.int)(pointer(pin, p.Begin)),
		weight: pointer(pin, p.Weight),
	}
	if len(p.Cell) == 0 {
		return out
	}
	out.offset, out.cell = (*C.int)(pointer(pin, known.offset)), (*C.int)(pointer(pin, known.cell))
	if line := &known.line; line.row != nil {
		out.rows, out.columns = C.int(len(line.row)), C.int(len(line.scratch))
		out.row, out.column = (*C.int)(pointer(pin, line.row)), (*C.int)(pointer(pin, line.column))
		out.share, out.along, out.line = pointer(pin, line.share), pointer(pin, line.along), pointer(pin, line.scratch)
	}
	return out
}

// lineOf returns the line that points share. Few points far apart share none: they touch fewer cells than it has.
func (s *CPU[T]) lineOf(p *Points[T]) (line pointLine[T]) {
	count, nx := p.Count(), int32(s.domain.NX())
	if count == 0 {
		return line
	}
	rows := int(p.Begin[1] - p.Begin[0])
	first, last := nx, int32(0)
	for i := range count {
		if int(p.Begin[i+1]-p.Begin[i]) != rows || rows == 0 {
			return line
		}
		column := p.Cell[p.Begin[i]] % nx
		first, last = min(first, column), max(last, column)
	}
	columns := int(last-first+Run+Run-1) / Run * Run
	if columns > count*Run {
		return line
	}
	// The row and the column of the first point's largest weight tell the shares.
	lead, at := 0, 0
	largest := func(w []T) (most T, at int) {
		for k, v := range w {
			if v = max(v, -v); v > most {
				most, at = v, k
			}
		}
		return most, at
	}
	begin := int(p.Begin[0])
	if most, k := largest(p.Weight[Run*begin : Run*(begin+rows)]); most > 0 {
		lead, at = k/Run, k%Run
	} else {
		return line
	}
	share := make([]T, rows)
	for k := range share {
		share[k] = p.Weight[Run*(begin+k)+at] / p.Weight[Run*(begin+lead)+at]
	}
	tolerance := T(16 * (math.Nextafter(1, 2) - 1)) // round-off of a product and a quotient, and some more
	if unsafe.Sizeof(T(0)) == 4 {
		tolerance = T(16 * (math.Nextafter32(1, 2) - 1))
	}
	column, along := make([]int32, count), make([]T, 0, Run*count)
	for i := range count {
		k0 := int(p.Begin[i])
		column[i] = p.Cell[k0]%nx - first
		leading := p.Weight[Run*(k0+lead):][:Run]
		most, _ := largest(leading)
		for k := range rows {
			if p.Cell[k0+k] != p.Cell[begin+k]/nx*nx+first+column[i] {
				return line
			}
			for j, w := range p.Weight[Run*(k0+k):][:Run] {
				if d := w - share[k]*leading[j]; !(max(d, -d) <= tolerance*most) {
					return line
				}
			}
		}
		along = append(along, leading...)
	}
	line = pointLine[T]{share: share, column: column, along: along, scratch: make([]T, columns)}
	for k := range rows {
		line.row = append(line.row, s.offset(p.Cell[begin+k]/nx*nx+first))
	}
	return line
}
