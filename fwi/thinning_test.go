package fwi

import (
	"slices"
	"testing"

	"gofwi/wave"
)

func TestEverySoManythShot(t *testing.T) {
	for _, c := range []struct {
		shots, every int
		want         []int
	}{{5, 2, []int{0, 2, 4}}, {6, 2, []int{0, 2, 4}}, {7, 3, []int{0, 3, 6}}, {9, 3, []int{1, 4, 7}}, {3, 1, []int{0, 1, 2}}} {
		all := make([]int, c.shots)
		for i := range all {
			all[i] = i
		}
		if got := everyShot(all, c.every); !slices.Equal(got, c.want) {
			t.Errorf("every %d-th of %d shots: %v, want %v", c.every, c.shots, got, c.want)
		}
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
