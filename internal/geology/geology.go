// Package geology draws random velocity sections of the subsurface that look
// like geology: bedded sequences between unconformities, folds, normal faults,
// thrusts, salt, channels, deltas, gas and random media below a sea bottom with
// relief. They serve as demonstration problems and as training data.
//
// A section is made as nature makes it: beds are laid down flat, and a history
// of events then deforms and cuts them. Each point of the present section is
// traced back through that history to the bed it was deposited in. The result
// is a function of position in metres: the same seed and physical size give
// the same geology at every spacing.
package geology

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// A Kind is the dominant style of a section.
type Kind int

const (
	AnyKind  Kind = iota // Drawn at random from the others.
	Folded               // Folded sequences with unconformities.
	Faulted              // Rifted: normal faults over a crystalline basement.
	Thrusted             // A fold-and-thrust belt.
	Salt                 // Diapirs, pillows and tongues of salt.
	Channels             // Channels and lenses in gently deformed beds.
	Delta                // Prograding units with clinoforms and growth faults.
	Gas                  // Anticlines with gas above flat contacts, and chimneys.
	Random               // Weak bedding under a strong random medium.
	kinds
)

var kindNames = [...]string{"any", "folded", "faulted", "thrusted", "salt", "channels", "delta", "gas", "random"}

