package geology

import (
	"math"
	"math/rand/v2"
)

// An event deformed everything that had been deposited before it. undo takes a
// point of the section after the event to where its rock lay before, so that
// the events of a history, undone from the youngest to the oldest, lead from
// the present section to the flat beds at their deposition. This is how
// kinematic modelling of structural geology works; it cannot produce a fault
// that fails to cut, or a fold that misses a bed.
type event interface {
	undo(x, z float64) (float64, float64)
}

// A fold has lifted each point by a function of distance, with axial planes
// that lean by the given slope (similar folding).
type fold struct {
	uplift *profile
	lean   float64
}

func (f *fold) undo(x, z float64) (float64, float64) {
	return x, z + f.uplift.at(x+f.lean*z)
}

// A fault has carried its hanging wall, the block above the surface z =
// surface(x), by a heave along x, each column sheared vertically so that it
// stays in contact with the surface. A plane fault shifts the block rigidly; a
// listric one rolls it over; a thrust over a ramp folds it.
type fault struct {
	surface *profile
	heave   float64
	// Displacement fades from full at fadeBottom to none at fadeTop, where
	// the fault dies out upwards; equal values do without.
	fadeTop, fadeBottom float64
}

func (f *fault) undo(x, z float64) (float64, float64) {
	depth := f.surface.at(x)
	if z >= depth {
		return x, z
	}
	heave := f.heave
	if f.fadeBottom > f.fadeTop {
		heave *= smoothstep(f.fadeTop, f.fadeBottom, z)
		if heave == 0 {
			return x, z
		}
	}
	from := x - heave
	return from, z - depth + f.surface.at(from)
}

// An arch is the doming of the beds around and above a salt body, with a rim
// syncline on either side. It fades from the top of the body to the surface.
type arch struct {
	body      *diapir
	amplitude float64
	reach     float64
	surface   float64 // Depth above which nothing is lifted.
}

func (a *arch) undo(x, z float64) (float64, float64) {
	beyond := max(0, math.Abs(x-a.body.centre(z))-a.body.halfWidth(max(z, a.body.top)))
	near := beyond / a.reach
	far := beyond / (2.6 * a.reach)
	if far > 3 {
		return x, z
	}
	lift := a.amplitude * smoothstep(a.surface, a.body.top+0.25*a.body.height(), z)
	return x, z + lift*(math.Exp(-near*near)-0.38*math.Exp(-far*far))
}

// swell is the lift of the beds above a salt pillow, fading upwards.
type swell struct {
	uplift       *profile
	surface, top float64
}

func (s *swell) undo(x, z float64) (float64, float64) {
	return x, z + s.uplift.at(x)*smoothstep(s.surface, s.top, z)
}

// newFolds draws a train of folds of the given mean wavelength and amplitude
// in metres.
func newFolds(r *rand.Rand, width, wavelength, amplitude float64) *fold {
	seed := r.Uint64()
	type wave struct{ k, phase, height float64 }
	var waves []wave
	for i := range 3 {
		l := wavelength * math.Pow(0.58, float64(i)) * (0.85 + 0.3*r.Float64())
		waves = append(waves, wave{2 * math.Pi / l, 2 * math.Pi * r.Float64(), math.Pow(0.42, float64(i))})
	}
	return &fold{
		lean: 0.3 * (2*r.Float64() - 1),
		uplift: newProfile(width, func(x float64) float64 {
			// Warping the distance keeps folds from repeating themselves.
			warped := x + 0.22*wavelength*noise1(x/(1.3*wavelength), seed)
			var sum float64
			for _, w := range waves {
				sum += w.height * math.Sin(w.k*warped+w.phase)
			}
			return amplitude * sum * (0.75 + 0.45*noise1(x/(1.8*wavelength), seed+1))
		}),
	}
}

// planeFault dips at the given angle in radians, to the right for side = 1 and
// to the left for side = -1, through (x, 0). A positive throw in metres lowers
// the hanging wall.
func planeFault(width, x, dip, side, throw float64, seed uint64) *fault {
	slope := math.Tan(dip)
	return &fault{
		surface: newProfile(width, func(at float64) float64 {
			return side*(at-x)*slope + 18*noise1(at/1500, seed)
		}),
		heave: side * throw / slope,
	}
}

// listricFault flattens downwards onto a detachment at the given depth.
func listricFault(width, x, dip, side, throw, detachment float64) *fault {
	slope := math.Tan(dip)
	return &fault{
		surface: newProfile(width, func(at float64) float64 {
			t := side * (at - x) * slope / detachment
			if t < 0 {
				return detachment * t
			}
			return detachment * (1 - math.Exp(-t))
		}),
		heave: side * throw / slope,
	}
}

// thrustFault climbs from a flat at the detachment depth over a ramp of the
// given dip to an upper flat, transport towards side. slip is in metres.
func thrustFault(width, foot, detachment, upper, dip, side, slip float64) *fault {
	length := (detachment - upper) / math.Tan(dip)
	return &fault{
		surface: newProfile(width, func(at float64) float64 {
			t := side * (at - foot)
			// The flats dip a little towards the hinterland.
			return detachment - (detachment-upper)*ramp(t/length) - 0.012*t
		}),
		heave: side * slip,
	}
}

// ramp rises from 0 to 1 over the unit interval, straight but for rounded ends.
func ramp(t float64) float64 {
	const round = 0.12
	soft := func(t float64) float64 { // An antiderivative of a smooth step.
		switch {
		case t < -round:
			return 0
		case t > round:
			return t
		}
		return (t + round) * (t + round) / (4 * round)
	}
	return soft(t) - soft(t-1)
}
