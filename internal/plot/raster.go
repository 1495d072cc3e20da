package plot

import (
	"image"
	"math"
)

// A span is the run of cells [first, end) that one pixel shows; an empty span
// leaves the pixel untouched.
type span struct{ first, end int }

// spans returns, for each of the pixels that divide [lo, hi], the cells it
// shows. Cell i is centred on origin + i·step and step wide. A pixel shows the
// cells whose centres it holds, or the one it lies in when it holds none.
func spans(cells int, origin, step, lo, hi float64, pixels int) []span {
	out := make([]span, pixels)
	width := (hi - lo) / float64(pixels)
	// One formula for both edges of a pixel: neighbours share theirs exactly.
	edge := func(p int) int {
		return int(math.Ceil((lo + float64(p)*width - origin) / step))
	}
	for p := range out {
		first, end := edge(p), edge(p+1)
		if end <= first {
			centre := lo + (float64(p)+0.5)*width
			first = int(math.Floor((centre-origin)/step + 0.5))
			end = first + 1
		}
		out[p] = span{max(first, 0), min(end, cells)}
		if out[p].first >= out[p].end {
			out[p] = span{}
		}
	}
	return out
}

// grid is a two-dimensional view of an array: the value of row r and column c
// stands at r·rowStride + c·colStride.
type grid struct {
	values               []float32
	rowStride, colStride int
}

// rasterise colours one pixel per pair of spans with the average of its cells.
// NaN cells are left out of the average; a pixel that has only such cells is
// drawn as missing.
func rasterise(g grid, rows, cols []span, s scale) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, len(cols), len(rows)))
	sums := make([]float64, len(cols))
	counts := make([]int, len(cols))
	for y, rowSpan := range rows {
		clear(sums)
		clear(counts)
		for r := rowSpan.first; r < rowSpan.end; r++ {
			for x, colSpan := range cols {
				at := r*g.rowStride + colSpan.first*g.colStride
				for range colSpan.end - colSpan.first {
					v := float64(g.values[at])
					at += g.colStride
					if v == v {
						sums[x] += v
						counts[x]++
					}
				}
			}
		}
		for x, colSpan := range cols {
			if rowSpan.first >= rowSpan.end || colSpan.first >= colSpan.end {
				continue
			}
			value := math.NaN()
			if counts[x] > 0 {
				value = sums[x] / float64(counts[x])
			}
			img.SetRGBA(x, y, s.colour(value))
		}
	}
	return img
}
