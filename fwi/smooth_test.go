package fwi

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// layerOfWater freezes the first rows of a [nz, nx] grid under a sloping sea floor.
func layerOfWater(nz, nx int) []float32 {
	mask := make([]float32, nz*nx)
	for iz := range nz {
		for ix := range nx {
			if iz >= 3+4*ix/nx {
				mask[iz*nx+ix] = 1
			}
		}
	}
	return mask
}

var smoothers = map[string]struct {
	shape          []int
	spacing, sigma []float64
	masked         bool
}{
	"narrow":         {[]int{20, 31}, []float64{10, 10}, []float64{15, 25}, false},
	"one axis":       {[]int{20, 31}, []float64{10, 10}, []float64{0, 25}, false},
	"masked":         {[]int{20, 31}, []float64{10, 20}, []float64{15, 50}, true},
	"wider than all": {[]int{20, 31}, []float64{10, 10}, []float64{500, 800}, true},
	"by transforms":  {[]int{25, 150}, []float64{10, 10}, []float64{30, 400}, true},
	"one row":        {[]int{1, 40}, []float64{10, 10}, []float64{30, 30}, false},
	"volume":         {[]int{9, 8, 11}, []float64{10, 15, 20}, []float64{15, 20, 25}, false},
}

func TestSmootherMatchesBruteForce(t *testing.T) {
	for name, c := range smoothers {
		if len(c.shape) != 2 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			nz, nx := c.shape[0], c.shape[1]
			var mask []float32
			if c.masked {
				mask = layerOfWater(nz, nx)
			}
			s, err := NewSmoother(c.shape, c.spacing, c.sigma, mask)
			if err != nil {
				t.Fatal(err)
			}
			x := noise(rand.New(rand.NewPCG(1, 5)), nz*nx)
			got := make([]float32, nz*nx)
			s.Apply(got, x)
			weight := func(cells int, axis int) float64 {
				d, sigma := math.Abs(float64(cells)), c.sigma[axis]/c.spacing[axis]
				switch {
				case d == 0:
					return 1
				case d > math.Ceil(4*sigma):
					return 0
				}
				return math.Exp(-0.5 * d * d / (sigma * sigma))
			}
			for iz := range nz {
				for ix := range nx {
					i := iz*nx + ix
					want := float64(x[i])
					if mask == nil || mask[i] != 0 {
						var sum, norm float64
						for jz := range nz {
							for jx := range nx {
								if j := jz*nx + jx; mask == nil || mask[j] != 0 {
									w := weight(jz-iz, 0) * weight(jx-ix, 1)
									sum += w * float64(x[j])
									norm += w
								}
							}
						}
						want = sum / norm
					}
					if math.Abs(float64(got[i])-want) > 1e-6 { // values of order one in float32
						t.Fatalf("cell (%d, %d) is %g, not %g", iz, ix, got[i], want)
					}
				}
			}
		})
	}
}

func TestSmootherAdjointPassesDotProductTest(t *testing.T) {
	for name, c := range smoothers {
		t.Run(name, func(t *testing.T) {
			n := 1
			for _, cells := range c.shape {
				n *= cells
			}
			var mask []float32
			if c.masked {
				mask = layerOfWater(c.shape[0], c.shape[1])
			}
			s, err := NewSmoother(c.shape, c.spacing, c.sigma, mask)
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(1, 6))
			x, y := noise(rng, n), noise(rng, n)
			sx, sy := make([]float32, n), make([]float32, n)
			s.Apply(sx, x)
			s.Adjoint(sy, y)
			a, b := dot(sx, y), dot(x, sy)
			// Results are rounded to float32.
			if scale := math.Sqrt(dot(sx, sx)*dot(y, y)) + math.Sqrt(dot(sy, sy)*dot(x, x)); math.Abs(a-b) > 1e-7*scale || scale == 0 {
				t.Errorf("⟨Sx, y⟩ = %.9g, ⟨x, Sᵀy⟩ = %.9g", a, b)
			}
		})
	}
}

func TestSmootherKeepsConstantsAndInput(t *testing.T) {
	const nz, nx = 20, 200
	s, err := NewSmoother([]int{nz, nx}, []float64{10, 10}, []float64{40, 300}, layerOfWater(nz, nx))
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, nz*nx)
	for i := range x {
		x[i] = 2500
	}
	out := make([]float32, nz*nx)
	s.Apply(out, x)
	for i, v := range out {
		if math.Abs(float64(v)-2500) > 0.001 || x[i] != 2500 { // float32 resolves 2.4e-4 there
			t.Fatalf("cell %d of a constant 2500 becomes %g", i, v)
		}
	}
}

