//go:build !cuda

package wave

import (
	"strings"
	"testing"
)

func TestWithoutCUDAAutoTakesTheCPUAndSaysWhy(t *testing.T) {
	s := newTestSetup(1)
	p := newTest64(t, s, Options{Backend: Auto})
	if plan := p.Plan(); plan.Backend != CPU || !strings.Contains(plan.BackendNote, "make cuda") {
		t.Errorf("planned %s, %q", plan.Backend, plan.BackendNote)
	}
	for _, o := range []Options{{Backend: CUDA}, {Backend: Auto, Storage: Host}} {
		o.MaxVelocity = 3000
		if _, err := NewPropagatorOf[float64](s.grid, s.survey, o); err == nil || !strings.Contains(err.Error(), "make cuda") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
