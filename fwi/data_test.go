package fwi

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"gofwi/wave"
)

// A record that ends in the middle of its wavelet says so: the default schedule would follow the spectrum of the cut.
func TestAWaveletThatTheRecordCutsOffIsNoticed(t *testing.T) {
	for nt, want := range map[int]bool{50: true, 120: false} {
		w := wave.Ricker(8, 0.004, nt, 0.2) // ends at 0.196 s, its peak, and long after
		s := wave.Shot{Sources: []wave.Position{{10, 100}}, Receivers: []wave.Position{{10, 200}}, Wavelets: [][]float32{w}}
		g := wave.NewGrid2D(21, 41, 10, 10)
		vp := make([]float32, g.Cells())
		for i := range vp {
			vp[i] = 2000
		}
		p := &Problem{Grid: g, Start: vp, Truth: vp, Survey: &wave.Survey{DT: 0.004, NT: nt, Shots: []wave.Shot{s}}}
		var said strings.Builder
		if _, err := Prepare(context.Background(), p, Config{}, func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) }, nil); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(said.String(), "it is cut off"); got != want {
			t.Errorf("%d samples: said %v, want %v:\n%s", nt, got, want, said.String())
		}
	}
}
