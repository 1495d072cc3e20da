package geology

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func section(t *testing.T, opts Options) *Model {
	t.Helper()
	m, err := Section(opts)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSameSeedGivesTheSameSection(t *testing.T) {
	for _, kind := range Kinds() {
		opts := Options{NZ: 80, NX: 160, DZ: 15, DX: 15, Seed: 3, Kind: kind}
		a, b := section(t, opts), section(t, opts)
		if !slices.Equal(a.VP, b.VP) || !slices.Equal(a.Water, b.Water) {
			t.Errorf("%v: two sections of one seed differ", kind)
		}
		opts.Seed++
		if c := section(t, opts); slices.Equal(a.VP, c.VP) {
			t.Errorf("%v: sections of two seeds are equal", kind)
		}
	}
}

// rms returns the root mean square difference of two arrays in their units.
func rms(a, b []float32) float64 {
	var sum float64
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(a)))
}

func TestEveryKindDiffers(t *testing.T) {
	var models []*Model
	for _, kind := range Kinds() {
		m := section(t, Options{NZ: 120, NX: 300, DZ: 15, DX: 15, Seed: 8, Kind: kind, WaterDepth: 200})
		if m.Kind != kind {
			t.Errorf("asked for %v, got %v", kind, m.Kind)
		}
		models = append(models, m)
	}
	for i, a := range models {
		for _, b := range models[:i] {
			// Kinds share the sea bottom and the trend of a seed, but not
			// their structure, which moves velocities by hundreds of m/s.
			if d := rms(a.VP, b.VP); d < 60 {
				t.Errorf("%v and %v differ by only %.0f m/s", a.Kind, b.Kind, d)
			}
		}
	}
}

func TestAnyKindDrawsEveryKind(t *testing.T) {
	drawn := map[Kind]bool{}
	for seed := range uint64(100) {
		drawn[section(t, Options{NZ: 4, NX: 4, DZ: 500, DX: 500, Seed: seed}).Kind] = true
	}
	if len(drawn) != len(Kinds()) || drawn[AnyKind] {
		t.Errorf("100 seeds draw %d kinds of %d: %v", len(drawn), len(Kinds()), drawn)
	}
}

func TestVelocitiesStayWithinBounds(t *testing.T) {
	for _, bounds := range [][2]float64{{0, 0}, {1600, 3800}} {
		lo, hi := bounds[0], bounds[1]
		if lo == 0 {
			lo, hi = 1450, 5500
		}
		for seed := range uint64(16) {
			kind := Kinds()[int(seed)%len(Kinds())]
			for _, spacing := range []float64{12.5, 40} {
				m := section(t, Options{
					NZ: 100, NX: 150, DZ: spacing, DX: spacing, Seed: seed, Kind: kind,
					MinVelocity: bounds[0], MaxVelocity: bounds[1],
				})
				for i, v := range m.VP {
					if m.Water != nil && m.Water[i] {
						continue
					}
					if !(float64(v) >= lo) || !(float64(v) <= hi) {
						t.Fatalf("seed %d, %v: %g m/s at row %d, column %d, outside %g to %g", seed, kind, v, i/m.NX, i%m.NX, lo, hi)
					}
				}
			}
		}
	}
}

func TestFinerGridHoldsTheSameGeologyAtCommonNodes(t *testing.T) {
	for _, kind := range Kinds() {
		for seed := range uint64(3) {
			fine := section(t, Options{NZ: 240, NX: 480, DZ: 8, DX: 8, Seed: seed, Kind: kind})
			coarse := section(t, Options{NZ: 120, NX: 240, DZ: 16, DX: 16, Seed: seed, Kind: kind})
			for i := range coarse.NZ {
				for j := range coarse.NX {
					a, b := coarse.VP[i*coarse.NX+j], fine.VP[2*i*fine.NX+2*j]
					// Up to 16 m a node holds the velocity of its
					// point, and both positions are exact: no tolerance.
					if a != b {
						t.Fatalf("%v, seed %d: %g m/s at z = %d m, x = %d m, on the finer grid %g", kind, seed, a, 16*i, 16*j, b)
					}
				}
			}
		}
	}
}