func TestSmootherIsDeterministicOnAnyNumberOfProcessors(t *testing.T) {
	const nz, nx = 30, 301
	s, err := NewSmoother([]int{nz, nx}, []float64{10, 10}, []float64{40, 300}, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := noise(rand.New(rand.NewPCG(3, 3)), nz*nx)
	many, one := make([]float32, nz*nx), make([]float32, nz*nx)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	s.Apply(many, x)
	runtime.GOMAXPROCS(1)
	s.Apply(one, x)
	if !slices.Equal(many, one) {
		t.Error("three processors smooth to other bits than one")
	}
}

// waterOverRock is water of 1500 m/s over rock of a linear gradient with a checkerboard.
func waterOverRock(nz, nx int, mask []float32) []float32 {
	vp := make([]float32, nz*nx)
	for i := range vp {
		vp[i] = 1500
		if mask[i] != 0 {
			vp[i] = 2000 + 20*float32(i/nx) + 100*float32((i/nx/2+i%nx/2)%2)
		}
	}
	return vp
}

func TestStartSmoothKeepsWaterAndDoesNotSmearIt(t *testing.T) {
	const nz, nx = 40, 60
	mask := layerOfWater(nz, nx)
	vp := waterOverRock(nz, nx, mask)
	start, err := StartSmooth(vp, mask, []int{nz, nx}, []float64{10, 10}, 100)
	if err != nil {
		t.Fatal(err)
	}
	roughness := func(v []float32) (sum float64) {
		for i := range v {
			if mask[i] != 0 && i%nx > 0 && mask[i-1] != 0 {
				sum += math.Abs(float64(v[i] - v[i-1]))
			}
		}
		return sum
	}
	for i, v := range start {
		if mask[i] == 0 && v != vp[i] {
			t.Fatalf("water cell %d changed from %g to %g", i, vp[i], v)
		}
		if mask[i] != 0 && v < 2050 { // the slowest rock is 2060; one cell of water would pull to 1500
			t.Fatalf("rock cell %d is %g m/s: water leaked in", i, v)
		}
	}
	if before, after := roughness(vp), roughness(start); !(after < 0.05*before) {
		t.Errorf("the roughness fell only from %g to %g", before, after)
	}
	if _, err := StartSmooth(make([]float32, nz*nx), nil, []int{nz, nx}, []float64{10, 10}, 100); err == nil {
		t.Error("a model of zeros was smoothed in slowness")
	}
}

func TestStartGradientFindsALinearTrend(t *testing.T) {
	const nz, nx = 30, 40
	mask := layerOfWater(nz, nx)
	vp := make([]float32, nz*nx)
	for i := range vp {
		vp[i] = 1500
		if mask[i] != 0 {
			vp[i] = 1700 + 0.8*float32(i/nx)*12.5
			if i%nx%2 == 0 { // scatter that a least-squares fit averages out in every row
				vp[i] += 50
			} else {
				vp[i] -= 50
			}
		}
	}
	model, a, b, err := StartGradient(vp, mask, []int{nz, nx}, []float64{12.5, 12.5})
	if err != nil {
		t.Fatal(err)
	}
	// Rows under the sloping sea floor hold unequal numbers of both signs: a few m/s.
	if math.Abs(a-1700) > 5 || math.Abs(b-0.8) > 0.02 {
		t.Errorf("the fit is %g + %g z, not 1700 + 0.8 z", a, b)
	}
	for i, v := range model {
		want := float32(1500)
		if mask[i] != 0 {
			want = float32(a + b*float64(i/nx)*12.5)
		}
		if math.Abs(float64(v-want)) > 0.01 {
			t.Fatalf("cell %d is %g, not %g", i, v, want)
		}
	}
	if _, _, _, err := StartGradient(vp, make([]float32, nz*nx), []int{nz, nx}, []float64{12.5, 12.5}); err == nil {
		t.Error("a mask that freezes everything gave a fit")
	}
}

func TestSmootherRefusesBadInput(t *testing.T) {
	for name, f := range map[string]func() error{
		"negative sigma": func() error { _, err := NewSmoother([]int{4, 4}, []float64{1, 1}, []float64{-1, 1}, nil); return err },
		"zero spacing":   func() error { _, err := NewSmoother([]int{4, 4}, []float64{0, 1}, []float64{1, 1}, nil); return err },
		"short sigma":    func() error { _, err := NewSmoother([]int{4, 4}, []float64{1, 1}, []float64{1}, nil); return err },
		"short mask": func() error {
			_, err := NewSmoother([]int{4, 4}, []float64{1, 1}, []float64{1, 1}, make([]float32, 3))
			return err
		},
		"empty": func() error { _, err := NewSmoother(nil, nil, nil, nil); return err },
	} {
		if f() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func BenchmarkSmoother(b *testing.B) {
	const nz, nx = 480, 1360
	for name, sigma := range map[string]float64{"8 cells": 8, "100 cells": 100} {
		b.Run(name, func(b *testing.B) {
			s, err := NewSmoother([]int{nz, nx}, []float64{1, 1}, []float64{sigma, sigma}, nil)
			if err != nil {
				b.Fatal(err)
			}
			x := make([]float32, nz*nx)
			for b.Loop() {
				s.Apply(x, x)
			}
		})
	}
}
