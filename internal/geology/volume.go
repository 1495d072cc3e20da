package geology

import (
	"fmt"
	"math"
)

// VolumeOptions says what volume to draw. Options hold what sections take too;
// the volume is NY·DY deep along y.
type VolumeOptions struct {
	Options
	NY int
	DY float64 // Metres.
}

// bending is what makes a volume of a section's history: structures strike at
// an angle to the grid, their strike meanders, and they rise and sink along
// it. A point of the volume shows the rock that stands in the section at
// another distance and depth.
type bending struct {
	cos, sin      float64 // Of the angle between the section and x.
	begin         float64 // Smallest distance along the section, at the volume's corner.
	meander       float64 // Metres.
	plunge        float64 // Metres.
	length        float64 // Of meanders and plunges, metres.
	seed          uint64
	width, height float64 // Of the section, metres.
}

func newBending(o VolumeOptions) bending {
	r := stream(o.Seed, forBending)
	lx, ly := float64(o.NX)*o.DX, float64(o.NY)*o.DY
	angle := either(r) * between(r, 15, 40) * math.Pi / 180
	b := bending{cos: math.Cos(angle), sin: math.Sin(angle), length: between(r, 1800, 2600), seed: r.Uint64(), height: float64(o.NZ) * o.DZ}
	b.begin = min(0, ly*b.sin)
	b.width = lx*b.cos + ly*math.Abs(b.sin)
	b.meander = between(r, 0.10, 0.16) * b.length
	b.plunge = between(r, 0.03, 0.06) * b.height
	return b
}

// section returns the distance along the section at which a point of the map
// lies, and by how many metres its rocks stand higher there.
func (b *bending) section(y, x float64) (distance, lift float64) {
	along, across := x*b.cos+y*b.sin-b.begin, y*b.cos-x*b.sin
	bend := noise2(along/(2*b.length), across/b.length, b.seed)
	return along + b.meander*bend, b.plunge * noise2(along/(1.6*b.length), across/(0.8*b.length), b.seed+1)
}

// Volume draws a volume [nz, ny, nx]: the history of a section, bent along a
// strike that is oblique to both horizontal axes, so that no cut through it is
// like its neighbours. Sampling, averaging and refusals are those of Section.
func Volume(opts VolumeOptions) (*Model, error) {
	if opts.NY <= 0 || !(opts.DY > 0) || math.IsInf(opts.DY, 0) || float64(opts.NY)*opts.DY > 3e5 {
		return nil, fmt.Errorf("geology: a volume of %d cells of %g m along y is impossible", opts.NY, opts.DY)
	}
	o, err := opts.Options.resolved()
	if err != nil {
		return nil, err
	}
	opts.Options = o
	b := newBending(opts)
	e := newEarth(o.Seed, o.Kind, b.width, b.height, o.WaterDepth)
	columns := o.NX * opts.NY
	m := &Model{
		NZ: o.NZ, NY: opts.NY, NX: o.NX, DZ: o.DZ, DY: opts.DY, DX: o.DX, Seed: o.Seed, Kind: e.kind,
		VP:        make([]float32, o.NZ*columns),
		SeaBottom: make([]float64, columns),
	}
	if e.water {
		m.Water = make([]bool, o.NZ*columns)
	}
	gain := (o.MaxVelocity - o.MinVelocity) / (fastest - slowest)
	acrossX, acrossY, down := offsets(o.DX), offsets(opts.DY), offsets(o.DZ)
	for c := range columns {
		y, x := float64(c/o.NX)*opts.DY, float64(c%o.NX)*o.DX
		distance, _ := b.section(y, x)
		m.SeaBottom[c] = e.seabed.at(distance)
		m.WaterDepth += m.SeaBottom[c] / float64(columns)
		for i := range o.NZ {
			z := float64(i) * o.DZ
			at := i*columns + c
			if e.water && z < m.SeaBottom[c] {
				m.VP[at] = waterVelocity
				m.Water[at] = true
				continue
			}
			var slowness2 float64
			for _, oy := range acrossY {
				for _, ox := range acrossX {
					distance, lift := b.section(y+oy, x+ox)
					seabed := e.seabed.at(distance)
					for _, oz := range down {
						// A cell of rock stays free of water, and plunging beds below the sea bottom.
						depth := max(z+oz, seabed)
						rock := max(depth+lift*smoothstep(0, 0.2*b.height, depth-seabed), seabed)
						v := o.MinVelocity + gain*(e.velocity(distance, rock, seabed)-slowest)
						slowness2 += 1 / (v * v)
					}
				}
			}
			v := math.Sqrt(float64(len(acrossX)*len(acrossY)*len(down)) / slowness2)
			m.VP[at] = float32(min(max(v, o.MinVelocity), o.MaxVelocity))
		}
	}
	return m, nil
}
