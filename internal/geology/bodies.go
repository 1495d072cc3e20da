package geology

import (
	"math"
	"math/rand/v2"
)

// A channel is cut into the beds from a level s downwards, or a lens is piled
// up from it, both in coordinates of deposition: later folds and faults deform
// them with their host.
type channel struct {
	centre, level float64
	half, height  float64 // Half width and depth of the cut in metres.
	lean          float64 // Asymmetry of the banks, within (-1, 1).
	factor        float64 // Velocity over that of the trend.
	contrast      float64
	phase         float64
	lens          bool // Convex upwards on a flat base.
}

// fill returns the velocity factor inside the channel.
func (c *channel) fill(x, s float64, beds *bedding) (float64, bool) {
	depth := s - c.level
	if c.lens {
		depth = -depth
	}
	if depth < 0 || depth >= c.height {
		return 0, false
	}
	u := (x - c.centre) / c.half
	if u <= -1 || u >= 1 {
		return 0, false
	}
	u += c.lean * (1 - u*u)
	shape := 1 - u*u
	floor := c.height * shape * (2 - shape)
	if depth >= floor {
		return 0, false
	}
	// Laminae sag towards the axis as the cut was filled.
	lamina := s - 0.55*floor + c.phase
	return c.factor * (1 + c.contrast*beds.at(1.4*lamina)), true
}

// newChannels scatters channels and lenses over the width and between two
// levels, count of them for each square of a kilometre.
func newChannels(r *rand.Rand, width, top, bottom, density, size float64) []channel {
	var channels []channel
	area := (width + 4000) / 1000 * (bottom - top) / 1000
	n := int(area*density + 0.5)
	for range n {
		c := channel{
			centre: -2000 + (width+4000)*r.Float64(),
			level:  top + (bottom-top)*r.Float64(),
			half:   size * math.Exp(0.5*r.NormFloat64()),
			lean:   0.35 * (2*r.Float64() - 1),
			phase:  beddingPeriod * r.Float64(),
			lens:   r.Float64() < 0.35,
		}
		c.height = c.half * (0.12 + 0.16*r.Float64())
		if c.lens {
			c.height *= 0.6
		}
		c.height = min(c.height, 220)
		if r.Float64() < 0.6 {
			c.factor, c.contrast = 1.08+0.10*r.Float64(), 0.035
		} else { // Abandoned and filled with mud.
			c.factor, c.contrast = 0.84+0.07*r.Float64(), 0.02
		}
		channels = append(channels, c)
	}
	return channels
}

// A diapir is a stock of salt: a bulb on a stem, with rough flanks and top.
type diapir struct {
	x, top, base      float64
	bulb, stem, foot  float64 // Half widths in metres.
	lean              float64
	cap               float64 // Share of the height that the rounded top takes.
	roof              *profile
	flank             uint64
	flankHeight       float64
	velocity, caprock float64
}

func (d *diapir) height() float64 { return d.base - d.top }

func (d *diapir) centre(z float64) float64 { return d.x + d.lean*(z-d.top) }

// halfWidth is that of the smooth shape at depth z.
func (d *diapir) halfWidth(z float64) float64 {
	t := (z - d.top) / d.height()
	switch {
	case t <= 0:
		return 0
	case t < d.cap:
		u := 1 - t/d.cap
		return d.bulb * math.Sqrt(1-u*u)
	case t < 0.62:
		return d.bulb + (d.stem-d.bulb)*smoothstep(d.cap, 0.62, t)
	default:
		return d.stem + (d.foot-d.stem)*smoothstep(0.62, 1, t)
	}
}

// inside tells whether a point is in the body, and whether in its caprock.
func (d *diapir) inside(x, z float64) (caprock, inside bool) {
	if z < d.top-200 || z > d.base || math.Abs(x-d.centre(z)) > 1.4*(max(d.bulb, d.foot))+100 {
		return false, false
	}
	z += d.roof.at(x)
	if z <= d.top {
		return false, false
	}
	side := math.Abs(x-d.centre(z)) - d.flankHeight*noise1(z/170, d.flank)
	if side >= d.halfWidth(z) {
		return false, false
	}
	return d.caprock > 0 && side >= d.halfWidth(z-d.caprock), true
}

// A sheet is a body between two profiles: a salt pillow on its flat base, or a
// tongue that has spread between the beds. It is absent where top ≥ base.
type sheet struct{ top, base *profile }

// A gasPocket fills a reservoir formation above a flat contact.
type gasPocket struct {
	x, half          float64
	sequence         int
	top, bottom      float64 // Stratigraphic levels of the reservoir.
	contact          float64 // Depth of the gas-water contact in metres.
	factor           float64
	chimney          float64 // Relative loss of velocity in the beds above.
	chimneyWidth     float64
	crest, shallower float64 // The chimney's lower and upper end.
	seed             uint64
}

// factorAt returns the velocity factor that gas causes at a point of the
// section whose rock belongs to a sequence at level s.
func (g *gasPocket) factorAt(x, z float64, sequence int, s float64) float64 {
	u := math.Abs(x - g.x)
	if u < g.half && z < g.contact && sequence == g.sequence && s >= g.top && s < g.bottom {
		return g.factor
	}
	if g.chimney > 0 && z < g.crest && z > g.shallower && u < 2.5*g.chimneyWidth {
		wobble := 0.3 * g.chimneyWidth * noise1(z/220, g.seed)
		v := (x - g.x + wobble) / g.chimneyWidth
		ragged := 1 + 0.5*noise2(x/120, z/90, g.seed+1)
		return 1 - g.chimney*ragged*math.Exp(-v*v)*smoothstep(g.shallower, g.shallower+300, z)
	}
	return 1
}
