package damped

import (
	"strings"
	"testing"

	"gofwi/kernels"
)

func TestDampingBeyondReasonIsRefused(t *testing.T) {
	e, err := kernels.FindEquation(Name)
	if err != nil {
		t.Fatal(err)
	}
	zero := [][]float64{make([]float64, 12), make([]float64, 12)}
	d := kernels.Domain{Shape: []int{12, 12}, Spacing: []float64{10, 10}, Order: 2, A: zero, B: zero, DT: 0.002}
	for _, constants := range [][]float64{nil, {-1}} {
		d.Constants = constants
		if _, err := e.Float32.New(d, kernels.CPUOptions{}); err == nil {
			t.Errorf("constants %v are accepted", constants)
		}
		if _, err := e.Reference(d); err == nil {
			t.Errorf("constants %v are accepted by the reference", constants)
		}
	}
	d.Constants = []float64{50}
	s, err := e.Float32.New(d, kernels.CPUOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	shot := &kernels.Shot[float32]{NT: 1000}
	if err := s.Forward(shot, 0, 1000, nil); err == nil || !strings.Contains(err.Error(), "exp(-50)") {
		t.Errorf("a loss of exp(-50) gives %v", err)
	}
	if err := s.TurnBack(s, []int{0, 0}); err == nil {
		t.Error("it turns back")
	}
}

func TestNamesOfEquationsAreTaken(t *testing.T) {
	e, err := kernels.FindEquation(Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := kernels.RegisterEquation(*e); err == nil {
		t.Error("an equation was registered twice")
	}
	incomplete := *e
	incomplete.Name, incomplete.Reference = "other", nil
	if err := kernels.RegisterEquation(incomplete); err == nil {
		t.Error("an equation without a reference was registered")
	}
}
