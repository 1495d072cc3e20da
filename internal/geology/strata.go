package geology

import (
	"math"
	"math/rand/v2"
)

// A lithology describes how a kind of rock departs from the compaction trend.
type lithology struct {
	factor    float64 // Velocity over that of the trend.
	spread    float64 // Standard deviation of that factor between formations.
	contrast  float64 // Relative standard deviation between its beds.
	thickness float64 // Mean thickness of its beds in metres.
	reservoir bool    // Can hold gas.
}

// Shares of the trend and bed statistics are orders of magnitude as found in
// textbooks of rock physics, not fitted to any data set.
var (
	shale       = lithology{factor: 0.93, spread: 0.03, contrast: 0.022, thickness: 34}
	siltstone   = lithology{factor: 0.99, spread: 0.03, contrast: 0.030, thickness: 26}
	sandstone   = lithology{factor: 1.06, spread: 0.04, contrast: 0.040, thickness: 30, reservoir: true}
	turbidite   = lithology{factor: 1.01, spread: 0.03, contrast: 0.068, thickness: 22, reservoir: true}
	foresets    = lithology{factor: 1.03, spread: 0.04, contrast: 0.065, thickness: 38, reservoir: true}
	marl        = lithology{factor: 1.13, spread: 0.04, contrast: 0.038, thickness: 28}
	limestone   = lithology{factor: 1.30, spread: 0.06, contrast: 0.045, thickness: 42}
	anhydrite   = lithology{factor: 1.48, spread: 0.05, contrast: 0.030, thickness: 40}
	volcanics   = lithology{factor: 1.36, spread: 0.06, contrast: 0.080, thickness: 36}
	crystalline = lithology{factor: 1.62, spread: 0.03, contrast: 0.012, thickness: 90}
)

// A formation is a unit of one lithology between two stratigraphic levels.
type formation struct {
	top, bottom float64 // Stratigraphic coordinate in metres.
	lithology   lithology
	factor      float64
	gradient    float64 // Relative change of velocity from top to bottom.
	phase       float64 // Shifts the formation along the bedding.
	progrades   float64 // Slope of clinoforms; 0: beds parallel to the top.
}

// A succession is a pile of formations over the stratigraphic coordinate s,
// which is depth in metres at the time of deposition.
type succession struct {
	formations []formation
	index      []int32 // The formation at the start of each indexStep.
	bedding    *bedding
}

const (
	stratumTop    = -4_000.0
	stratumBottom = 16_000.0
	indexStep     = 10.0
)

// A mix of lithologies, each with the relative share of its thickness.
type share struct {
	lithology lithology
	weight    float64
}

// newSuccession draws formations between a third and twice the given
// thickness from the shares. Equal neighbours are avoided.
func newSuccession(r *rand.Rand, shares []share, thickness float64, progrades bool) *succession {
	c := &succession{bedding: newBedding(r)}
	previous := -1
	for top := stratumTop; top < stratumBottom; {
		h := thickness * min(max(math.Exp(0.55*r.NormFloat64()), 0.33), 2)
		k := previous
		for attempt := 0; k == previous && attempt < 4; attempt++ {
			k = draw(r, shares)
		}
		previous = k
		l := shares[k].lithology
		f := formation{
			top: top, bottom: top + h, lithology: l,
			factor:   l.factor * (1 + l.spread*r.NormFloat64()),
			gradient: 0.04 * r.NormFloat64(),
			phase:    r.Float64() * beddingPeriod,
		}
		if slope := 0.06 + 0.09*r.Float64(); progrades && r.Float64() < 0.7 {
			f.progrades = slope
		}
		c.formations = append(c.formations, f)
		top += h
	}
	n := int((stratumBottom-stratumTop)/indexStep) + 1
	c.index = make([]int32, n)
	k := 0
	for i := range c.index {
		for c.formations[k].bottom <= stratumTop+float64(i)*indexStep {
			k++
		}
		c.index[i] = int32(k)
	}
	return c
}

func draw(r *rand.Rand, shares []share) int {
	var total float64
	for _, s := range shares {
		total += s.weight
	}
	at := r.Float64() * total
	for k, s := range shares {
		if at -= s.weight; at < 0 {
			return k
		}
	}
	return len(shares) - 1
}

func (c *succession) formation(s float64) *formation {
	t := (s - stratumTop) * (1 / indexStep)
	k := int(c.index[int(min(max(t, 0), float64(len(c.index)-1)))])
	for k < len(c.formations)-1 && s >= c.formations[k].bottom {
		k++
	}
	return &c.formations[k]
}

// factor returns velocity over that of the compaction trend at distance x and
// level s.
func (c *succession) factor(x, s float64) (float64, *formation) {
	f := c.formation(s)
	within := min(max((s-f.top)/(f.bottom-f.top), 0), 1)
	t := s
	if f.progrades != 0 {
		t = f.progrades*x + (f.bottom-f.top)*clinoform(within)
	}
	deviate := c.bedding.at(t*(30/f.lithology.thickness) + f.phase)
	return f.factor * (1 + f.gradient*(within-0.5)) * (1 + f.lithology.contrast*deviate), f
}

// clinoform maps the relative height within a prograding unit to the level of
// a bed: steep at both ends, so that beds of one level flatten towards the top
// and the bottom of the unit as foresets do.
func clinoform(within float64) float64 {
	u := 2*within - 1
	u2 := u * u
	return within + 0.9*u*u2*u2
}

// bedding is a repeating pile of beds with a mean thickness of 30 m. Each has a
// deviate of about unit variance: the sum of one that neighbours tend to have
// with the opposite sign, and one that bundles of beds share.
type bedding struct {
	tops     []float64
	values   []float64
	gradient []float64
	index    []int32 // The bed at the start of each metre of bedStep.
}

const (
	beddingPeriod = 5_000.0
	bedStep       = 4.0
	// Beds are at least this thick before the lithology's scale applies.
	thinnestBed = 12.0
)

func newBedding(r *rand.Rand) *bedding {
	b := &bedding{}
	var bed, bundle float64
	left := 0.0
	for top := 0.0; top < beddingPeriod; {
		if left <= 0 {
			bundle = r.NormFloat64()
			left = 60 + 180*r.Float64()
		}
		bed = -0.35*bed + 0.94*r.NormFloat64()
		b.tops = append(b.tops, top)
		b.values = append(b.values, min(max(0.8*bed+0.6*bundle, -2.4), 2.4))
		b.gradient = append(b.gradient, 0.35*r.NormFloat64())
		h := min(max(26*math.Exp(0.6*r.NormFloat64()), thinnestBed), 110)
		top += h
		left -= h
	}
	n := int(beddingPeriod / bedStep)
	b.index = make([]int32, n)
	k := 0
	for i := range b.index {
		for k+1 < len(b.tops) && b.tops[k+1] <= float64(i)*bedStep {
			k++
		}
		b.index[i] = int32(k)
	}
	return b
}

func (b *bedding) at(t float64) float64 {
	t -= math.Floor(t*(1/beddingPeriod)) * beddingPeriod
	k := int(b.index[min(int(t*(1/bedStep)), len(b.index)-1)])
	for k+1 < len(b.tops) && t >= b.tops[k+1] {
		k++
	}
	bottom := beddingPeriod
	if k+1 < len(b.tops) {
		bottom = b.tops[k+1]
	}
	return b.values[k] + b.gradient[k]*((t-b.tops[k])/(bottom-b.tops[k])-0.5)
}
