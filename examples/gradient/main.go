// Command gradient computes one gradient of the least-squares misfit and compares it with a finite difference.
package main

import (
	"context"
	"fmt"
	"log"
	"math"

	"gofwi/wave"
)

func main() {
	ctx := context.Background()
	grid := wave.NewGrid2D(61, 121, 15, 15)
	survey := wave.FixedSpread(wave.Line(4, 15, 200, 1600), wave.Line(61, 15, 0, 1800), wave.Ricker(8, 0.004, 300, 0.15), 0.004)
	p, err := wave.NewPropagator(grid, survey, wave.Options{MaxVelocity: 2500})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	// The start is homogeneous, the truth holds a fast body in its middle.
	start, body := make([]float32, grid.Cells()), make([]float32, grid.Cells())
	for i := range start {
		start[i] = 2000
		z, x := float64(i/grid.NX())*15-450, float64(i%grid.NX())*15-900
		body[i] = float32(100 * math.Exp(-(z*z+x*x)/(2*120*120)))
	}
	observed, err := p.Forward(ctx, sum(start, body, 1), survey.AllShots())
	if err != nil {
		log.Fatal(err)
	}
	// misfit is ½ Σ (synthetic - observed)²; its derivative with respect to the synthetic gather is the adjoint source.
	misfit := func(shot int, synthetic, adjoint []float32) (float64, error) {
		var j float64
		for i, s := range synthetic {
			adjoint[i] = s - observed[shot][i]
			j += float64(adjoint[i]) * float64(adjoint[i]) / 2
		}
		return j, nil
	}
	at := func(step float64) *wave.Gradient[float32] {
		g, err := p.Gradient(ctx, sum(start, body, step), survey.AllShots(), misfit)
		if err != nil {
			log.Fatal(err)
		}
		return g
	}

	g := at(0)
	var slope float64 // derivative of the misfit on the way from the start to the truth
	for i, v := range g.VP {
		slope += float64(v) * float64(body[i])
	}
	const h = 0.05
	difference := (at(h).Misfit - at(-h).Misfit) / (2 * h)
	fmt.Printf("the misfit falls towards the truth: %v\n", slope < 0)
	fmt.Printf("gradient over finite difference: %.2f\n", slope/difference)
}

func sum(a, b []float32, factor float64) []float32 {
	out := make([]float32, len(a))
	for i := range a {
		out[i] = a[i] + float32(factor)*b[i]
	}
	return out
}
