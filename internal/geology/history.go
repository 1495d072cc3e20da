package geology

import (
	"math"
	"math/rand/v2"
)

// Purposes of the streams of random numbers.
const (
	forKind uint64 = iota + 1
	forWater
	forTrend
	forStrata
	forStructure
	forSalt
	forGas
	forTexture
	forBending
)

// A builder draws the history of one section.
type builder struct {
	*earth
	seed uint64
	// Structures grow with the section: 1 for one 3 km deep. Beds do not.
	size float64
}

func newEarth(seed uint64, kind Kind, width, depth, water float64) *earth {
	if kind == AnyKind {
		kind = AnyKind + 1 + Kind(stream(seed, forKind).IntN(int(kinds)-1))
	}
	b := &builder{
		earth: &earth{kind: kind, width: width, depth: depth},
		seed:  seed,
		size:  min(max(math.Pow(depth/3000, 0.75), 0.2), 3),
	}
	b.drawWater(water)
	b.drawTrend()
	b.drawTexture()
	r := stream(seed, forStructure)
	switch kind {
	case Folded:
		b.folded(r)
	case Faulted:
		b.faulted(r)
	case Thrusted:
		b.thrusted(r)
	case Salt:
		b.folded(r)
		b.intrudeSalt()
	case Channels:
		b.channelled(r)
	case Delta:
		b.delta(r)
	case Gas:
		b.anticlines(r)
	case Random:
		b.random(r)
	}
	for _, q := range b.sequences {
		q.shelve()
	}
	b.drawGas()
	return b.earth
}