// String returns the name of the kind in lower case.
func (k Kind) String() string {
	if k < 0 || k >= kinds {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return kindNames[k]
}

// Kinds returns every kind but AnyKind.
func Kinds() []Kind {
	all := make([]Kind, 0, kinds-1)
	for k := AnyKind + 1; k < kinds; k++ {
		all = append(all, k)
	}
	return all
}

// Options says what to draw.
type Options struct {
	NZ, NX int
	DZ, DX float64 // Spacing in metres; the section is NZ·DZ deep and NX·DX wide.
	Seed   uint64
	Kind   Kind // The zero value draws one.
	// WaterDepth is the mean depth of the sea bottom in metres. Zero draws
	// one, now and then a section on land; negative: land.
	WaterDepth float64
	// MinVelocity and MaxVelocity bound the rocks in m/s; zero: 1450 and
	// 5500. Rocks are scaled linearly from those limits to these. Water is
	// 1500 m/s wherever it is.
	MinVelocity, MaxVelocity float64
}

// A Model is a velocity section [nz, nx] or volume [nz, ny, nx], z down, x
// fastest.
type Model struct {
	NZ, NY, NX int     // NY is 0 for a section.
	DZ, DY, DX float64 // Metres.
	Seed       uint64
	Kind       Kind // As drawn; never AnyKind.

	VP    []float32 // m/s.
	Water []bool    // True where the cell is water; nil on land.
	// SeaBottom is the depth of the sea bottom in metres at each of the nx
	// distances or [ny, nx] places, 0 on land, and WaterDepth its mean.
	SeaBottom  []float64
	WaterDepth float64
}

// UpdateMask returns 0 for cells of water, which an inversion keeps as they
// are, and 1 for rock.
func (m *Model) UpdateMask() []float32 {
	mask := make([]float32, len(m.VP))
	for i := range mask {
		if m.Water == nil || !m.Water[i] {
			mask[i] = 1
		}
	}
	return mask
}

// sampleWidth is the spacing in metres from which a cell is averaged over
// several points: beds are some tens of metres thick, and a coarse grid of
// single points would alias them.
const sampleWidth = 16.0

// maxSamples bounds the points per direction of a very coarse cell.
const maxSamples = 6

// Section draws a section. It is sampled at the nodes z = i·DZ, x = j·DX where
// the spacing is up to 16 m; cells of coarser grids hold the average of the
// squared slowness over the cell, the effective medium of the acoustic wave
// equation at constant density. It refuses an empty grid, spacings that are
// not positive, water as deep as the section and bounds that are not in order.
func Section(opts Options) (*Model, error) {
	opts, err := opts.resolved()
	if err != nil {
		return nil, err
	}
	e := newEarth(opts.Seed, opts.Kind, float64(opts.NX)*opts.DX, float64(opts.NZ)*opts.DZ, opts.WaterDepth)
	m := &Model{
		NZ: opts.NZ, NX: opts.NX, DZ: opts.DZ, DX: opts.DX, Seed: opts.Seed, Kind: e.kind,
		VP:        make([]float32, opts.NZ*opts.NX),
		SeaBottom: make([]float64, opts.NX),
	}
	for j := range m.SeaBottom {
		m.SeaBottom[j] = e.seabed.at(float64(j) * m.DX)
		m.WaterDepth += m.SeaBottom[j] / float64(m.NX)
	}
	if e.water {
		m.Water = make([]bool, m.NZ*m.NX)
	}
	gain := (opts.MaxVelocity - opts.MinVelocity) / (fastest - slowest)
	rock := func(x, z, seabed float64) float64 {
		v := opts.MinVelocity + gain*(e.velocity(x, z, seabed)-slowest)
		return min(max(v, opts.MinVelocity), opts.MaxVelocity)
	}

	across, down := offsets(m.DX), offsets(m.DZ)
	seabeds := make([]float64, len(across)*m.NX) // Of every column of samples.
	for j := range m.NX {
		for k, o := range across {
			seabeds[j*len(across)+k] = e.seabed.at(float64(j)*m.DX + o)
		}
	}
	for i := range m.NZ {
		z := float64(i) * m.DZ
		for j := range m.NX {
			x := float64(j) * m.DX
			if e.water && z < m.SeaBottom[j] {
				m.VP[i*m.NX+j] = waterVelocity
				m.Water[i*m.NX+j] = true
				continue
			}
			if len(across)*len(down) == 1 {
				m.VP[i*m.NX+j] = float32(rock(x, z, m.SeaBottom[j]))
				continue
			}
			var slowness2 float64
			for k, ox := range across {
				seabed := seabeds[j*len(across)+k]
				for _, oz := range down {
					// Below the sea bottom of its own column: a cell of
					// rock stays free of water.
					v := rock(x+ox, max(z+oz, seabed), seabed)
					slowness2 += 1 / (v * v)
				}
			}
			v := math.Sqrt(float64(len(across)*len(down)) / slowness2)
			m.VP[i*m.NX+j] = float32(min(max(v, opts.MinVelocity), opts.MaxVelocity))
		}
	}
	return m, nil
}

// offsets returns the sample positions of a cell, relative to its node.
func offsets(spacing float64) []float64 {
	n := min(int(math.Ceil(spacing/sampleWidth)), maxSamples)
	out := make([]float64, n)
	for k := range out {
		out[k] = ((float64(k)+0.5)/float64(n) - 0.5) * spacing
	}
	return out
}

// resolved checks the options and fills in the defaults that need no drawing.
func (o Options) resolved() (Options, error) {
	if o.NZ <= 0 || o.NX <= 0 {
		return o, fmt.Errorf("geology: a section of %d × %d cells is empty", o.NZ, o.NX)
	}
	if !(o.DZ > 0) || !(o.DX > 0) || math.IsInf(o.DZ, 0) || math.IsInf(o.DX, 0) {
		return o, fmt.Errorf("geology: spacing dz = %g m, dx = %g m, both must be positive", o.DZ, o.DX)
	}
	const limit = 3e5
	if depth, width := float64(o.NZ)*o.DZ, float64(o.NX)*o.DX; depth > limit || width > limit {
		return o, fmt.Errorf("geology: a section %g m deep and %g m wide; neither may exceed %g m", depth, width, limit)
	}
	if o.Kind < 0 || o.Kind >= kinds {
		return o, fmt.Errorf("geology: kind %d is unknown, kinds are 0 to %d", int(o.Kind), int(kinds)-1)
	}
	if depth := float64(o.NZ) * o.DZ; math.IsNaN(o.WaterDepth) || o.WaterDepth > 0.7*depth {
		return o, fmt.Errorf("geology: water %g m deep in a section of %g m, at most %g m fit", o.WaterDepth, depth, 0.7*depth)
	}
	if o.MinVelocity == 0 {
		o.MinVelocity = slowest
	}
	if o.MaxVelocity == 0 {
		o.MaxVelocity = fastest
	}
	if !(o.MinVelocity >= slowest) || !(o.MaxVelocity <= fastest) || !(o.MinVelocity < o.MaxVelocity) {
		return o, fmt.Errorf("geology: velocities from %g to %g m/s, they must rise within %g to %g m/s",
			o.MinVelocity, o.MaxVelocity, slowest, fastest)
	}
	return o, nil
}

// stream returns the random numbers of one purpose. Purposes draw from streams
// of their own, so that one more draw for one does not change the others.
func stream(seed, purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, purpose))
}
