package fwi

import (
	"slices"
	"testing"

	"gofwi/wave"
)

func TestShotsOfLowFrequenciesAreThinned(t *testing.T) {
	line := func(shots int, spacing float64) *wave.Survey {
		return wave.FixedSpread(wave.Line(shots, 10, 100, 100+spacing*float64(shots-1)), wave.Line(50, 10, 0, 5000), make([]float32, 10), 0.004)
	}
	for _, c := range []struct {
		shots, want    int
		spacing, apart float64
	}{
		{29, 2, 320, 893},
		{29, 2, 320, 640},
		{29, 1, 320, 639},
		{100, 8, 50, 893}, // 12 of 100 remain
		{20, 1, 320, 893}, // no fewer than 12
		{1, 1, 320, 893},
	} {
		if got := shotStep(line(c.shots, c.spacing), c.apart); got != c.want {
			t.Errorf("of %d shots every %g m, to stand %g m apart at most, every %d-th is heard, want %d", c.shots, c.spacing, c.apart, got, c.want)
		}
	}
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
	fine := wave.NewGrid2D(751, 2301, 4, 4)
	c := Config{PointsPerWavelength: 3, Stages: []Stage{{MaxFrequency: 4}, {MaxFrequency: 8}, {MaxFrequency: 25}}}
	for _, s := range []struct{ top, down, along float64 }{{25, 15, 20}, {12.5, 30, 40}, {8, 30, 62.5}, {4, 30, 84}} { // for 1500 m/s
		g := c.stageGrid(fine, s.top, 1500)
		for axis, want := range []float64{s.down, s.along} {
			if got := g.Spacing[axis]; !(got <= want && got > 0.95*want) { // whole cells cover the section
				t.Errorf("up to %g Hz the spacing along axis %d is %.1f m, want just below %g", s.top, axis, got, want)
			}
		}
	}
}