// between draws evenly from an interval.
func between(r *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

// either draws -1 or 1.
func either(r *rand.Rand) float64 {
	if r.Float64() < 0.5 {
		return -1
	}
	return 1
}

func (b *builder) drawWater(water float64) {
	r := stream(b.seed, forWater)
	land := r.Float64() < 0.2
	drawn := min(b.depth*between(r, 0.04, 0.2), between(r, 200, 900))
	tilt := between(r, -0.035, 0.035)
	relief := between(r, 0.08, 0.28)
	seed := r.Uint64()
	if water == 0 && !land {
		water = drawn
	}
	if water <= 0 {
		b.seabed = newProfile(b.width, func(float64) float64 { return 0 })
		return
	}
	b.water = true
	height := min(relief*water, 130*b.size)
	shape := newProfile(b.width, func(x float64) float64 {
		return tilt*(x-b.width/2) + height*2*fractal1(x/(2600*b.size), 6, 0.45, seed)
	})
	mean := shape.mean(b.width)
	b.seabed = newProfile(b.width, func(x float64) float64 {
		// A soft limit keeps steep slopes from drying up or running away.
		return water * (1 + 0.6*math.Tanh((shape.at(x)-mean)/(0.6*water)))
	})
}

func (b *builder) drawTrend() {
	r := stream(b.seed, forTrend)
	b.trend = trend{v0: between(r, 1620, 1850), gradient: between(r, 0.75, 1.3), limit: between(r, 4500, 5300)}
	if !b.water {
		b.trend.v0 += between(r, 100, 500) // Dry, and often uplifted.
	}
	// Shallow sections would otherwise hold nothing but slow mud.
	b.trend.gradient *= math.Pow(b.size, -0.5)
	b.saltVelocity = between(r, 4420, 4560)
}

func (b *builder) drawTexture() {
	r := stream(b.seed, forTexture)
	b.texture = texture{
		strength: between(r, 0.010, 0.024), along: between(r, 350, 1100), across: between(r, 30, 80),
		octaves: 3, roughness: 0.6, seed: r.Uint64(),
	}
	if b.kind == Random {
		b.texture.strength = between(r, 0.13, 0.22)
		b.texture.along = between(r, 250, 1300) * b.size
		b.texture.across = min(between(r, 90, 350)*b.size, b.texture.along)
		b.texture.octaves = 5
		b.texture.roughness = between(r, 0.5, 0.68)
	}
}

// Mixes of lithologies by setting.
var (
	shelf     = []share{{shale, 4}, {siltstone, 2}, {sandstone, 2}, {turbidite, 1.5}}
	basin     = []share{{shale, 3}, {sandstone, 2}, {turbidite, 2}, {marl, 1.5}, {limestone, 1}, {siltstone, 1}}
	platform  = []share{{limestone, 3}, {marl, 2.5}, {sandstone, 2}, {shale, 2}, {anhydrite, 0.7}, {volcanics, 0.5}}
	deltaic   = []share{{foresets, 4}, {sandstone, 2}, {shale, 2}, {marl, 1}}
	sandy     = []share{{sandstone, 3}, {shale, 3}, {siltstone, 1.5}, {turbidite, 1.5}}
	basement  = []share{{crystalline, 1}}
	heathland = []share{{siltstone, 2}, {marl, 2}, {volcanics, 1}, {sandstone, 2}}
)

// deposit adds the next older sequence. Its base, where it is not the oldest,
// lies at the given share of the depth below the sea bottom with the given
// relief in metres.
func (b *builder) deposit(shares []share, thickness, baseShare, relief float64, events ...event) *sequence {
	// The streams of sequences differ, but not with what structures drew.
	n := uint64(len(b.sequences))
	r := stream(b.seed, forStrata+100*(n+1))
	q := &sequence{
		events:       events,
		strata:       newSuccession(r, shares, thickness*math.Sqrt(b.size), b.kind == Delta && n < 2),
		swelling:     between(r, 8, 26),
		swellingSeed: r.Uint64(),
	}
	drape := between(r, 0.25, 0.9)
	if n > 0 {
		drape *= 0.3
		q.burial = between(r, 100, 450) * b.size * float64(n)
	}
	tilt := between(r, -0.02, 0.02) * float64(n+1)
	warp, warpHeight := r.Uint64(), between(r, 10, 40)*b.size
	mean := b.seabed.mean(b.width)
	q.reference = newProfile(b.width, func(x float64) float64 {
		return mean + drape*(b.seabed.at(x)-mean) + tilt*(x-b.width/2) + warpHeight*noise1(x/(5000*b.size), warp)
	})
	wedge, change := r.Uint64(), between(r, 0.05, 0.18)
	q.stretch = newProfile(b.width, func(x float64) float64 {
		return 1 + change*noise1(x/(7000*b.size), wedge)
	})
	if baseShare > 0 {
		seed, slope := r.Uint64(), between(r, -0.03, 0.03)
		level := mean + baseShare*(b.depth-mean)
		q.base = newProfile(b.width, func(x float64) float64 {
			return level + 0.4*(b.seabed.at(x)-mean) + slope*(x-b.width/2) +
				2*relief*fractal1(x/(3200*b.size), 5, 0.42, seed)
		})
	}
	b.sequences = append(b.sequences, q)
	return q
}

func (b *builder) folds(r *rand.Rand, wavelength, amplitude float64) event {
	return newFolds(r, b.width, wavelength*b.size, amplitude*b.size)
}

// normalFaults draws faults at irregular spacing across the section, sides all
// alike or mixed.
func (b *builder) normalFaults(r *rand.Rand, spacing, throw float64, mixed bool) []event {
	var events []event
	side := either(r)
	for x := -3000 * b.size; x < b.width+3000*b.size; x += spacing * b.size * between(r, 0.5, 1.6) {
		s := side
		if mixed {
			s = either(r)
		}
		dip := between(r, 48, 66) * math.Pi / 180
		t := throw * b.size * math.Exp(0.5*r.NormFloat64())
		seed := r.Uint64()
		if r.Float64() < 0.45 {
			events = append(events, listricFault(b.width, x, dip, s, t, b.depth*between(r, 0.8, 1.3)))
		} else {
			events = append(events, planeFault(b.width, x, dip, s, t, seed))
		}
	}
	// Which of two crossing faults is the younger is as random as can be.
	r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	return events
}

// lateFaults draws a few small faults that die out below the sea bottom.
func (b *builder) lateFaults(r *rand.Rand, spacing, throw float64) []event {
	events := b.normalFaults(r, spacing, throw, true)
	tip := b.seabed.mean(b.width) + between(r, 0.03, 0.12)*b.depth
	for _, e := range events {
		f := e.(*fault)
		f.fadeTop, f.fadeBottom = tip, tip+0.2*b.depth
	}
	return events
}

func (b *builder) folded(r *rand.Rand) {
	young := append(b.lateFaults(r, 5000, 18), b.folds(r, 4500, between(r, 12, 40)))
	b.deposit(shelf, 150, between(r, 0.14, 0.32), between(r, 25, 80)*b.size, young...)
	middle := append([]event{b.folds(r, between(r, 2400, 4200), between(r, 70, 170))},
		b.normalFaults(r, 4200, 40, true)...)
	b.deposit(basin, 190, between(r, 0.5, 0.75), between(r, 40, 120)*b.size, middle...)
	b.deposit(platform, 230, 0, 0, b.folds(r, between(r, 3000, 5500), between(r, 90, 220)))
	b.sequences[1].channels = newChannels(r, b.width, 0.1*b.depth, 0.6*b.depth, 0.35, 260*b.size)
}

func (b *builder) faulted(r *rand.Rand) {
	b.deposit(shelf, 150, between(r, 0.16, 0.34), between(r, 20, 70)*b.size,
		append(b.lateFaults(r, 2600, 26), b.folds(r, 5000, between(r, 8, 30)))...)
	rift := append(b.normalFaults(r, between(r, 1000, 2100), between(r, 90, 210), r.Float64() < 0.4),
		b.folds(r, 5000, between(r, 20, 60)))
	b.deposit(basin, 170, between(r, 0.66, 0.9), between(r, 30, 80)*b.size, rift...)
	q := b.deposit(basement, 900, 0, 0)
	q.swelling = 60
}

func (b *builder) thrusted(r *rand.Rand) {
	b.deposit(shelf, 130, between(r, 0.08, 0.22), between(r, 50, 130)*b.size,
		b.folds(r, 4000, between(r, 15, 45)))
	side := either(r)
	detachment := b.depth * between(r, 0.72, 0.98)
	upper := b.depth * between(r, -0.25, 0.12)
	var thrusts []event
	// Thrusts step forward into the foreland: the outermost is the youngest
	// and is undone first.
	for x := b.width + 2500*b.size; x > -6000*b.size; x -= b.size * between(r, 1500, 3300) {
		foot := x
		if side < 0 {
			foot = b.width - x
		}
		thrusts = append(thrusts, thrustFault(b.width, foot, detachment, upper,
			between(r, 22, 38)*math.Pi/180, side, between(r, 350, 1150)*b.size))
	}
	thrusts = append([]event{b.folds(r, 3000, between(r, 15, 50))}, thrusts...)
	q := b.deposit(platform, 170, 0, 0, append(thrusts, b.folds(r, 4000, between(r, 20, 70)))...)
	q.burial = between(r, 200, 700) * b.size // Eroded mountains.
}

func (b *builder) channelled(r *rand.Rand) {
	b.deposit(shelf, 140, between(r, 0.35, 0.55), between(r, 30, 90)*b.size,
		append(b.lateFaults(r, 4000, 14), b.folds(r, 5000, between(r, 10, 35)))...)
	b.deposit(basin, 170, 0, 0, append(b.normalFaults(r, 3500, 35, true), b.folds(r, 3600, between(r, 30, 100)))...)
	for i, q := range b.sequences {
		q.channels = newChannels(r, b.width, -0.1*b.depth, (0.55+0.5*float64(i))*b.depth,
			between(r, 1.6, 3.2)/(b.size*b.size), between(r, 230, 450)*b.size)
	}
}

func (b *builder) delta(r *rand.Rand) {
	growth := b.normalFaults(r, between(r, 2600, 4200), between(r, 30, 80), false)
	b.deposit(deltaic, 260, between(r, 0.34, 0.5), between(r, 15, 50)*b.size,
		append(b.lateFaults(r, 3500, 22), b.folds(r, 6000, between(r, 10, 30)))...)
	b.deposit(deltaic, 300, between(r, 0.7, 0.88), between(r, 20, 60)*b.size,
		append(growth, b.folds(r, 5200, between(r, 15, 60)))...)
	b.deposit(platform, 200, 0, 0, b.folds(r, 4200, between(r, 60, 160)))
	b.sequences[0].channels = newChannels(r, b.width, 0, 0.5*b.depth, 0.6, 240*b.size)
}

func (b *builder) anticlines(r *rand.Rand) {
	b.deposit(sandy, 120, between(r, 0.4, 0.6), between(r, 15, 60)*b.size,
		append(b.lateFaults(r, 3000, 20), b.folds(r, between(r, 3000, 4600), between(r, 60, 120)))...)
	b.deposit(sandy, 150, between(r, 0.75, 0.9), between(r, 30, 80)*b.size,
		append(b.normalFaults(r, 3800, 40, true), b.folds(r, 4200, between(r, 30, 90)))...)
	b.deposit(platform, 220, 0, 0, b.folds(r, 4200, between(r, 40, 120)))
	b.sequences[0].channels = newChannels(r, b.width, 0, 0.5*b.depth, 0.5, 260*b.size)
}

func (b *builder) random(r *rand.Rand) {
	b.deposit(heathland, 300, between(r, 0.3, 0.7), between(r, 40, 140)*b.size, b.folds(r, 4000, between(r, 20, 70)))
	q := b.deposit(heathland, 420, 0, 0, append(b.normalFaults(r, 4500, 60, true), b.folds(r, 3600, between(r, 30, 110)))...)
	q.burial = between(r, 300, 900) * b.size
}

// intrudeSalt adds a pillow at depth or diapirs, and now and then a tongue.
func (b *builder) intrudeSalt() {
	r := stream(b.seed, forSalt)
	surface := b.seabed.mean(b.width)
	below := b.depth - surface
	if r.Float64() < 0.35 {
		b.pillow(r, surface, below)
	} else {
		b.stocks(r, surface, below)
	}
	if r.Float64() < 0.4 {
		b.tongue(r, surface, below)
	}
}

func (b *builder) stocks(r *rand.Rand, surface, below float64) {
	var arches []event
	spacing := 4600 * b.size
	// At least one stock stands inside the section.
	for x := b.width * between(r, 0.15, 0.5); x < b.width+1500*b.size; x += spacing * between(r, 0.75, 1.5) {
		seed := r.Uint64()
		d := &diapir{
			x: x, top: surface + below*between(r, 0.1, 0.42), base: surface + below*between(r, 0.95, 1.25),
			bulb: between(r, 450, 1150) * b.size, lean: between(r, -0.18, 0.18), cap: between(r, 0.12, 0.26),
			flank: r.Uint64(), flankHeight: between(r, 40, 110) * b.size, caprock: between(r, 0, 60),
		}
		d.stem = d.bulb * between(r, 0.35, 1.0)
		d.foot = d.stem * between(r, 1.2, 2.4)
		rough := between(r, 50, 120) * b.size
		d.roof = newProfile(b.width, func(at float64) float64 {
			return 2 * rough * fractal1((at-x)/(620*b.size), 5, 0.55, seed)
		})
		b.diapirs = append(b.diapirs, d)
		arches = append(arches, &arch{
			body: d, amplitude: between(r, 180, 420) * b.size, reach: between(r, 500, 950) * b.size, surface: surface,
		})
	}
	b.sequences[0].events = append(arches, b.sequences[0].events...)
}

func (b *builder) pillow(r *rand.Rand, surface, below float64) {
	floor := surface + below*between(r, 0.78, 0.92)
	thickness := below * between(r, 0.2, 0.38)
	seed, rough := r.Uint64(), r.Uint64()
	wavelength := 3600 * b.size * between(r, 0.8, 1.4)
	thick := newProfile(b.width, func(x float64) float64 {
		u := 0.5 + 0.75*noise1(x/wavelength, seed)
		return thickness * (0.12 + smoothstep(0.1, 1, u))
	})
	base := newProfile(b.width, func(x float64) float64 {
		return floor + 50*b.size*fractal1(x/(3000*b.size), 3, 0.4, rough+1)
	})
	top := newProfile(b.width, func(x float64) float64 {
		return base.at(x) - thick.at(x) + 110*b.size*fractal1(x/(520*b.size), 5, 0.55, rough)
	})
	b.sheets = append(b.sheets, sheet{top: top, base: base})
	mean := thick.mean(b.width)
	uplift := newProfile(b.width, func(x float64) float64 { return 0.75 * (thick.at(x) - mean) })
	b.sequences[0].events = append([]event{&swell{uplift: uplift, surface: surface, top: floor - thickness}},
		b.sequences[0].events...)
}

func (b *builder) tongue(r *rand.Rand, surface, below float64) {
	centre, half := b.width*between(r, 0.1, 0.9), between(r, 1300, 3000)*b.size
	level, height := surface+below*between(r, 0.22, 0.45), between(r, 160, 420)*b.size
	slope := between(r, -0.12, 0.12)
	seed := r.Uint64()
	thick := newProfile(b.width, func(x float64) float64 {
		u := (x - centre) / half
		if u <= -1 || u >= 1 {
			return -1e3
		}
		return height * math.Sqrt(1-u*u)
	})
	base := newProfile(b.width, func(x float64) float64 {
		return level + slope*(x-centre) + 60*b.size*fractal1(x/(1500*b.size), 3, 0.4, seed)
	})
	top := newProfile(b.width, func(x float64) float64 {
		t := thick.at(x)
		if t < 0 {
			return base.at(x) + 1
		}
		return base.at(x) - t + min(t, 150*b.size)*fractal1(x/(480*b.size), 5, 0.55, seed+9)
	})
	b.sheets = append(b.sheets, sheet{top: top, base: base})
}

// drawGas looks for reservoir formations in closed structures and fills a few.
func (b *builder) drawGas() {
	r := stream(b.seed, forGas)
	pockets, attempts := 0, 12
	switch {
	case b.kind == Gas:
		pockets, attempts = 2+r.IntN(4), 160
	case b.kind != Random && r.Float64() < 0.4:
		pockets = 1 + r.IntN(2)
	}
	for ; attempts > 0 && len(b.gas) < pockets; attempts-- {
		if g, ok := b.trap(r); ok {
			b.gas = append(b.gas, g)
		}
	}
}

// trap takes a point at random and, if its formation is a reservoir that is
// closed by its dip on both sides, fills the structure with gas down to a flat
// contact.
func (b *builder) trap(r *rand.Rand) (gasPocket, bool) {
	const across, down = 60.0, 10.0
	x0 := b.width * r.Float64()
	z0 := b.seabed.at(x0) + (b.depth-b.seabed.at(x0))*between(r, 0.1, 0.6)
	column := between(r, 25, 90) * b.size
	factor := between(r, 0.72, 0.86)
	chimney := r.Float64()
	seed := r.Uint64()

	i, xs, s := b.locate(x0, z0)
	_, f := b.sequences[i].strata.factor(xs, s)
	if !f.lithology.reservoir {
		return gasPocket{}, false
	}
	// horizon returns the depth at which a column first meets the formation.
	horizon := func(x float64) (float64, bool) {
		for z := z0 - 500*b.size; z < z0+500*b.size; z += down {
			if z <= b.seabed.at(x) {
				continue
			}
			if k, _, level := b.locate(x, z); k == i && level >= f.top {
				return z, level < f.top+60
			}
		}
		return 0, false
	}
	search := 1300 * b.size
	crest, at := math.Inf(1), 0.0
	for x := x0 - search; x <= x0+search; x += across {
		if z, ok := horizon(x); ok && z < crest {
			crest, at = z, x
		}
	}
	if math.IsInf(crest, 1) || at <= x0-search+across || at >= x0+search-across || at < 0 || at > b.width {
		return gasPocket{}, false
	}
	// The contact must lie above the spill points on either side.
	reach := [2]float64{}
	for side := range reach {
		direction := float64(2*side - 1)
		for d := across; d < 1.6*search; d += across {
			if z, ok := horizon(at + direction*d); !ok || z >= crest+column {
				reach[side] = d
				break
			}
		}
		if reach[side] == 0 {
			return gasPocket{}, false
		}
	}
	half := max(reach[0], reach[1])
	if reach[0]+reach[1] < 4*across {
		return gasPocket{}, false
	}
	g := gasPocket{
		x: at, half: half, sequence: i, top: f.top, bottom: f.bottom, contact: crest + column, factor: factor, seed: seed,
	}
	if b.kind == Gas && chimney < 0.4 {
		g.chimney, g.chimneyWidth = 0.04+0.15*chimney, 0.5*half
		g.crest, g.shallower = crest, b.seabed.at(at)+0.05*b.depth
	}
	return g, true
}
