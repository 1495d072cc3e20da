package wave_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"gofwi/wave"
)

// quarter returns a propagator over a quarter of a square kilometre with two shots, and a model of 2000 m/s.
func quarter() (*wave.Propagator, []float32) {
	grid := wave.NewGrid2D(51, 51, 10, 10)
	wavelet := wave.Ricker(10, 0.002, 251, 0.12)
	survey := wave.FixedSpread(wave.Line(2, 20, 100, 400), wave.Line(26, 20, 0, 500), wavelet, 0.002)
	p, err := wave.NewPropagator(grid, survey, wave.Options{MaxVelocity: 2500})
	if err != nil {
		log.Fatal(err)
	}
	vp := make([]float32, grid.Cells())
	for i := range vp {
		vp[i] = 2000
	}
	return p, vp
}

// Gathers come back in the order of the shots asked for, receiver by receiver.
func ExamplePropagatorOf_Forward() {
	p, vp := quarter()
	defer p.Close()
	gathers, err := p.Forward(context.Background(), vp, []int{1, 0})
	if err != nil {
		log.Fatal(err)
	}
	s := p.Survey()
	for i, g := range gathers {
		loudest, at := float32(0), 0
		for n, v := range g {
			if v > loudest {
				loudest, at = v, n
			}
		}
		fmt.Printf("gather %d: %d receivers of %d samples; the loudest stands at x = %g m\n", i, len(g)/s.NT, s.NT, s.Shots[0].Receivers[at/s.NT][1])
	}
	// Output:
	// gather 0: 26 receivers of 251 samples; the loudest stands at x = 400 m
	// gather 1: 26 receivers of 251 samples; the loudest stands at x = 100 m
}

// The misfit writes its derivative with respect to the synthetic gather, the adjoint source; here that of ½ Σ u².
func ExamplePropagatorOf_Gradient() {
	p, vp := quarter()
	defer p.Close()
	energy := func(shot int, synthetic, adjoint []float32) (float64, error) {
		var sum float64
		for i, u := range synthetic {
			adjoint[i] = u
			sum += float64(u) * float64(u) / 2
		}
		return sum, nil
	}
	g, err := p.Gradient(context.Background(), vp, p.Survey().AllShots(), energy)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(g.VP) == len(vp), len(g.Misfits), g.Misfit == g.Misfits[0]+g.Misfits[1])
	// Output: true 2 true
}

// A model that would break the time step is refused before it is stepped: a line search can shorten its step.
func ExamplePropagatorOf_Forward_tooFast() {
	p, vp := quarter()
	defer p.Close()
	vp[0] = 9000
	_, err := p.Forward(context.Background(), vp, []int{0})
	fmt.Println(errors.Is(err, wave.ErrVelocity))
	// Output: true
}

// A plan tells what a propagator will do before it does it.
func ExamplePropagatorOf_Plan() {
	p, _ := quarter()
	defer p.Close()
	plan := p.Plan()
	fmt.Printf("%d × %d cells with absorbing layers, order %d, %s\n", plan.SolverShape[0], plan.SolverShape[1], plan.Order, plan.Storage)
	fmt.Println("stable:", plan.DT < plan.StabilityLimit)
	// Output:
	// 91 × 91 cells with absorbing layers, order 8, every-kth
	// stable: true
}

func ExampleBand() {
	wavelet, err := wave.Ormsby(3, 5, 10, 15, 0.004, 501, 1)
	if err != nil {
		log.Fatal(err)
	}
	low, high := wave.Band(wavelet, 0.004, -40)
	fmt.Printf("%.1f to %.1f Hz\n", low, high)
	// Output: 3.2 to 14.6 Hz
}
