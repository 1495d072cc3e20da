package kernels

// #include "cpu.h"
import "C"

import (
	"fmt"
	"math"
	"unsafe"
)

const (
	tileBytes    = 768 << 10 // of the planes of u that a tile works on at a time: they share the second cache with what streams by
	stripColumns = 256       // of a tile that are stepped together: most of the rows that a cell's neighbours lie in stay in the first cache
	tilesAThread = 4         // so that threads that are held up do not hold up the others
)

func (s *CPU[T]) init3D(threads int) error {
	const lanes, halo, together = C.CPU_LANES, C.CPU_HALO, C.CPU_PLANES
	c, d := s.solver, s.domain
	radius, nz, ny, nx := d.Order/2, d.Shape[0], d.Shape[1], d.Shape[2]
	planes := roundUp(nz, together)
	width := roundUp(nx, lanes)
	stride := width + lanes
	if stride/lanes%2 == 0 { // rows an odd number of cache lines apart use all sets of the caches
		stride += lanes
	}
	plane := (ny + halo) * stride // the rows of zeros behind a plane are also those before the next
	if n := (planes + 2*halo) * plane; n > math.MaxInt32 {
		return fmt.Errorf("a grid of %v cells is too large for one solver: %d cells with margins, more than %d", d.Shape, n, math.MaxInt32)
	}
	c.nz, c.ny, c.nx = C.int(nz), C.int(ny), C.int(nx)
	c.rows, c.width, c.stride, c.plane = C.int(planes), C.int(width), C.int(stride), C.int(plane)
	c.radius, c.threads = C.int(radius), C.int(threads)
	if d.FreeSurface {
		c.free_surface = 1
	}
	c.d1 = s.doubles(d1Weights[radius], 1)
	for axis, weights := range []**C.double{&c.d2z, &c.d2y, &c.d2x} {
		*weights = s.doubles(d.SecondDifference(), 1/(d.Spacing[axis]*d.Spacing[axis]))
	}
	c.iz, c.iy, c.ix = C.double(1/d.Spacing[0]), C.double(1/d.Spacing[1]), C.double(1/d.Spacing[2])

	field := func() unsafe.Pointer {
		size := int(unsafe.Sizeof(T(0)))
		p := s.alloc(((planes+2*halo)*plane+halo*stride+2*lanes)*size, true)
		return unsafe.Add(p, (halo*plane+halo*stride+lanes)*size)
	}
	c.now, c.before, c.m = field(), field(), field()
	if d.Potential != nil {
		c.potential = field()
	}
	c.az, c.bz = s.reals(d.A[0], planes), s.reals(d.B[0], planes)
	c.ay, c.by = s.reals(d.A[1], ny), s.reals(d.B[1], ny)
	c.ax, c.bx = s.reals(d.A[2], width), s.reals(d.B[2], width)

	blocks := func(out *[2]C.cpml_block, ranges [2][2]int, rowsOf func(begin, end int) int) {
		for i, r := range ranges {
			if r[1] == 0 {
				continue
			}
			out[i].begin, out[i].end = C.int(r[0]), C.int(r[1])
			for k := range out[i].memory {
				out[i].memory[k] = s.plane(rowsOf(r[0], r[1]), width, 0, 0)
			}
		}
	}
	inZ, inY := layerRanges(d.A[0], radius), layerRanges(d.A[1], radius)
	inX := layers(d.A[2], width, radius, lanes)
	blocks(&c.z, inZ, func(begin, end int) int { return (roundUp(end, together) - begin/together*together) * ny })
	blocks(&c.y, inY, func(begin, end int) int { return planes * (end - begin) })
	for i, r := range inX {
		if n := r[1] - r[0]; n > 0 {
			p := s.plane(2*planes*ny, n, 0, 0)
			c.x[i] = C.cpml_block{begin: C.int(r[0]), end: C.int(r[1]), memory: [2]unsafe.Pointer{p, unsafe.Add(p, n*int(unsafe.Sizeof(T(0))))}}
		}
	}

	for _, r := range []**C.cpu_range{&c.reached, &c.active, &c.limit} {
		*r = (*C.cpu_range)(s.alloc(planes/together*ny*int(unsafe.Sizeof(C.cpu_range{})), true))
	}

	// Tiles and strips.
	columns := cuts(width, stripColumns, lanes, inX)
	for i := range columns[1:] {
		c.tile_width = max(c.tile_width, columns[i+1]-columns[i])
	}
	c.x_cuts = C.int(len(columns))
	c.x_cut = (*C.int)(s.alloc(len(columns)*int(unsafe.Sizeof(C.int(0))), false))
	copy(unsafe.Slice(c.x_cut, len(columns)), columns)
	c.strip = s.plane(threads*(together+1), int(c.tile_width), 0, 0)
	ahead := 2 * LayerRadius(d.Order) // AHEAD of the kernels
	tiles := tile(planes, ny, threads, tileBytes/((together+3*halo)*stride*int(unsafe.Sizeof(T(0)))), widen(inZ, ahead, nz), widen(inY, ahead, ny))
	c.tiles = C.int(len(tiles))
	c.tile = (*C.cpu_tile)(s.alloc(len(tiles)*int(unsafe.Sizeof(C.cpu_tile{})), false))
	copy(unsafe.Slice(c.tile, len(tiles)), tiles)
	return nil
}

