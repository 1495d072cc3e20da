package kernels

// #include <string.h>
// #include "cpu.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// eachState calls f for the memory that steps depend on: u, u before, and the rest in a fixed order. u and u before change places
// with every step.
func (s *CPU[T]) eachState(f func(memory []byte)) {
	for _, field := range []unsafe.Pointer{s.solver.now, s.solver.before} {
		for i := range s.cleared {
			if s.cleared[i].holds(field) {
				f(s.cleared[i].used)
			}
		}
	}
	for i := range s.cleared {
		if a := &s.cleared[i]; !a.holds(s.solver.now) && !a.holds(s.solver.before) && !a.holds(s.solver.m) && !a.holds(s.solver.potential) {
			f(a.used)
		}
	}
}

// StateSize implements Solver.
func (s *CPU[T]) StateSize() int {
	if s.dry { // nothing is allocated: all but the model and the potential, each as large as a field
		sum := 0
		for i := range s.cleared {
			sum += len(s.cleared[i].used)
		}
		if s.solver.potential != nil { // that of rows is no field
			sum -= len(s.cleared[0].used)
		}
		return sum - len(s.cleared[0].used)
	}
	sum := 0
	s.eachState(func(memory []byte) { sum += len(memory) })
	return sum
}

// SaveState implements Solver.
func (s *CPU[T]) SaveState(dst []byte) {
	s.eachState(func(memory []byte) { dst = dst[copy(dst, memory):] })
}

// LoadState implements Solver.
func (s *CPU[T]) LoadState(src []byte) {
	s.eachState(func(memory []byte) { src = src[copy(memory, src):] })
	s.solver.limited = 0
}

// TurnBack implements Solver.
func (s *CPU[T]) TurnBack(from Solver[T], origin []int) error {
	f, ok := from.(*CPU[T])
	if !ok || !contains(f.domain.Shape, s.domain.Shape, origin) {
		return fmt.Errorf("a CPU solver of %v cells cannot take over the fields at %v of another kind or shape", s.domain.Shape, origin)
	}
	s.Reset()
	ny, x0 := int(s.solver.ny), origin[len(origin)-1]
	y0 := 0
	if len(origin) == 3 {
		y0 = origin[1]
	}
	s.eachRow(func(row, offset int) {
		at := (row/ny+origin[0])*int(f.solver.plane) + (row%ny+y0)*int(f.solver.stride)
		copy(s.cells(s.solver.now, offset), f.cells(f.solver.before, at)[x0:])
		copy(s.cells(s.solver.before, offset), f.cells(f.solver.now, at)[x0:])
	})
	if s.domain.FreeSurface { // the odd images above it
		plane := int(s.solver.plane)
		for k := 1; k <= s.domain.Order/2; k++ {
			for y := range ny {
				offset := y * int(s.solver.stride)
				from, to := s.cells(s.solver.now, offset+k*plane), s.cells(s.solver.now, offset-k*plane)
				for j, v := range from {
					to[j] = -v
				}
			}
		}
	}
	return nil
}

// contains reports whether a grid of shape inner fits into one of shape outer from cell origin on.
func contains(outer, inner, origin []int) bool {
	if len(inner) != len(outer) || len(origin) != len(outer) {
		return false
	}
	for d, n := range inner {
		if origin[d] < 0 || origin[d]+n > outer[d] {
			return false
		}
	}
	return true
}

// Narrow implements Solver.
func (s *CPU[T]) Narrow(dst []uint16, snapshot []T) {
	_, _ = dst[s.rows()*s.SnapshotRow()-1], snapshot[s.SnapshotSize()-1]
	C.cpu_narrow(s.kernels, C.int(unsafe.Sizeof(T(0))), s.solver, unsafe.Pointer(&snapshot[0]), (*C.uint16_t)(unsafe.Pointer(&dst[0])))
}

// Widen implements Solver.
func (s *CPU[T]) Widen(snapshot []T, src []uint16) {
	_, _ = src[s.rows()*s.SnapshotRow()-1], snapshot[s.SnapshotSize()-1]
	C.cpu_widen(s.kernels, C.int(unsafe.Sizeof(T(0))), s.solver, unsafe.Pointer(&snapshot[0]), (*C.uint16_t)(unsafe.Pointer(&src[0])))
}
