// Command equation models one shot with an equation that another package has added to the table, with several rates of damping.
package main

import (
	"context"
	"fmt"
	"log"
	"math"

	"gofwi/examples/equation/damped"
	"gofwi/wave"
)

func main() {
	const velocity, dt, samples = 2000.0, 0.002, 401
	grid := wave.NewGrid2D(81, 121, 10, 10)
	vp := make([]float32, grid.Cells())
	for i := range vp {
		vp[i] = velocity
	}
	wavelet := wave.Ricker(15, dt, samples, 0.1)
	survey := wave.FixedSpread([]wave.Position{{400, 100}}, []wave.Position{{400, 1100}}, wavelet, dt)

	fmt.Println("damping (1/s)   largest amplitude against none")
	var undamped float64
	for _, rate := range []float64{0, 1, 2, 4} {
		p, err := wave.NewPropagator(grid, survey, wave.Options{
			MaxVelocity: velocity,
			Equation:    damped.Name,
			Constants:   map[string]float64{damped.Damping: rate},
		})
		if err != nil {
			log.Fatal(err)
		}
		gathers, err := p.Forward(context.Background(), vp, survey.AllShots())
		p.Close()
		if err != nil {
			log.Fatal(err)
		}
		var largest float64
		for _, v := range gathers[0] {
			largest = max(largest, math.Abs(float64(v)))
		}
		if rate == 0 {
			undamped = largest
		}
		fmt.Printf("%13.0f   %.2f\n", rate, largest/undamped)
	}
}
