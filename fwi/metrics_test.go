package fwi

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestModelRMSCountsTheMaskOnly(t *testing.T) {
	a, b := []float32{1500, 2000, 3000}, []float32{1400, 2003, 3004}
	for _, c := range []struct {
		mask []bool
		want float64
	}{{[]bool{false, true, true}, math.Sqrt(12.5)}, {nil, math.Sqrt(10025. / 3)}} {
		got, err := ModelRMS(a, b, c.mask)
		if err != nil || math.Abs(got-c.want) > 1e-12*c.want {
			t.Errorf("mask %v: RMS %g, not %g (%v)", c.mask, got, c.want, err)
		}
	}
	if _, err := ModelRMS(a, b, []bool{false, false, false}); err == nil {
		t.Error("an empty mask has an RMS")
	}
	if _, err := ModelRMS(a, b[:2], nil); err == nil {
		t.Error("models of different sizes have an RMS")
	}
}

// bruteSSIM is the definition, window by window.
func bruteSSIM(x, y []float32, mask []bool, nz, nx int, dataRange float64) float64 {
	c1, c2 := math.Pow(0.01*dataRange, 2), math.Pow(0.03*dataRange, 2)
	var total, count float64
	for iz := 5; iz < nz-5; iz++ {
		for ix := 5; ix < nx-5; ix++ {
			if !mask[iz*nx+ix] {
				continue
			}
			each := func(f func(w, a, b float64)) {
				for dz := -5; dz <= 5; dz++ {
					for dx := -5; dx <= 5; dx++ {
						i := (iz+dz)*nx + ix + dx
						f(math.Exp(-float64(dz*dz+dx*dx)/4.5), float64(x[i]), float64(y[i]))
					}
				}
			}
			var norm, mx, my, vx, vy, cov float64
			each(func(w, a, b float64) { norm += w; mx += w * a; my += w * b })
			mx /= norm
			my /= norm
			each(func(w, a, b float64) {
				vx += w / norm * (a - mx) * (a - mx)
				vy += w / norm * (b - my) * (b - my)
				cov += w / norm * (a - mx) * (b - my)
			})
			total += (2*mx*my + c1) * (2*cov + c2) / ((mx*mx + my*my + c1) * (vx + vy + c2))
			count++
		}
	}
	return total / count
}

func TestSSIMMatchesItsDefinition(t *testing.T) {
	const nz, nx = 25, 33
	rng := rand.New(rand.NewPCG(7, 7))
	truth, model := make([]float32, nz*nx), make([]float32, nz*nx)
	mask := make([]bool, nz*nx)
	for i := range truth {
		truth[i] = float32(2500 + 500*math.Sin(float64(i/nx)/3) + 100*rng.NormFloat64())
		model[i] = truth[i] + float32(200*rng.NormFloat64())
		mask[i] = i/nx > 7
	}
	for _, dataRange := range []float64{0, 1000} {
		got, err := SSIM(model, truth, mask, []int{nz, nx}, dataRange)
		if err != nil {
			t.Fatal(err)
		}
		if dataRange == 0 {
			low, high := math.Inf(1), math.Inf(-1)
			for i, v := range truth {
				if mask[i] {
					low, high = min(low, float64(v)), max(high, float64(v))
				}
			}
			dataRange = high - low
		}
		if want := bruteSSIM(model, truth, mask, nz, nx, dataRange); math.Abs(got-want) > 1e-9 || !(want > 0.05 && want < 0.95) {
			t.Errorf("the similarity is %.12f, not %.12f", got, want)
		}
	}
	if same, err := SSIM(truth, truth, nil, []int{nz, nx}, 0); err != nil || math.Abs(same-1) > 1e-12 {
		t.Errorf("a model is similar to itself by %.15f (%v)", same, err)
	}
}

// Of sections that lie behind each other the mean counts every window alike.
func TestSSIMOfAVolumeIsTheMeanOverItsSections(t *testing.T) {
	const nz, ny, nx = 17, 3, 19
	rng := rand.New(rand.NewPCG(8, 8))
	truth, model := make([]float32, nz*ny*nx), make([]float32, nz*ny*nx)
	for i := range truth {
		truth[i] = float32(2500 + 500*math.Sin(float64(i%nx)/3) + 100*rng.NormFloat64())
		model[i] = truth[i] + float32(200*rng.NormFloat64())
	}
	var want float64
	for iy := range ny {
		a, b := make([]float32, 0, nz*nx), make([]float32, 0, nz*nx)
		for iz := range nz {
			row := (iz*ny + iy) * nx
			a, b = append(a, model[row:row+nx]...), append(b, truth[row:row+nx]...)
		}
		one, err := SSIM(a, b, nil, []int{nz, nx}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		want += one / ny
	}
	if got, err := SSIM(model, truth, nil, []int{nz, ny, nx}, 1000); err != nil || math.Abs(got-want) > 1e-9 {
		t.Errorf("the similarity is %.12f, not %.12f (%v)", got, want, err)
	}
}

func TestSSIMRefusesWhatHasNoSimilarity(t *testing.T) {
	flat := make([]float32, 400)
	if _, err := SSIM(flat, flat, nil, []int{20, 20}, 0); err == nil {
		t.Error("a constant truth has a range")
	}
	if _, err := SSIM(flat, flat, nil, []int{20, 21}, 1); err == nil {
		t.Error("a wrong shape was accepted")
	}
	if _, err := SSIM(flat[:100], flat[:100], nil, []int{10, 10}, 1); err == nil {
		t.Error("a model smaller than a window was accepted")
	}
	if _, err := SSIM(flat, flat, make([]bool, 400), []int{20, 20}, 1); err == nil {
		t.Error("an empty mask was accepted")
	}
}
