package kernels

// #include <stdlib.h>
// #include "cpu.h"
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Buffer is memory outside Go's heap for what is large and lives long: on the heap, the collector would let as much garbage again
// pile up beside it. It is not cleared, and takes room only where it has been written.
type Buffer[E Real | uint16 | byte] struct {
	Data  []E
	start unsafe.Pointer
}

// NewBuffer returns a buffer of n elements.
func NewBuffer[E Real | uint16 | byte](n int) (*Buffer[E], error) {
	bytes := roundUp(max(n, 1)*int(unsafe.Sizeof(*new(E))), 64)
	align := 64
	if bytes >= 2*C.HUGE_PAGE {
		align = C.HUGE_PAGE
	}
	p := C.aligned_alloc(C.size_t(align), C.size_t(bytes))
	if p == nil {
		return nil, fmt.Errorf("the system refused %d bytes", bytes)
	}
	if align == C.HUGE_PAGE {
		C.cpu_huge_pages(p, C.size_t(bytes/C.HUGE_PAGE*C.HUGE_PAGE)) // the end in small ones, so that it takes no more than was asked for
	}
	b := &Buffer[E]{unsafe.Slice((*E)(p), n), p}
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
