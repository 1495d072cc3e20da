package fwi

import (
	"slices"
	"testing"

	"gofwi/wave"
)

func TestEverySoManythShot(t *testing.T) {
	for _, c := range []struct {
		shots, every, turn int
		want               []int
	}{{5, 2, 0, []int{0, 2, 4}}, {5, 2, 1, []int{1, 3}}, {5, 2, 2, []int{0, 2, 4}}, {6, 2, 0, []int{0, 2, 4}}, {7, 3, 0, []int{0, 3, 6}}, {9, 3, 0, []int{1, 4, 7}},
		{9, 3, 5, []int{0, 3, 6}}, {3, 1, 4, []int{0, 1, 2}}} {
		all := make([]int, c.shots)
		for i := range all {
			all[i] = i
		}
		if got := everyShot(all, c.every, c.turn); !slices.Equal(got, c.want) {
			t.Errorf("every %d-th of %d shots, turn %d: %v, want %v", c.every, c.shots, c.turn, got, c.want)
		}
	}
}

// The default schedule hears shots up to two wavelengths apart, at 1500 m/s and 5 Hz 600 m, a dozen at least.
func TestDefaultScheduleThinsTheShots(t *testing.T) {
	for _, c := range []struct {
		shots int
		apart float64
		want  int
	}{{29, 320, 0}, {29, 300, 2}, {23, 300, 0}, {36, 200, 3}, {200, 25, 4}, {1, 0, 0}} {
		p := &Problem{Grid: wave.NewGrid2D(101, 301, 20, 20), Survey: &wave.Survey{}}
		for i := range p.Grid.Cells() {
			p.Start = append(p.Start, 1500+float32(i%301))
		}
		for i := range c.shots {
			p.Survey.Shots = append(p.Survey.Shots, wave.Shot{Sources: []wave.Position{{10, float64(i) * c.apart}}})
		}
		stages := []Stage{{MaxFrequency: 5}, {MaxFrequency: 20, Iterations: 20}}
		thinShots(stages, p, 1500)
		if stages[0].Every != c.want || stages[1].Every != c.want {
			t.Errorf("%d shots every %g m: every %d-th and %d-th is heard, want %d", c.shots, c.apart, stages[0].Every, stages[1].Every, c.want)
		}
		if stages[1].Iterations != 20 {
			t.Errorf("%d shots every %g m: %d iterations of 20 are left", c.shots, c.apart, stages[1].Iterations)
		}
		for i := range p.Start { // layered under a water bottom that slopes
			p.Start[i], p.Mask = 1800+float32(i/301), append(p.Mask, 1)
			if i/301 < 5+i%301/60 {
				p.Start[i], p.Mask[i] = 1500, 0
			}
		}
		stages = []Stage{{MaxFrequency: 5, Iterations: 20}, {MaxFrequency: 10, Iterations: 20}, {MaxFrequency: 20, Iterations: 20}}
		if thinShots(stages, p, 1500); stages[0].Every != 0 || stages[1].Every != 0 || stages[2].Every != c.want {
			t.Errorf("%d shots every %g m, layered start: every %d-th, %d-th and %d-th is heard, want all, all and %d", c.shots, c.apart, stages[0].Every, stages[1].Every, stages[2].Every, c.want)
		}
		want := 20 // only where shots are left out
		if c.want > 1 {
			want = 13
		}
		if stages[0].Iterations != 20 || stages[1].Iterations != 20 || stages[2].Iterations != want {
			t.Errorf("%d shots every %g m, layered start: %d, %d and %d iterations, want 20, 20 and %d", c.shots, c.apart, stages[0].Iterations, stages[1].Iterations, stages[2].Iterations, want)
		}
	}
}

// A part of the shots decides about the traces of a stage that hears no others.
func TestTracesAreChosenAmongTheShotsThatAreHeard(t *testing.T) {
	p, c := smallProblem(t, func(c *Config) { c.Stages[0].MinCorrelation, c.Stages[0].Every = 0.1, 2 })
	l, err := newLevel(background, p, c, c.Stages[0], c.during(c.Stages[0], p.Start))
	if err != nil {
		t.Fatal(err)
	}
	defer l.propagator.Close()
	x := l.restrict(c, p.Truth)
	all, err := l.selectTraces(background, x, l.survey.AllShots())
	if err != nil {
		t.Fatal(err)
	}
	shots := everyShot(l.survey.AllShots(), 2, 1)
	some, err := l.selectTraces(background, x, shots)
	if err != nil {
		t.Fatal(err)
	}
	receivers := len(l.survey.Shots[0].Receivers)
	for i, h := range some {
		if heard := slices.Contains(shots, i/receivers); heard && h != all[i] || !heard && h != 0 {
			t.Fatalf("trace %d is heard as %g, among all shots as %g", i, h, all[i])
		}
	}
	if a, b := l.shareHeard(some, shots), l.shareHeard(all, l.survey.AllShots()); !(a > 0.9 && b > 0.9) { // of the truth's
		t.Errorf("%.2f of the traces of every other shot are heard, %.2f of all", a, b)
	}
}

// A stage that hears every other shot costs half of one that hears them all, and weighs what it hears for the whole survey.
func TestThinnedShotsStandForTheSurvey(t *testing.T) {
	misfits, solves := [2]float64{}, [2]float64{}
	for i, every := range []int{0, 2} {
		p, c := smallProblem(t, func(c *Config) { c.Stages[0].Every = every })
		first := invert(t, p, c).History[0]
		misfits[i], solves[i] = first.Misfit, first.Solves
	}
	if solves[0] != 2*solves[1] {
		t.Errorf("the first gradient of all shots takes %g solves, that of every other %g", solves[0], solves[1])
	}
	// the six shots stand above different geology
	if ratio := misfits[1] / misfits[0]; !(ratio > 0.6 && ratio < 1.6) || ratio == 1 {
		t.Errorf("the start's misfit is %g with all shots, %g with every other", misfits[0], misfits[1])
	}
}

func TestGridsOfStagesAreFinerDownThanAlong(t *testing.T) {
	p := &Problem{Grid: wave.NewGrid2D(751, 2301, 4, 4)}
	c := Config{PointsPerWavelength: 3, Stages: []Stage{{MaxFrequency: 4}, {MaxFrequency: 8}, {MaxFrequency: 25}}}
	for _, s := range []struct{ top, down, along float64 }{{25, 15, 20}, {12.5, 30, 40}, {8, 37.5, 62.5}, {4, 37.5, 84}} { // for 1500 m/s
		g := c.stageGrid(p, s.top, 1500)
		for axis, want := range []float64{s.down, s.along} {
			if got := g.Spacing[axis]; !(got <= want && got > 0.95*want) { // whole cells cover the section
				t.Errorf("up to %g Hz the spacing along axis %d is %.1f m, want just below %g", s.top, axis, got, want)
			}
		}
	}
}
