package kernels

// #include <stdlib.h>
// #include "cpu.h"
import "C"

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// Buffer is memory outside Go's heap for what is large and lives long: on the heap, the collector would let as much garbage again
// pile up beside it. It is not cleared, and takes room only where it has been written.
type Buffer[E Real | uint16 | byte] struct {
	Data  []E
	start unsafe.Pointer
}

// buffers spreads the beginnings of buffers.
var buffers atomic.Uint32

// NewBuffer returns a buffer of n elements.
func NewBuffer[E Real | uint16 | byte](n int) (*Buffer[E], error) {
	bytes := roundUp(max(n, 1)*int(unsafe.Sizeof(*new(E))), 64)
	align, skew := 64, 0
	if bytes >= 2*C.HUGE_PAGE { // as CPU.alloc does: large pages, beginnings at different cache lines of them
		align, skew = C.HUGE_PAGE, 64*(int(buffers.Add(41))%512)
	}
	bytes += skew
	p := C.aligned_alloc(C.size_t(align), C.size_t(bytes))
	if p == nil {
		return nil, fmt.Errorf("the system refused %d bytes", bytes)
	}
	if align == C.HUGE_PAGE {
		C.cpu_huge_pages(p, C.size_t(bytes/C.HUGE_PAGE*C.HUGE_PAGE)) // the end in small ones, so that it takes no more than was asked for
	}
	b := &Buffer[E]{unsafe.Slice((*E)(unsafe.Add(p, skew)), n), p}
	runtime.SetFinalizer(b, (*Buffer[E]).Close)
	return b, nil
}

// Close frees the buffer. Closing twice, or a nil buffer, is harmless.
func (b *Buffer[E]) Close() {
	if b == nil || b.start == nil {
		return
	}
	C.free(b.start)
	b.Data, b.start = nil, nil
	runtime.SetFinalizer(b, nil)
}
