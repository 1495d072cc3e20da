// Command kernels measures the wave kernels on one core against what the core can do: the rate of its arithmetic units and that
// of its caches and memory.
//
// A row's roof is the lesser of two rates: that of the units, the vector instructions that a step without absorbing layers needs at the
// measured rate of multiply-adds; and that of the memory, the measured rate of reading u, the field before and M and writing the new
// field (16 bytes a cell) in arrays of the grid's size, wherever in caches or memory they come to lie. Layers have the same roof, so that their
// cost shows. All cells are stepped at every step. Times are processor times of the thread, and rates the best of several runs.
package main

/*
#cgo CFLAGS: -O3 -Wall -Werror
#include "machine.h"
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"

	"gofwi/kernels"
)

var version = "unknown" // git revision, set by the linker

// instructionSet is one build of the kernels.
type instructionSet struct {
	name  string
	bytes int // of a vector
	// fused: a·b + c is one instruction
	fused bool
}

var instructionSets = []instructionSet{{"avx512", 64, true}, {"avx2", 32, true}, {"baseline", 16, false}}

const (
	layerCells = 20
	repeats    = 5
)

// grid is one size of problem; steps make a run long enough to time.
type grid struct {
	shape []int
	steps int
}

func (g grid) String() string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(g.shape), "[]"), " ", " × ")
}

func (g grid) cells() int {
	n := 1
	for _, k := range g.shape {
		n *= k
	}
	return n
}

var grids = []grid{{[]int{240, 540}, 150}, {[]int{160, 160, 160}, 6}}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "kernels:", err)
		os.Exit(1)
	}
}

func run() error {
	runtime.LockOSThread()
	if runtime.GOARCH != "amd64" {
		return fmt.Errorf("the machine's rates are measured on amd64 only, not on %s", runtime.GOARCH)
	}
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("%s, %d CPUs, load %s\n%s, gcc %s, revision %s\n\n", processor(), runtime.NumCPU(), strings.Join(strings.Fields(string(load))[:3], " "),
		runtime.Version(), C.GoString(C.compiler()), version)

	var known []instructionSet
	machine := map[string]rates{}
	fmt.Printf("%-10s %22s %22s %22s", "", "multiply-adds, Gflop/s", "1 MiB, GB/s", "384 MiB, GB/s")
	for _, g := range grids {
		fmt.Printf(" %22s", g.String()+", GB/s")
	}
	fmt.Println()
	for _, set := range instructionSets {
		if _, err := kernels.InstructionSet(set.name); err != nil {
			continue
		}
		r := measureMachine(set)
		known, machine[set.name] = append(known, set), r
		fmt.Printf("%-10s %22.1f %22.1f %22.1f", set.name, 2*r.multiplyAdds/1e9, 16*updates(set, 1<<20/12)/1e9, 16*updates(set, 384<<20/12)/1e9)
		for _, g := range grids {
			fmt.Printf(" %22.1f", 16*r.updates[g.cells()]/1e9)
		}
		fmt.Println()
	}

	fmt.Printf("\n%-16s %5s %-9s %-7s %-9s %9s %9s %9s %9s\n", "cells", "order", "", "layers", "", "Gpoint/s", "roof", "bound by", "fraction")
	for _, g := range grids {
		for order := 2; order <= 2*kernels.MaxRadius; order += 2 {
			for _, layers := range []int{0, layerCells} {
				for _, set := range known {
					roof, bound := machine[set.name].roof(set, g, order)
					forward, adjoint, err := measureKernels(g, order, layers, set.name)
					if err != nil {
						return err
					}
					for _, row := range []struct {
						name string
						rate float64
					}{{"forward", forward}, {"adjoint", adjoint}} {
						fmt.Printf("%-16s %5d %-9s %-7d %-9s %9.2f %9.2f %9s %9.2f\n", g, order, row.name, layers, set.name, row.rate/1e9, roof/1e9, bound, row.rate/roof)
					}
				}
			}
		}
	}
	return nil
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, found := strings.CutPrefix(s.Text(), "model name"); found {
			return strings.TrimLeft(name, "\t :")
		}
	}
	return "unknown processor"
}

// rates of one core per second.
type rates struct {
	multiplyAdds float64         // elements
	updates      map[int]float64 // cells of a step that needs no neighbours, by the cells of the arrays
}

func measureMachine(set instructionSet) rates {
	r := rates{updates: map[int]float64{}}
	for range repeats {
		r.multiplyAdds = max(r.multiplyAdds, float64(C.multiply_adds(C.int(set.bytes), 5e6)))
	}
	for _, g := range grids {
		r.updates[g.cells()] = updates(set, g.cells())
	}
	return r
}

// updates returns the cells a second of a step that needs no neighbours, on three arrays of the given cells.
func updates(set instructionSet, cells int) float64 {
	cells = (cells + 15) / 16 * 16 // whole vectors
	return float64(C.updates(C.int(set.bytes), C.long(cells), C.int(max(1, 40_000_000/cells))))
}

// roof returns the cells a second that a step without layers cannot exceed, and what bounds them.
func (r rates) roof(set instructionSet, g grid, order int) (float64, string) {
	multiplyAdd := 2.0
	if set.fused {
		multiplyAdd = 1
	}
	// A pair of taps is an addition and a multiply-add, the middle ones are one multiplication, the step is two additions and a multiply-add.
	instructions := float64(len(g.shape)*order/2)*(1+multiplyAdd) + 1 + 2 + multiplyAdd
	arithmetic := r.multiplyAdds * multiplyAdd / instructions
	if memory := r.updates[g.cells()]; memory < arithmetic {
		return memory, "memory"
	}
	return arithmetic, "units"
}

// measureKernels returns the cells a second of forward and adjoint steps without snapshots.
func measureKernels(g grid, order, layers int, set string) (forward, adjoint float64, err error) {
	const h, velocity = 10.0, 2000.0
	d := kernels.Domain{Shape: g.shape, Order: order}
	for _, n := range g.shape {
		a, b := make([]float64, n), make([]float64, n)
		for i := range a {
			if depth := float64(max(layers-i, layers-(n-1-i))); depth > 0 {
				b[i] = 1 - 0.3*depth/layerCells
				a[i] = -0.2 * depth / layerCells
			}
		}
		d.Spacing, d.A, d.B = append(d.Spacing, h), append(d.A, a), append(d.B, b)
	}
	s, err := kernels.NewCPU[float32](d, kernels.CPUOptions{InstructionSet: set})
	if err != nil {
		return 0, 0, err
	}
	defer s.Close()
	s.WholeGrid = true
	dt := 0.8 * kernels.MaxTimeStep(d.SecondDifference(), velocity, d.Spacing...)
	m := make([]float32, d.Cells())
	for i := range m {
		m[i] = float32(velocity * velocity * dt * dt)
	}
	s.SetModel(m)
	middle := kernels.Points[float32]{Begin: []int32{0, 1}, Cell: []int32{int32(d.Cells()/2 - d.NX()/2)}, Weight: []float32{1, kernels.Run - 1: 0}}
	shot := &kernels.Shot[float32]{NT: g.steps, Sources: middle, Receivers: middle, Wavelet: make([]float32, g.steps), Record: make([]float32, g.steps)}
	shot.Wavelet[0] = 1
	steps := float64(d.Cells() * g.steps)
	for range repeats {
		for _, direction := range []struct {
			rate *float64
			step func() error
		}{
			{&forward, func() error { return s.Forward(shot, 0, g.steps, nil) }},
			{&adjoint, func() error { return s.Adjoint(shot, 0, g.steps, nil, nil) }},
		} {
			s.Reset()
			begin := C.thread_seconds()
			if err := direction.step(); err != nil {
				return 0, 0, err
			}
			*direction.rate = max(*direction.rate, steps/float64(C.thread_seconds()-begin))
		}
	}
	return forward, adjoint, nil
}
