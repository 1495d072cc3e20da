package h5

// #include "shim.h"
import "C"

import "fmt"

// slab is a strided block of a data set.
type slab struct {
	start, stride, count []C.hsize_t
	n                    int
}

func makeSlab(start, count, stride, shape []int) (*slab, error) {
	if len(start) != len(shape) || len(count) != len(shape) || (stride != nil && len(stride) != len(shape)) {
		return nil, fmt.Errorf("a block from %v, count %v, stride %v does not fit the %d dimensions %v",
			start, count, stride, len(shape), shape)
	}
	s := &slab{n: 1}
	for i, size := range shape {
		step := 1
		if stride != nil {
			step = stride[i]
		}
		if start[i] < 0 || count[i] < 1 || step < 1 || start[i] >= size || count[i]-1 > (size-1-start[i])/step {
			return nil, fmt.Errorf("a block from %d, count %d, stride %d leaves dimension %d of size %d",
				start[i], count[i], step, i, size)
		}
		s.start = append(s.start, C.hsize_t(start[i]))
		s.stride = append(s.stride, C.hsize_t(step))
		s.count = append(s.count, C.hsize_t(count[i]))
		s.n *= count[i]
	}
	return s, nil
}

// partBytes is how much is read at a time, and how much more at most where that saves decompressing chunks twice.
const (
	partBytes    = 16 << 20
	maxPartBytes = 256 << 20
)

// split visits a block in parts that follow each other in memory, given the size of an element in bytes and the shape
// of the chunks, if any.
func (s *slab) split(size int, chunk []int, visit func(*slab) error) error {
	rank := len(s.count)
	if rank == 0 {
		return visit(s)
	}
	// Dimensions after the k-th go into a part as a whole, the k-th in strips of some rows, those before one by one.
	k, row := rank-1, size
	for k > 0 && row*int(s.count[k]) <= partBytes {
		row *= int(s.count[k])
		k--
	}
	rows := max(1, partBytes/row)
	if chunk != nil && chunk[k] > 1 && s.stride[k] == 1 {
		if rows >= chunk[k] {
			rows -= rows % chunk[k]
		} else if chunk[k]*row <= maxPartBytes {
			rows = chunk[k]
		}
	}
	part := &slab{stride: s.stride}
	part.start = append(part.start, s.start...)
	part.count = append(part.count, s.count...)
	at := make([]C.hsize_t, k+1) // position within the block
	for {
		part.n = row / size
		for i := range k {
			part.start[i], part.count[i] = s.start[i]+at[i]*s.stride[i], 1
		}
		part.start[k] = s.start[k] + at[k]*s.stride[k]
		part.count[k] = min(C.hsize_t(rows), s.count[k]-at[k])
		part.n *= int(part.count[k])
		if err := visit(part); err != nil {
			return err
		}
		at[k] += part.count[k]
		for i := k; at[i] == s.count[i]; i-- {
			if i == 0 {
				return nil
			}
			at[i] = 0
			at[i-1]++
		}
	}
}
