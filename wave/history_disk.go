package wave

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"gofwi/kernels"
)

// diskHistory spills the snapshots to a temporary file: a goroutine writes one piece while the next is stepped, and reads the piece
// before while the adjoint goes through one. The file has no name once it is open, so that nothing is left of it however
// the program ends.
type diskHistory[T float32 | float64] struct {
	solver  kernels.Solver[T]
	plan    *Plan
	size    int // elements of a snapshot
	file    *os.File
	path    string
	buffers [2]*kernels.Buffer[T] // of a piece each
}

// diskPieceBytes is the size of the pieces that are written and read: long enough for any disk.
const diskPieceBytes = 8 << 20

func newDiskHistory[T float32 | float64](p *PropagatorOf[T], solver kernels.Solver[T]) (history[T], error) {
	h := &diskHistory[T]{solver: solver, plan: &p.plan, size: solver.SnapshotSize()}
	file, err := os.CreateTemp(p.options.scratchDir(), "fwi-snapshots-*")
	if err != nil {
		return nil, fmt.Errorf("no file for %s of snapshots: %w", formatBytes(p.plan.DiskBytesPerWorker), err)
	}
	h.file, h.path = file, file.Name()
	if err := os.Remove(h.path); err != nil {
		h.close()
		return nil, fmt.Errorf("the file of snapshots: %w", err)
	}
	for i := range h.buffers {
		if h.buffers[i], err = kernels.NewBuffer[T](p.plan.piece * h.size); err != nil {
			h.close()
			return nil, err
		}
	}
	return h, nil
}

// bytes returns the memory and the place in the file of a piece.
func (h *diskHistory[T]) bytes(i int, c piece) (data []byte, at int64) {
	element := int(unsafe.Sizeof(T(0)))
	data = unsafe.Slice((*byte)(unsafe.Pointer(&h.buffers[i%2].Data[0])), (c.s1-c.s0)*h.size*element)
	return data, int64(c.s0) * int64(h.size*element)
}

func (h *diskHistory[T]) write(i int, c piece) error {
	data, at := h.bytes(i, c)
	if _, err := h.file.WriteAt(data, at); err != nil {
		return fmt.Errorf("writing %s of the %s of snapshots to %s: %w", formatBytes(len(data)), formatBytes(h.plan.DiskBytesPerWorker), h.path, err)
	}
	return nil
}

func (h *diskHistory[T]) read(i int, c piece) error {
	data, at := h.bytes(i, c)
	if _, err := h.file.ReadAt(data, at); err != nil {
		return fmt.Errorf("reading snapshots back from %s: %w", h.path, err)
	}
	return nil
}

// overlapped calls work for the pieces in turn, and beside it transfer for another piece; transfers are done one after the other.
func overlapped(begin func() chan error, work func() error) error {
	done := begin()
	err := work()
	if other := <-done; err == nil {
		err = other
	}
	return err
}

func (h *diskHistory[T]) start(transfer func(int, piece) error, i int, c piece) func() chan error {
	return func() chan error {
		done := make(chan error, 1)
		go func() { done <- transfer(i, c) }()
		return done
	}
}

func nothing() chan error {
	done := make(chan error, 1)
	done <- nil
	return done
}

func (h *diskHistory[T]) forward(ctx context.Context, shot *kernels.Shot[T], _ []T) error {
	h.solver.Reset()
	pieces := h.plan.pieces()
	writing := nothing
	for i, c := range pieces {
		err := overlapped(writing, func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return h.solver.Forward(shot, c.n0, c.n1, &kernels.Snapshots[T]{Every: h.plan.SnapshotInterval, First: c.s0, Data: h.buffers[i%2].Data})
		})
		if err != nil {
			return err
		}
		writing = h.start(h.write, i, c)
	}
	return nil // the last piece stays in memory
}

func (h *diskHistory[T]) backward(ctx context.Context, adjoint func(n0, n1 int, snap *kernels.Snapshots[T]) error) error {
	pieces := h.plan.pieces()
	for i := len(pieces) - 1; i >= 0; i-- {
		c := pieces[i]
		reading := nothing
		// the last two pieces are in the buffers, the second of them since it was written
		if i > 0 && i < len(pieces)-1 {
			reading = h.start(h.read, i-1, pieces[i-1])
		}
		err := overlapped(reading, func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return adjoint(c.n0, c.n1, &kernels.Snapshots[T]{Every: h.plan.SnapshotInterval, First: c.s0, Data: h.buffers[i%2].Data})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *diskHistory[T]) close() {
	h.file.Close()
	for _, b := range h.buffers {
		b.Close()
	}
}

// freeDisk returns the bytes that a directory's file system has left for the user, and whether it says so.
func freeDisk(dir string) (int, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return int(s.Bavail) * int(s.Bsize), true
}