func TestCoarseGridHoldsTheAverageOfTheSameGeology(t *testing.T) {
	for _, kind := range Kinds() {
		const ratio, fineSpacing = 8, 8.0
		coarse := section(t, Options{NZ: 40, NX: 100, DZ: ratio * fineSpacing, DX: ratio * fineSpacing, Seed: 5, Kind: kind, WaterDepth: 250})
		fine := section(t, Options{NZ: 40 * ratio, NX: 100 * ratio, DZ: fineSpacing, DX: fineSpacing, Seed: 5, Kind: kind, WaterDepth: 250})
		var difference, contrast, n float64
		for i := 1; i < coarse.NZ-1; i++ {
			for j := 1; j < coarse.NX-1; j++ {
				v := coarse.VP[i*coarse.NX+j]
				var slowness2, weight float64
				wet := coarse.Water[i*coarse.NX+j]
				for di := -ratio / 2; di <= ratio/2; di++ {
					for dj := -ratio / 2; dj <= ratio/2; dj++ {
						at := (i*ratio+di)*fine.NX + j*ratio + dj
						wet = wet || fine.Water[at]
						// Trapezoidal rule: the cell's edge counts half.
						w := 1.0
						if di == -ratio/2 || di == ratio/2 {
							w /= 2
						}
						if dj == -ratio/2 || dj == ratio/2 {
							w /= 2
						}
						slowness2 += w / (float64(fine.VP[at]) * float64(fine.VP[at]))
						weight += w
					}
				}
				if wet {
					continue
				}
				average := math.Sqrt(weight / slowness2)
				point := float64(fine.VP[i*ratio*fine.NX+j*ratio])
				difference += (float64(v) - average) * (float64(v) - average)
				contrast += (point - average) * (point - average)
				n++
			}
		}
		difference, contrast = math.Sqrt(difference/n), math.Sqrt(contrast/n)
		// Sixteen samples of a cell against the mean of 64: a third of what
		// a single point is off the mean would already be poor averaging.
		if difference > 0.33*contrast {
			t.Errorf("%v: cells differ by %.1f m/s from the average, single points by %.1f m/s", kind, difference, contrast)
		}
	}
}

func TestWaterLiesAboveTheSeaBottomAndNowhereElse(t *testing.T) {
	for seed := range uint64(16) {
		for _, spacing := range []float64{10, 40} {
			m := section(t, Options{NZ: 100, NX: 120, DZ: spacing, DX: spacing, Seed: seed, WaterDepth: 300})
			if len(m.Water) != len(m.VP) || len(m.SeaBottom) != m.NX {
				t.Fatalf("%d cells, %d of the mask, %d of the sea bottom", len(m.VP), len(m.Water), len(m.SeaBottom))
			}
			// The sea bottom is softly limited, which shifts its mean.
			if math.Abs(m.WaterDepth-300) > 30 {
				t.Errorf("seed %d: mean water depth %.0f m, asked for 300 m", seed, m.WaterDepth)
			}
			mask := m.UpdateMask()
			for i, v := range m.VP {
				z, bottom := float64(i/m.NX)*m.DZ, m.SeaBottom[i%m.NX]
				if m.Water[i] != (z < bottom) {
					t.Fatalf("seed %d: water is %v at %g m, the bottom is at %g m", seed, m.Water[i], z, bottom)
				}
				if m.Water[i] != (mask[i] == 0) || m.Water[i] && v != 1500 {
					t.Fatalf("seed %d: water is %v, mask %g, velocity %g m/s", seed, m.Water[i], mask[i], v)
				}
			}
		}
	}
}

func TestNegativeWaterDepthIsLand(t *testing.T) {
	for seed := range uint64(8) {
		m := section(t, Options{NZ: 50, NX: 60, DZ: 12, DX: 12, Seed: seed, WaterDepth: -1})
		if m.Water != nil || m.WaterDepth != 0 || slices.Contains(m.UpdateMask(), 0) {
			t.Errorf("seed %d: water on land, %g m deep", seed, m.WaterDepth)
		}
	}
}

func TestZeroWaterDepthDrawsSeaAndLand(t *testing.T) {
	var land, sea int
	for seed := range uint64(60) {
		m := section(t, Options{NZ: 60, NX: 4, DZ: 50, DX: 500, Seed: seed})
		switch {
		case m.Water == nil:
			land++
		case m.WaterDepth > 50 && m.WaterDepth < 700: // At most a fifth of 3 km and its relief.
			sea++
		default:
			t.Errorf("seed %d: water %g m deep in 3 km", seed, m.WaterDepth)
		}
	}
	if land < 4 || sea < 30 {
		t.Errorf("of 60 sections %d are on land and %d at sea", land, sea)
	}
}

