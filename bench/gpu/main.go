// Command gpu measures the CUDA kernels of package kernels/cuda and the propagator on them, and prints a line of JSON for each figure.
//
//	bench-gpu [-quick]
//
// Points are cells of the solver's grid, absorbing layers included, times steps times shots. The yardstick is the measured bandwidth of
// copies over 16 bytes a point: one field read, the other read and written, M read.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"gofwi/kernels"
	"gofwi/kernels/cuda"
	"gofwi/wave"
)

const bytesAPoint = 16

func main() {
	quick := flag.Bool("quick", false, "small sizes, to try the program itself")
	flag.Parse()
	if err := run(*quick); err != nil {
		fmt.Fprintln(os.Stderr, "bench-gpu:", err)
		os.Exit(1)
	}
}

func say(name string, figures map[string]any) {
	figures["name"] = name
	line, err := json.Marshal(figures)
	if err != nil {
		panic(err) // of maps of numbers and words
	}
	fmt.Println(string(line))
}

func run(quick bool) error {
	devices, err := cuda.Devices()
	if err != nil {
		return err
	}
	d := devices[0]
	free, total, err := d.Memory()
	if err != nil {
		return err
	}
	say("device", map[string]any{"device": d.Name, "multiprocessors": d.Processors, "bytes": total, "free": free, "driver": d.DriverVersion, "devices": len(devices)})
	size := 1 << 30
	if quick {
		size = 1 << 20
	}
	bandwidth, err := d.CopyBandwidth(size)
	if err != nil {
		return err
	}
	say("copy", map[string]any{"bytes_per_second": bandwidth})
	n, steps, shots := 400, 200, 64
	if quick {
		n, steps, shots = 24, 10, 2
	}
	for _, layer := range []int{0, 20} {
		for _, order := range []int{4, 8} {
			if err := steps3D(d, n, min(layer, n/3), order, steps, bandwidth); err != nil {
				return err
			}
		}
	}
	for _, order := range []int{4, 8} {
		if err := survey2D(order, shots, quick); err != nil {
			return err
		}
	}
	return nil
}

// coefficients of absorbing layers at both ends: typical ones, as speed does not depend on them.
func coefficients(n, layer int) (a, b []float64) {
	a, b = make([]float64, n), make([]float64, n)
	for i := range n {
		if depth := layer - min(i, n-1-i); depth > 0 {
			x := float64(depth) / float64(layer)
			a[i], b[i] = -0.2*x*x, 0.95-0.2*x*x
		}
	}
	return a, b
}

// steps3D times forward steps of one shot in a cube, the median of five runs.
func steps3D(d *cuda.Device, n, layer, order, steps int, bandwidth float64) error {
	domain := kernels.Domain{Shape: []int{n, n, n}, Spacing: []float64{10, 10, 10}, Order: order}
	for range 3 {
		a, b := coefficients(n, layer)
		domain.A, domain.B = append(domain.A, a), append(domain.B, b)
	}
	batch, err := cuda.NewBatch[float32](d, domain, 1)
	if err != nil {
		return err
	}
	defer batch.Close()
	m := make([]float32, domain.Cells())
	vdt := 0.5 * kernels.MaxTimeStep(domain.SecondDifference(), 1, domain.Spacing...)
	for i := range m {
		m[i] = float32(vdt * vdt * (1 + 0.1*math.Sin(float64(i))))
	}
	middle := int32(domain.Cells()/2 + n/2)
	point := kernels.Points[float32]{Begin: []int32{0, 1}, Cell: []int32{middle - middle%int32(n) + int32(n/2)}, Weight: []float32{1, 7: 0}}
	shot := &kernels.Shot[float32]{NT: steps, Sources: point, Receivers: point, Wavelet: make([]float32, steps)}
	shot.Wavelet[0] = 1
	if err := batch.SetModel(m); err != nil {
		return err
	}
	if err := batch.Load([]*kernels.Shot[float32]{shot}); err != nil {
		return err
	}
	seconds, err := median(5, func() error {
		if err := batch.Forward(0, steps, nil); err != nil {
			return err
		}
		return batch.Wait()
	})
	if err != nil {
		return err
	}
	rate := float64(domain.Cells()) * float64(steps) / seconds
	say("forward_3d", map[string]any{"cells": n, "layer": layer, "order": order, "points_per_second": rate, "fraction_of_bandwidth": rate * bytesAPoint / bandwidth})
	return nil
}

// survey2D times a survey of Marmousi's size in one batch through the propagator: 200 × 500 cells and layers of 20.
func survey2D(order, shots int, quick bool) error {
	grid, nt := wave.NewGrid2D(200, 500, 10, 10), 1000
	if quick {
		grid, nt = wave.NewGrid2D(20, 30, 10, 10), 50
	}
	const dt = 0.001
	var sources []wave.Position
	for i := range shots {
		sources = append(sources, wave.Position{20, grid.End(1) * (float64(i) + 0.5) / float64(shots)})
	}
	receivers := wave.Line(grid.NX(), 10, 0, grid.End(1))
	survey := wave.FixedSpread(sources, receivers, wave.Ricker(10, dt, nt, 0.1), dt)
	vp := make([]float32, grid.Cells())
	for i := range vp {
		vp[i] = float32(1600 + 1700*float64(i/grid.NX())/float64(grid.Shape[0]) + 100*math.Sin(float64(i)/50))
	}
	p, err := wave.NewPropagator(grid, survey, wave.Options{MaxVelocity: 4000, Order: order, DT: dt, Backend: wave.CUDA})
	if err != nil {
		return err
	}
	defer p.Close()
	plan := p.Plan()
	points := float64(plan.Points()) * float64(plan.Steps) * float64(shots)
	forward, err := median(3, func() error {
		_, err := p.Forward(context.Background(), vp, survey.AllShots())
		return err
	})
	if err != nil {
		return err
	}
	gradient, err := median(3, func() error {
		_, err := p.Gradient(context.Background(), vp, survey.AllShots(), func(_ int, d, a []float32) (float64, error) { copy(a, d); return 0, nil })
		return err
	})
	if err != nil {
		return err
	}
	say("survey_2d", map[string]any{"order": order, "shots": shots, "batch": plan.Batch, "storage": plan.Storage, "interval": plan.SnapshotInterval, "cells": plan.SolverShape, "steps": plan.Steps,
		"forward_seconds": forward, "gradient_seconds": gradient, "forward_points_per_second": points / forward, "gradient_points_per_second": points / gradient})
	return nil
}

// median returns the median time of runs of f after one that does not count.
func median(runs int, f func() error) (float64, error) {
	var seconds []float64
	for i := range runs + 1 {
		begun := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		if i > 0 {
			seconds = append(seconds, time.Since(begun).Seconds())
		}
	}
	slices.Sort(seconds)
	return seconds[len(seconds)/2], nil
}
