package geology

import "slices"

// Velocities in m/s that no drawn rock leaves, and that of sea water.
const (
	slowest       = 1450.0
	fastest       = 5500.0
	waterVelocity = 1500.0
	knee          = 4600.0 // From where on fast rocks get faster more slowly.
)

// A sequence is what was deposited between two unconformities, with the events
// that deformed it and everything older, but nothing younger.
type sequence struct {
	events []event  // From the youngest to the oldest.
	base   *profile // The unconformity below it; nil for the oldest sequence.
	// The stratigraphic coordinate is s = (z - reference(x))·stretch(x): beds
	// follow the reference and thicken where stretch is small.
	reference, stretch *profile
	strata             *succession
	channels           []channel
	shelves            [][]int32 // Channels that touch each shelfHeight of s.
	burial             float64   // Metres by which it was buried deeper once.
	// Beds swell and pinch by this many metres.
	swelling     float64
	swellingSeed uint64
}

const shelfHeight = 100.0

// shelve sorts the channels by level, so that a point asks only a few of them.
// Later channels cut earlier ones.
func (q *sequence) shelve() {
	q.shelves = make([][]int32, int((stratumBottom-stratumTop)/shelfHeight))
	for i := range slices.Backward(q.channels) {
		c := &q.channels[i]
		top, bottom := c.level, c.level+c.height
		if c.lens {
			top, bottom = c.level-c.height, c.level
		}
		for k := shelfOf(top); k <= shelfOf(bottom); k++ {
			if k >= 0 && k < len(q.shelves) {
				q.shelves[k] = append(q.shelves[k], int32(i))
			}
		}
	}
}

func shelfOf(s float64) int { return int((s - stratumTop) * (1 / shelfHeight)) }

// texture is a random medium with different correlation lengths along and
// across the beds.
type texture struct {
	strength      float64 // About the relative standard deviation.
	along, across float64 // Correlation lengths in metres.
	octaves       int
	roughness     float64
	seed          uint64
}

func (t *texture) at(x, s float64) float64 {
	var sum float64
	amplitude := t.strength
	u, v := x/t.along, s/t.across
	u, v = 0.8*u-0.6*v, 0.6*u+0.8*v
	for k := range t.octaves {
		sum += amplitude * noise2(u, v, t.seed+uint64(k)*0x632be59bd9b4e019)
		amplitude *= t.roughness
		// Twice as fine and turned, so that lattices do not line up.
		u, v = 1.6*u-1.2*v, 1.2*u+1.6*v
	}
	return sum
}

// trend is the compaction trend: v0 at the sea bottom, growing by gradient per
// metre there and approaching limit.
type trend struct{ v0, gradient, limit float64 }

func (t trend) at(burial float64) float64 {
	if burial < 0 {
		burial = 0
	}
	gain := t.gradient * burial
	return t.v0 + gain/(1+gain/(t.limit-t.v0))
}

// earth is a section as a function of position: it knows nothing of any grid.
type earth struct {
	kind         Kind
	width, depth float64
	water        bool
	seabed       *profile // Depth of the sea bottom, or 0 on land.
	trend        trend
	sequences    []*sequence
	diapirs      []*diapir
	sheets       []sheet
	saltVelocity float64
	gas          []gasPocket
	texture      texture
}

// locate returns the sequence of a point below the sea bottom, and the distance
// and level at which its rock was deposited.
func (e *earth) locate(x, z float64) (sequence int, xs, s float64) {
	for i, q := range e.sequences {
		for _, event := range q.events {
			x, z = event.undo(x, z)
		}
		if q.base != nil && z >= q.base.at(x) {
			continue
		}
		s = (z - q.reference.at(x)) * q.stretch.at(x)
		if q.swelling > 0 {
			s += q.swelling * noise2(x*(1/1700.0), s*(1/260.0), q.swellingSeed)
		}
		return i, x, s
	}
	panic("geology: the oldest sequence has a base")
}

// velocity returns the velocity of the rock at a point that lies below the sea
// bottom, whose depth is given.
func (e *earth) velocity(x, z, seabed float64) float64 {
	for _, d := range e.diapirs {
		if caprock, inside := d.inside(x, z); inside {
			if caprock {
				return min(1.1*e.saltVelocity, fastest)
			}
			return e.salt(x, z)
		}
	}
	for _, sh := range e.sheets {
		if top := sh.top.at(x); z >= top && z < sh.base.at(x) {
			return e.salt(x, z)
		}
	}
	i, xs, s := e.locate(x, z)
	q := e.sequences[i]
	factor, _ := q.strata.factor(xs, s)
	if len(q.channels) > 0 {
		if k := shelfOf(s); k >= 0 && k < len(q.shelves) {
			for _, c := range q.shelves[k] {
				if fill, inside := q.channels[c].fill(xs, s, q.strata.bedding); inside {
					factor = fill
					break
				}
			}
		}
	}
	factor *= 1 + e.texture.at(xs, s)
	for g := range e.gas {
		factor *= e.gas[g].factorAt(x, z, i, s)
	}
	v := e.trend.at(z-seabed+q.burial) * factor
	if v > knee { // Approach the limit instead of running flat against it.
		v = knee + (v-knee)/(1+(v-knee)/(fastest-knee))
	}
	return max(v, slowest)
}

// salt is nearly uniform; inclusions of other evaporites make it a little
// uneven.
func (e *earth) salt(x, z float64) float64 {
	return e.saltVelocity * (1 + 0.012*noise2(x/160, z/70, e.texture.seed+77))
}