func TestVelocityGrowsWithDepthButIsFullOfReflectors(t *testing.T) {
	for _, kind := range Kinds() {
		var reflectivity, shallow, deep float64
		const seeds = 6
		for seed := range uint64(seeds) {
			m := section(t, Options{NZ: 300, NX: 60, DZ: 10, DX: 100, Seed: seed, Kind: kind, WaterDepth: 200})
			var sum, n float64
			for i := 40; i < m.NZ-1; i++ {
				for j := range m.NX {
					a, b := float64(m.VP[i*m.NX+j]), float64(m.VP[(i+1)*m.NX+j])
					r := (b - a) / (b + a)
					sum += r * r
					n++
					switch {
					case i < 80:
						shallow += a
					case i >= m.NZ-41:
						deep += a
					}
				}
			}
			reflectivity += math.Sqrt(sum/n) / seeds
		}
		// Sedimentary logs have reflection coefficients of some hundredths;
		// a smooth trend of 1 m/s per metre would have 0.002 here.
		if reflectivity < 0.008 || reflectivity > 0.08 {
			t.Errorf("%v: reflection coefficients of %.4f RMS", kind, reflectivity)
		}
		if deep < 1.25*shallow {
			t.Errorf("%v: the deepest 400 m are only %.2f times as fast as the shallowest", kind, deep/shallow)
		}
	}
}

func TestSaltAndGasAreWhereTheyArePromised(t *testing.T) {
	var withSalt, withGas int
	for seed := range uint64(12) {
		opts := Options{NZ: 200, NX: 500, DZ: 15, DX: 15, Seed: seed, Kind: Salt}
		e := newEarth(seed, Salt, 7500, 3000, 0)
		salt := 0
		for _, v := range section(t, opts).VP {
			if math.Abs(float64(v)/e.saltVelocity-1) < 0.015 {
				salt++
			}
		}
		if salt > 200*500/50 {
			withSalt++
		}
		if len(newEarth(seed, Gas, 7500, 3000, 0).gas) > 0 {
			withGas++
		}
	}
	if withSalt != 12 {
		t.Errorf("only %d of 12 salt sections hold 2 %% of salt", withSalt)
	}
	// Now and then no structure of a section is closed.
	if withGas < 10 {
		t.Errorf("only %d of 12 gas sections hold gas", withGas)
	}
}

func TestFaultCarriesItsHangingWallDownDip(t *testing.T) {
	// A plane fault of 60° through x = 0, dipping right, with 100 m of throw:
	// the hanging wall lies to the right, and its rock came from 100 m higher.
	f := planeFault(4000, 0, math.Pi/3, 1, 100, 1)
	x, z := f.undo(2000, 500)
	// The surface undulates by some metres, which shear hands on.
	if math.Abs(z-400) > 5 || math.Abs(x-(2000-100/math.Tan(math.Pi/3))) > 1e-9 {
		t.Errorf("the hanging wall comes from (%.1f, %.1f)", x, z)
	}
	if x, z := f.undo(-500, 500); x != -500 || z != 500 {
		t.Errorf("the footwall moved to (%g, %g)", x, z)
	}
}

func TestBedsKeepTheirThicknessStatistics(t *testing.T) {
	b := newBedding(stream(4, 4))
	mean := beddingPeriod / float64(len(b.tops))
	var sum, square float64
	for i, v := range b.values {
		sum += v
		square += v * v
		// The last bed is cut by the end of the period.
		if i+1 < len(b.tops) && b.tops[i+1]-b.tops[i] < thinnestBed {
			t.Errorf("bed %d is %.1f m thick", i, b.tops[i+1]-b.tops[i])
		}
	}
	n := float64(len(b.values))
	deviation := math.Sqrt(square/n - sum/n*sum/n)
	// Some 160 beds: both scatter by less than a tenth about 30 m and 1.
	if mean < 24 || mean > 38 || deviation < 0.75 || deviation > 1.25 {
		t.Errorf("beds of %.1f m with deviates of %.2f", mean, deviation)
	}
	for k := range b.tops { // The index finds what a search finds.
		if got := b.at(b.tops[k] + 1e-6); math.Abs(got-b.values[k]+b.gradient[k]/2) > 1e-6 {
			t.Errorf("bed %d has deviate %g at its top, want %g", k, got, b.values[k]-b.gradient[k]/2)
		}
	}
}

func TestImpossibleOptionsAreRefusedInASentence(t *testing.T) {
	good := Options{NZ: 10, NX: 20, DZ: 10, DX: 10}
	for says, change := range map[string]func(*Options){
		"0 × 20 cells":      func(o *Options) { o.NZ = 0 },
		"dx = -1 m":         func(o *Options) { o.DX = -1 },
		"dz = NaN m":        func(o *Options) { o.DZ = math.NaN() },
		"1e+07 m deep":      func(o *Options) { o.DZ = 1e6 },
		"kind 9":            func(o *Options) { o.Kind = 9 },
		"water 90 m deep":   func(o *Options) { o.WaterDepth = 90 },
		"water NaN m deep":  func(o *Options) { o.WaterDepth = math.NaN() },
		"from 1000 to 5500": func(o *Options) { o.MinVelocity = 1000 },
		"from 1450 to 6000": func(o *Options) { o.MaxVelocity = 6000 },
		"from 3000 to 2000": func(o *Options) { o.MinVelocity, o.MaxVelocity = 3000, 2000 },
	} {
		opts := good
		change(&opts)
		if _, err := Section(opts); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v, want one that says %q", err, says)
		}
	}
}