func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }

// layerRanges returns the at most two ranges that hold all a ≠ 0, more than twice the radius apart.
func layerRanges(a []float64, radius int) [2][2]int {
	var out [2][2]int
	low := 0
	for low < len(a) && a[low] != 0 {
		low++
	}
	high := len(a)
	for i := low; i < len(a); i++ {
		if a[i] != 0 {
			high = i
			break
		}
	}
	if low > 0 {
		out[0] = [2]int{0, low}
	}
	if high < len(a) {
		out[1] = [2]int{high, len(a)}
	}
	if low > 0 && high < len(a) && high-low < 2*radius {
		out = [2][2]int{{0, len(a)}}
	}
	return out
}

// widen adds cells on both sides of ranges within 0 … n.
func widen(ranges [2][2]int, cells, n int) [2][2]int {
	for i, r := range ranges {
		if r[1] > 0 {
			ranges[i] = [2]int{max(0, r[0]-cells), min(n, r[1]+cells)}
		}
	}
	return ranges
}

// cuts divides 0 … n into pieces of about size, a multiple of align, that end nowhere within the given ranges. It returns where
// the pieces begin and n.
func cuts(n, size, align int, whole [2][2]int) []C.int {
	pieces := max(1, (n+size-1)/size)
	size = roundUp((n+pieces-1)/pieces, align)
	out := []C.int{0}
	for at := 0; at < n; {
		next := at + size
		for _, r := range whole {
			if next > r[0] && next < r[1] {
				if before := r[0] / align * align; before > at && r[1]-at > size+size/2 {
					next = before
				} else {
					next = roundUp(r[1], align)
				}
			}
		}
		at = min(next, n)
		out = append(out, C.int(at))
	}
	return out
}

// tile divides the grid into tiles of at most about the given number of rows, for several threads also in depth.
func tile(planes, ny, threads, rows int, inZ, inY [2][2]int) []C.cpu_tile {
	y := cuts(ny, max(rows, 4*C.CPU_HALO), 1, inY)
	depth := planes
	if wanted := threads * tilesAThread; threads > 1 {
		pieces := (wanted + len(y) - 2) / (len(y) - 1)
		depth = max(planes/pieces, 4*C.CPU_HALO)
	}
	z := cuts(planes, depth, C.CPU_PLANES, inZ)
	var out []C.cpu_tile
	for i := range z[1:] {
		for j := range y[1:] {
			out = append(out, C.cpu_tile{z0: z[i], z1: z[i+1], y0: y[j], y1: y[j+1]})
		}
	}
	return out
}
