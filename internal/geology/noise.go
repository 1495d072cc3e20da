package geology

import "math"

// mix turns lattice coordinates and a seed into 64 well-scattered bits.
func mix(ix, iz int64, seed uint64) uint64 {
	h := uint64(ix)*0x9e3779b97f4a7c15 ^ uint64(iz)*0xd1b54a32d192ed03 ^ seed
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// signed maps the low 32 bits to [-1, 1).
func signed(h uint64) float64 { return float64(int32(h)) * (1.0 / (1 << 31)) }

func fade(t float64) float64 { return t * t * t * (t*(t*6-15) + 10) }

// noise1 is smooth noise of unit correlation length on a line (gradient noise
// plus value noise, so that it does not vanish at the lattice points), roughly
// within [-1, 1].
func noise1(x float64, seed uint64) float64 {
	floor := math.Floor(x)
	i, t := int64(floor), x-floor
	a, b := mix(i, 0, seed), mix(i+1, 0, seed)
	left := 0.7*signed(a) + signed(a>>32)*t
	right := 0.7*signed(b) + signed(b>>32)*(t-1)
	return left + (right-left)*fade(t)
}

// noise2 is gradient noise (Perlin 2002) of unit correlation length in the
// plane, roughly within [-1, 1].
func noise2(x, z float64, seed uint64) float64 {
	fx, fz := math.Floor(x), math.Floor(z)
	i, j := int64(fx), int64(fz)
	t, s := x-fx, z-fz
	corner := func(h uint64, t, s float64) float64 { return signed(h)*t + signed(h>>32)*s }
	a := corner(mix(i, j, seed), t, s)
	b := corner(mix(i+1, j, seed), t-1, s)
	c := corner(mix(i, j+1, seed), t, s-1)
	d := corner(mix(i+1, j+1, seed), t-1, s-1)
	u := fade(t)
	upper := a + (b-a)*u
	lower := c + (d-c)*u
	return 1.6 * (upper + (lower-upper)*fade(s))
}

// fractal1 adds octaves of noise1, each of half the length and the given
// fraction of the amplitude of the one before.
func fractal1(x float64, octaves int, roughness float64, seed uint64) float64 {
	var sum, total float64
	amplitude := 1.0
	for k := range octaves {
		sum += amplitude * noise1(x, seed+uint64(k)*0x632be59bd9b4e019)
		total += amplitude
		amplitude *= roughness
		x *= 2
	}
	return sum / total
}

// A profile is a function of x in metres, tabulated at profileStep so that it
// costs the same however many features it is made of. The lattice is fixed to
// x = 0: the function is the same for every grid.
type profile struct{ values []float64 }

const (
	profileStep = 10.0
	// profilePad extends profiles beyond both ends of the section, from where
	// faults and thrusts may have carried rocks into it.
	profilePad = 10_000.0
)

func newProfile(width float64, f func(x float64) float64) *profile {
	n := int(math.Ceil((width+2*profilePad)/profileStep)) + 2
	p := &profile{values: make([]float64, n)}
	for i := range p.values {
		p.values[i] = f(float64(i)*profileStep - profilePad)
	}
	return p
}

func (p *profile) at(x float64) float64 {
	t := (x + profilePad) * (1 / profileStep)
	if t < 0 {
		return p.values[0]
	}
	i := int(t)
	if i >= len(p.values)-1 {
		return p.values[len(p.values)-1]
	}
	t -= float64(i)
	return p.values[i] + (p.values[i+1]-p.values[i])*t
}

// mean is the average of the profile over the section itself.
func (p *profile) mean(width float64) float64 {
	const step = 50
	var sum float64
	n := max(1, int(width/step))
	for i := range n {
		sum += p.at((float64(i) + 0.5) * width / float64(n))
	}
	return sum / float64(n)
}

// smoothstep rises from 0 at a to 1 at b with level ends.
func smoothstep(a, b, x float64) float64 {
	t := min(max((x-a)/(b-a), 0), 1)
	return t * t * (3 - 2*t)
}