func TestExtremeShapesAreDrawn(t *testing.T) {
	for _, opts := range []Options{
		{NZ: 1, NX: 1, DZ: 10, DX: 10},
		{NZ: 1, NX: 50, DZ: 5000, DX: 10},
		{NZ: 400, NX: 2, DZ: 1, DX: 1},
		{NZ: 20, NX: 200, DZ: 100, DX: 300},
		{NZ: 200, NX: 3, DZ: 500, DX: 500},
	} {
		for _, kind := range Kinds() {
			opts.Kind = kind
			t.Run(fmt.Sprintf("%dx%d-%v", opts.NZ, opts.NX, kind), func(t *testing.T) {
				for i, v := range section(t, opts).VP {
					if !(v >= 1450 && v <= 5500) {
						t.Fatalf("cell %d has %g m/s", i, v)
					}
				}
			})
		}
	}
}

func testVolume(t *testing.T, seed uint64, n int, spacing float64) *Model {
	t.Helper()
	m, err := Volume(VolumeOptions{Options: Options{NZ: n / 2, NX: n, DZ: spacing, DX: spacing, Seed: seed, Kind: Folded, WaterDepth: 100}, NY: n, DY: spacing})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestVolumesDifferAlongBothHorizontalAxes(t *testing.T) {
	const n = 40
	m := testVolume(t, 4, n, 50)
	if len(m.VP) != n/2*n*n || len(m.SeaBottom) != n*n || len(m.Water) != len(m.VP) || len(m.UpdateMask()) != len(m.VP) {
		t.Fatalf("%d cells, %d places, %d cells that may be water", len(m.VP), len(m.SeaBottom), len(m.Water))
	}
	at := func(z, y, x int) float64 { return float64(m.VP[(z*n+y)*n+x]) }
	var alongY, alongX, level float64
	for z := n / 8; z < n/2; z++ {
		var mean float64
		for i := range n * n {
			mean += at(z, i/n, i%n) / (n * n)
		}
		for y := range n - 8 {
			for x := range n - 8 {
				alongY += math.Abs(at(z, y+8, x) - at(z, y, x))
				alongX += math.Abs(at(z, y, x+8) - at(z, y, x))
				level += math.Abs(at(z, y, x) - mean)
			}
		}
	}
	// 400 m away the rock differs by a good part of what it varies at that depth
	if alongY < 0.2*level || alongX < 0.2*level {
		t.Errorf("over 400 m velocities change by %g along y and %g along x, where they stray by %g", alongY, alongX, level)
	}
	for i, v := range m.VP {
		if !(v >= 1450 && v <= 5500) || m.Water[i] != (v == 1500 && i/(n*n)*50 < int(math.Ceil(m.SeaBottom[i%(n*n)]))) {
			t.Fatalf("cell %d: %g m/s, water %v, sea bottom at %g m", i, v, m.Water[i], m.SeaBottom[i%(n*n)])
		}
	}
}

func TestVolumesAreTheSameForTheSameSeedAtEverySpacing(t *testing.T) {
	fine, again, other := testVolume(t, 4, 40, 16), testVolume(t, 4, 40, 16), testVolume(t, 5, 40, 16)
	if !slices.Equal(fine.VP, again.VP) {
		t.Error("the same seed made two volumes")
	}
	if slices.Equal(fine.VP, other.VP) {
		t.Error("two seeds made one volume")
	}
	half := testVolume(t, 4, 80, 8)
	for i, v := range fine.VP {
		z, y, x := i/1600, i/40%40, i%40
		if w := half.VP[(2*z*80+2*y)*80+2*x]; w != v {
			t.Fatalf("cell (%d, %d, %d) is %g m/s, with half the spacing %g", z, y, x, v, w)
		}
	}
}

func TestImpossibleVolumesAreRefused(t *testing.T) {
	section := Options{NZ: 10, NX: 10, DZ: 20, DX: 20}
	for name, o := range map[string]VolumeOptions{
		"no cells":  {Options: section, DY: 20},
		"no size":   {Options: section, NY: 10},
		"too large": {Options: section, NY: 10, DY: 1e6},
		"section":   {Options: Options{}, NY: 10, DY: 20},
	} {
		if _, err := Volume(o); err == nil {
			t.Errorf("%s: drawn", name)
		}
	}
}
