package cuda

import (
	"cmp"
	"runtime"
	"slices"
	"sync"

	"gofwi/kernels"
)

// sampling lists the points of a batch's shots for the kernel `layers`.
type sampling[T kernels.Real] struct {
	first, begin, cell []int32
	weight             []T
	most               int // points of a shot
}

func newSampling[T kernels.Real](g *geometry, points []*kernels.Points[T]) sampling[T] {
	s := sampling[T]{first: []int32{0}, begin: []int32{0}}
	nx := g.shape[2]
	for _, p := range points {
		for i := range p.Count() {
			for k := p.Begin[i]; k < p.Begin[i+1]; k++ {
				c := int(p.Cell[k])
				s.cell = append(s.cell, int32(c/nx*g.pitch+c%nx))
				s.weight = append(s.weight, p.Weight[kernels.Run*int(k):kernels.Run*int(k+1)]...)
			}
			s.begin = append(s.begin, int32(len(s.cell)))
		}
		s.first = append(s.first, int32(len(s.begin)-1))
		s.most = max(s.most, p.Count())
	}
	return s
}

// injection lists the cells into which the points of a batch's shots inject, in the order in which the kernel `step` meets them: by shot,
// tile, plane and place in the tile's plane; and for each cell the points that act on it, in their order.
type injection[T kernels.Real] struct {
	plane              []int32 // [shot][tile][nz+1]: the first cell of each plane
	cell, begin, point []int32
	weight             []T
}

type share[T kernels.Real] struct {
	group, cell, point int32 // group: tile·nz + plane
	weight             T
}

func newInjection[T kernels.Real](g *geometry, points []*kernels.Points[T]) injection[T] {
	shares := make([][]share[T], len(points))
	var group sync.WaitGroup
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, p := range points {
		group.Add(1)
		limit <- struct{}{}
		go func() {
			defer func() { <-limit; group.Done() }()
			shares[i] = sharesOf(g, p)
		}()
	}
	group.Wait()

	nz, tiles := g.shape[0], g.tilesX*g.tilesY
	out := injection[T]{plane: make([]int32, 0, len(points)*tiles*(nz+1)), begin: []int32{0}}
	firstPoint := int32(0)
	for i, p := range points {
		rest := shares[i]
		for t := range tiles {
			for z := range nz {
				out.plane = append(out.plane, int32(len(out.cell)))
				for len(rest) > 0 && rest[0].group == int32(t*nz+z) {
					cell := rest[0].cell
					for len(rest) > 0 && rest[0].group == int32(t*nz+z) && rest[0].cell == cell {
						out.point = append(out.point, firstPoint+rest[0].point)
						out.weight = append(out.weight, rest[0].weight)
						rest = rest[1:]
					}
					out.cell = append(out.cell, cell)
					out.begin = append(out.begin, int32(len(out.point)))
				}
			}
			out.plane = append(out.plane, int32(len(out.cell)))
		}
		firstPoint += int32(p.Count())
	}
	return out
}

func sharesOf[T kernels.Real](g *geometry, p *kernels.Points[T]) []share[T] {
	var out []share[T]
	nz, ny, nx := g.shape[0], g.shape[1], g.shape[2]
	for i := range p.Count() {
		for k := p.Begin[i]; k < p.Begin[i+1]; k++ {
			row, x := int(p.Cell[k])/nx, int(p.Cell[k])%nx
			z, y := row/ny, row%ny
			for r, w := range p.Weight[kernels.Run*int(k) : kernels.Run*int(k+1)] {
				if w == 0 {
					continue
				}
				tile := y/g.tileY*g.tilesX + (x+r)/g.tileX
				out = append(out, share[T]{int32(tile*nz + z), int32(y%g.tileY*g.tileX + (x+r)%g.tileX), int32(i), w})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b share[T]) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.cell, b.cell))
	})
	return out
}
