// Command misfit inverts data spoilt by spikes with a misfit of its own, Huber's, and the optimiser of package fwi.
package main

import (
	"context"
	"fmt"
	"log"
	"math"

	"gofwi/fwi"
	"gofwi/wave"
)

// huber is ½ r² for residuals r up to limit and grows linearly beyond: a spike pulls no harder than a wave does.
func huber(limit float64, synthetic, observed, adjoint []float32) (misfit float64) {
	for i, s := range synthetic {
		r := float64(s - observed[i])
		clipped := min(max(r, -limit), limit) // the derivative
		adjoint[i] = float32(clipped)
		misfit += clipped * (r - clipped/2)
	}
	return misfit
}

func main() {
	grid := wave.NewGrid2D(41, 81, 20, 20)
	survey := wave.FixedSpread(wave.Line(5, 20, 100, 1500), wave.Line(41, 780, 0, 1600), wave.Ricker(6, 0.004, 300, 0.2), 0.004)
	p, err := wave.NewPropagator(grid, survey, wave.Options{MaxVelocity: 3000})
	check(err)
	defer p.Close()
	start, truth := make([]float32, grid.Cells()), make([]float32, grid.Cells())
	for i := range start {
		z, x := float64(i/grid.NX())*20-400, float64(i%grid.NX())*20-800
		start[i] = 2000
		truth[i] = 2000 + float32(200*math.Exp(-(z*z+x*x)/(2*150*150)))
	}
	observed, err := p.Forward(context.Background(), truth, survey.AllShots())
	check(err)
	loudest := float32(0)
	for _, v := range observed[0] {
		loudest = max(loudest, v)
	}
	for shot, gather := range observed {
		for i := 137 * (shot + 1); i < len(gather); i += 997 {
			gather[i] += 3 * loudest // a spike every four seconds of record
		}
	}

	before, err := fwi.ModelRMS(start, truth, nil)
	check(err)
	fmt.Printf("start          model error %.0f m/s\n", before)
	for _, m := range []struct {
		name  string
		limit float64
	}{{"least squares", math.Inf(1)}, {"Huber", 0.02 * float64(loudest)}} {
		after, err := fwi.ModelRMS(invert(p, start, observed, m.limit), truth, nil)
		check(err)
		fmt.Printf("%-13s  model error %.0f m/s\n", m.name, after)
	}
}

// invert takes ten steps of L-BFGS. The loop is the caller's: the method asks, the wave equation answers.
func invert(p *wave.Propagator, x []float32, observed [][]float32, limit float64) []float32 {
	evaluate := func(x []float32) fwi.Evaluation {
		g, err := p.Gradient(context.Background(), x, p.Survey().AllShots(), func(shot int, synthetic, adjoint []float32) (float64, error) {
			return huber(limit, synthetic, observed[shot], adjoint), nil
		})
		if err != nil {
			return fwi.Evaluation{Err: err} // the method tries a shorter step
		}
		return fwi.Evaluation{Misfit: g.Misfit, Gradient: g.VP}
	}
	method, err := fwi.NewMethod("lbfgs", fwi.MethodOptions{FirstChange: 50, Lower: []float32{1500}, Upper: []float32{3000}})
	check(err)
	check(method.Start(x, evaluate(x)))
	request, x := method.Pending()
	for request != fwi.Stop && method.Status().Iteration < 10 {
		var answer fwi.Evaluation
		if request == fwi.EvaluateBoth || request == fwi.EvaluateMisfit {
			answer = evaluate(x)
		}
		request, x, err = method.Next(answer)
		check(err)
	}
	return x
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
