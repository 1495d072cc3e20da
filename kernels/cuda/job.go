package cuda

import (
	"math"
	"unsafe"

	"gofwi/kernels"
)

// axis and job mirror Axis and Job of acoustic.cu.
type axis[T kernels.Real] struct {
	cells, low, high, length int32
	stride, reach            int32
	size                     int64
	a, b                     pointer
	first                    pointer
	second                   [2]pointer
	d1                       [4]T
	d2                       [6]T
}

type job[T kernels.Real] struct {
	axis                                     [3]axis[T]
	plane, size                              int64
	field                                    [2]pointer
	m, clock                                 pointer
	shots, freeSurface, pitch, depth         int32
	tilesX, tilesY                           int32
	layerBlocks                              [3]int32
	sampleBlocks, stripBlocks                int32
	sampled, injected, every                 int32
	phase, first, half, strips               int32
	restore, last                            int32
	sampleFirst, sampleBegin, sampleCell     pointer
	sampleWeight, sampleValue                pointer
	injectPlane, injectCell, injectBegin     pointer
	injectPoint, injectWeight, injectValue   pointer
	snapshot, gradient, illumination, deltaM pointer
	stripCell, stripValue                    pointer
}

// Of the kernels: threads of a block of `layers`, points that it samples, and the tile of a block of `step`.
const (
	layerThreads = 256
	pointsABlock = layerThreads / kernels.Run
)

func tileOf(axes int) (x, y int) {
	if axes == 3 {
		return 32, 8
	}
	return 64, 1
}

// layerOf returns the ends of the cells on which CPML acts: 0 … low-1 and high … n-1.
func layerOf(a []float64) (low, high int) {
	for low < len(a) && a[low] != 0 {
		low++
	}
	high = len(a)
	for i := low; i < len(a); i++ {
		if a[i] != 0 {
			high = i
			break
		}
	}
	return low, high
}

// geometry of a domain on the device, in elements.
type geometry struct {
	axes       int
	shape      [3]int // z, y, x; ny is 1 in 2D
	pitch      int
	size       int // of a field
	layer      [3][2]int
	memory     [3]int // of a memory variable of each axis
	tileX      int
	tileY      int
	tilesX     int
	tilesY     int
	depth      int // planes that a block walks
	chunks     int
	wholeState int // of a shot, forward and adjoint
}

func newGeometry(d *kernels.Domain, shots, processors int) geometry {
	g := geometry{axes: len(d.Shape)}
	g.shape = [3]int{d.Shape[0], 1, d.NX()}
	if g.axes == 3 {
		g.shape[1] = d.Shape[1]
	}
	nz, ny, nx := g.shape[0], g.shape[1], g.shape[2]
	g.pitch = (nx + 7) / 8 * 8
	g.size = nz * ny * g.pitch
	for k, a := range axesOf(d.A) {
		if a != nil {
			low, high := layerOf(a)
			g.layer[k] = [2]int{low, high}
		} else {
			g.layer[k] = [2]int{0, g.shape[k]}
		}
	}
	g.memory = [3]int{g.length(0) * ny * g.pitch, nz * g.length(1) * g.pitch, nz * ny * g.length(2)}
	g.wholeState = 2 * g.size
	for _, n := range g.memory {
		g.wholeState += 3 * n
	}
	g.tileX, g.tileY = tileOf(g.axes)
	g.tilesX, g.tilesY = (nx+g.tileX-1)/g.tileX, (ny+g.tileY-1)/g.tileY
	// Enough blocks for some eight rounds of all multiprocessors with 2048 threads each, but columns so long that the 2R planes which a
	// block reads beyond its own weigh little.
	wanted := 8 * max(processors, 1) * 2048 / (g.tileX * g.tileY)
	g.chunks = max(1, wanted/(g.tilesX*g.tilesY*shots))
	g.depth = max((nz+g.chunks-1)/g.chunks, min(nz, 8*d.Order/2))
	g.chunks = (nz + g.depth - 1) / g.depth
	return g
}

// axesOf orders what belongs to the axes as z, y, x; y is nil in 2D.
func axesOf(v [][]float64) [3][]float64 {
	if len(v) == 3 {
		return [3][]float64{v[0], v[1], v[2]}
	}
	return [3][]float64{v[0], nil, v[1]}
}

// length returns the cells of an axis on which CPML acts.
func (g *geometry) length(axis int) int { return g.layer[axis][0] + g.shape[axis] - g.layer[axis][1] }

// Footprint is what a batch takes on its device, in bytes.
type Footprint struct {
	Shared   int // whatever the number of shots
	Shot     int // fields and memory variables of a shot
	State    int // of a shot: what a checkpoint keeps
	Snapshot int // of a shot, in the kernels' type
	Half     int // of a shot, in 16 bits
	Imaging  int // of a shot: gradient and illumination
}

// Measure returns the footprint of a batch for a domain.
func Measure[T kernels.Real](d *kernels.Domain) Footprint {
	element := int(unsafe.Sizeof(T(0)))
	g := newGeometry(d, 1, 1)
	state := 2 * g.size
	for _, n := range g.memory {
		state += 2 * n
	}
	// M and the sum of the shots' gradients
	return Footprint{Shared: 2 * element * g.size, Shot: element * g.wholeState, State: element * state, Snapshot: element * g.size, Half: 2 * g.size, Imaging: 2 * element * g.size}
}

// TraceBytes returns the bytes that a batch takes for the traces and the lists of points of shots.
func TraceBytes[T kernels.Real](d *kernels.Domain, shot *kernels.Shot[T]) int {
	element, g := int(unsafe.Sizeof(T(0))), newGeometry(d, 1, 1)
	bytes := element * shot.NT * (2*shot.Sources.Count() + shot.Receivers.Count())
	for _, p := range []*kernels.Points[T]{&shot.Sources, &shot.Receivers} {
		bytes += len(p.Cell)*(4+element*kernels.Run) + len(p.Weight)*(12+element) + 4*g.tilesX*g.tilesY*(g.shape[0]+1)
	}
	return bytes
}

// setGeometry fills in what does not change from call to call.
func (j *job[T]) setGeometry(d *kernels.Domain, g *geometry) {
	j.plane, j.size = int64(g.shape[1]*g.pitch), int64(g.size)
	j.pitch, j.depth, j.tilesX, j.tilesY = int32(g.pitch), int32(g.depth), int32(g.tilesX), int32(g.tilesY)
	if d.FreeSurface {
		j.freeSurface = 1
	}
	stride := [3]int{g.shape[1] * g.pitch, g.pitch, 1}
	spacing := [3]float64{d.Spacing[0], math.Inf(1), d.Spacing[len(d.Spacing)-1]}
	if g.axes == 3 {
		spacing[1] = d.Spacing[1]
	}
	d1, _ := kernels.Weights(d.Order)
	for k := range j.axis {
		a := &j.axis[k]
		a.cells, a.low, a.high, a.length = int32(g.shape[k]), int32(g.layer[k][0]), int32(g.layer[k][1]), int32(g.length(k))
		a.stride = int32(stride[k])
		a.reach = [3]int32{int32(stride[0]), int32(g.pitch), 1}[k]
		a.size = int64(g.memory[k])
		for i, w := range d1 {
			if i < len(a.d1) {
				a.d1[i] = T(w * (1 / spacing[k]))
			}
		}
		for i, w := range d.SecondDifference() {
			a.d2[i] = T(w / (spacing[k] * spacing[k]))
		}
	}
}
