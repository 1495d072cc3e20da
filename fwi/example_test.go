package fwi_test

import (
	"context"
	"fmt"
	"log"
	"math"
	"os"
	"strings"
	"testing"

	"gofwi/fwi"
	"gofwi/wave"
)

// slope is a problem with nothing but a true model: velocity that grows with depth, and a fast body in it.
func slope() *fwi.Problem {
	p := &fwi.Problem{Grid: wave.NewGrid2D(41, 81, 20, 20)}
	for i := range p.Grid.Cells() {
		z, x := float64(i/p.Grid.NX())*20, float64(i%p.Grid.NX())*20
		body := 250 * math.Exp(-(math.Pow(z-350, 2)+math.Pow(x-800, 2))/(2*90*90))
		p.Truth = append(p.Truth, float32(1800+z+body))
	}
	p.Water = fwi.WaterLayer(p.Grid, p.Truth)
	return p
}

// schedule is small enough for an example: one stage up to 6 Hz.
var schedule = fwi.Config{
	Start:       "gradient",
	Acquisition: fwi.Acquisition{Shots: 5, Receivers: 41, MaxFrequency: 8, Duration: 1.6},
	Stages:      []fwi.Stage{{MaxFrequency: 6, Iterations: 4}},
}

// A bare velocity model becomes a problem with a survey, a starting model and data, and is inverted.
func ExampleNewRun() {
	ctx := context.Background()
	p := slope()
	c, err := fwi.Prepare(ctx, p, schedule, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	run := fwi.NewRun(p, c)
	run.Observer = func(s fwi.Progress) {
		if !s.Trial {
			fmt.Printf("stage %d of %d, iteration %d of %d\n", s.Stage+1, s.Stages, s.Iteration, s.Of)
		}
	}
	o, err := run.Invert(ctx)
	if err != nil {
		log.Fatal(err)
	}
	first, last := o.History[0], o.History[len(o.History)-1]
	fmt.Println("misfit below half the start's:", last.Misfit < first.Misfit/2)
	// Output:
	// stage 1 of 1, iteration 0 of 4
	// stage 1 of 1, iteration 1 of 4
	// stage 1 of 1, iteration 2 of 4
	// stage 1 of 1, iteration 3 of 4
	// stage 1 of 1, iteration 4 of 4
	// misfit below half the start's: true
}

// An evaluator answers what a loop of one's own asks: misfit and gradient of a model on the user's grid, in one band.
func ExampleNewEvaluator() {
	ctx := context.Background()
	p := slope()
	c, err := fwi.Prepare(ctx, p, schedule, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	e, err := fwi.NewEvaluator(ctx, p, c, c.Stages[0])
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	start, gradient, _, err := e.Gradient(ctx, p.Start)
	if err != nil {
		log.Fatal(err)
	}
	truth, err := e.Misfit(ctx, p.Truth)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("gradient cells:", len(gradient))
	fmt.Println("the truth fits better than the start:", truth < start)
	// Output:
	// gradient cells: 3321
	// the truth fits better than the start: true
}

// A method asks for evaluations and never calls back: here it finds the bottom of a narrow valley.
func ExampleMethod() {
	evaluate := func(x []float32) fwi.Evaluation {
		a, b := float64(x[0]), float64(x[1])
		return fwi.Evaluation{
			Misfit:   math.Pow(1-a, 2) + 20*math.Pow(b-a*a, 2),
			Gradient: []float32{float32(-2*(1-a) - 80*a*(b-a*a)), float32(40 * (b - a*a))},
		}
	}
	m, err := fwi.NewMethod("lbfgs", fwi.MethodOptions{FirstChange: 0.2, MaxChange: 1, Upper: []float32{3}})
	if err != nil {
		log.Fatal(err)
	}
	start := []float32{-1, 1}
	if err := m.Start(start, evaluate(start)); err != nil {
		log.Fatal(err)
	}
	request, x := m.Pending()
	for request != fwi.Stop && m.Status().Misfit > 1e-6 {
		var e fwi.Evaluation
		if request != fwi.Accept {
			e = evaluate(x)
		}
		if request, x, err = m.Next(e); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("(%.2f, %.2f)\n", x[0], x[1])
	// Output: (1.00, 1.00)
}

// A misfit compares two gathers, [receivers, samples], and gives the adjoint source.
func ExampleNewMisfit() {
	m, err := fwi.NewMisfit("correlation", fwi.MisfitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	observed := []float32{0, 1, 2, 1, 0, -1, -2, -1}
	louder, adjoint := make([]float32, len(observed)), make([]float32, len(observed))
	for i, v := range observed {
		louder[i] = 3 * v
	}
	j, err := m.Evaluate(adjoint, louder, observed, nil, 1, len(observed), 0.004)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s of a trace three times too loud: %.3f\n", m.Name(), j)
	// Output: correlation of a trace three times too loud: 0.000
}

// huber is ½ r² for residuals up to its value and grows linearly beyond, for data without dead traces.
type huber float64

func init() { fwi.RegisterMisfit(huber(0.01)) }

func (huber) Name() string { return "my-huber" }

func (h huber) Evaluate(adjoint, synthetic, observed, weight []float32, nrec, nt int, dt float64) (float64, error) {
	var sum float64
	for i, s := range synthetic {
		w := dt
		if weight != nil {
			w *= float64(weight[i/nt])
		}
		r := float64(s - observed[i])
		clipped := min(max(r, -float64(h)), float64(h))
		adjoint[i] = float32(w * clipped)
		sum += w * clipped * (r - clipped/2)
	}
	return sum, nil
}

// A registered misfit is known by its name to configurations and to the stages of a schedule.
func ExampleRegisterMisfit() {
	ctx := context.Background()
	p, c := slope(), schedule
	c.Misfit = "my-huber"
	c, err := fwi.Prepare(ctx, p, c, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	o, err := fwi.NewRun(p, c).Invert(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the misfit falls:", o.History[len(o.History)-1].Misfit < o.History[0].Misfit)
	// Output: the misfit falls: true
}

// What YAML does not name stays as it was.
func ExampleConfig_Merge() {
	c := fwi.Config{Start: "gradient"}
	err := c.Merge([]byte(`
method: cg
stages:
- {min_frequency: 0, max_frequency: 5, iterations: 15, misfit: envelope}
- {min_frequency: 0, max_frequency: 9, iterations: 15, max_offset: 4000, misfit: least-squares}
`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Start, c.Method)
	fmt.Print(fwi.FormatStages(c.Stages))
	fmt.Println(c.Merge([]byte("stagess: []")) != nil)
	// Output:
	// gradient cg
	// stage  band (Hz)    iterations  shots  offsets
	//     1   0.0 –  5.0          15    all      all  envelope
	//     2   0.0 –  9.0          15    all   4000 m
	// true
}

// The configuration that the README shows must be one that runs take.
func TestConfigurationOfTheReadmeIsKnown(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, begins := strings.Cut(string(text), "```yaml\n")
	block, _, ends := strings.Cut(after, "```")
	if !begins || !ends {
		t.Fatal("the README shows no YAML")
	}
	var c fwi.Config
	if err := c.Merge([]byte(block)); err != nil {
		t.Error(err)
	}
	if len(c.Stages) != 4 || c.Stages[0].MaxOffset != 2000 || c.Acquisition.Noise != 0.05 {
		t.Errorf("read as %+v", c)
	}
}
