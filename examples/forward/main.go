// Command forward models one shot over two layers and compares the arrivals with the ones that ray theory foretells.
package main

import (
	"context"
	"fmt"
	"log"
	"math"

	"gofwi/wave"
)

func main() {
	const (
		depth          = 500.0 // m, of the interface
		upper, lower   = 1800.0, 2600.0
		dt, delay      = 0.002, 0.12
		samples        = 551
		sourceX, level = 500.0, 20.0
	)
	grid := wave.NewGrid2D(101, 201, 10, 10) // 1 km deep, 2 km wide
	vp := make([]float32, grid.Cells())
	for i := range vp {
		vp[i] = upper
		if float64(i/grid.NX())*grid.DZ() >= depth {
			vp[i] = lower
		}
	}
	wavelet := wave.Ricker(15, dt, samples, delay)
	receivers := wave.Line(4, level, 700, 1300)
	survey := wave.FixedSpread([]wave.Position{{level, sourceX}}, receivers, wavelet, dt)

	p, err := wave.NewPropagator(grid, survey, wave.Options{MaxVelocity: lower})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	gathers, err := p.Forward(context.Background(), vp, survey.AllShots())
	if err != nil {
		log.Fatal(err)
	}

	// A line source delays a wavelet's peak by an eighth of its period, here 8 ms, which rays know nothing of.
	fmt.Println("offset   direct wave (s)     reflection (s)")
	fmt.Println("   (m)   rays   modelled     rays   modelled")
	for r, receiver := range receivers {
		trace := gathers[0][r*survey.NT : (r+1)*survey.NT]
		offset := receiver[1] - sourceX
		direct := offset / upper
		reflected := math.Hypot(offset, 2*(depth-level)) / upper
		fmt.Printf("%6.0f  %5.2f     %6.2f    %5.2f     %6.2f\n", offset,
			direct, peak(trace, dt, delay, direct), reflected, peak(trace, dt, delay, reflected))
	}
}

// peak returns the time of the largest sample within 60 ms of an expected arrival, the wavelet's delay taken off.
func peak(trace []float32, dt, delay, expected float64) float64 {
	at := 0
	var largest float64
	for n, v := range trace {
		t := float64(n)*dt - delay
		if a := math.Abs(float64(v)); math.Abs(t-expected) < 0.06 && a > largest {
			largest, at = a, n
		}
	}
	return float64(at)*dt - delay
}
