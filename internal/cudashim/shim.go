//go:build cuda

// Package cudashim binds NVIDIA's driver library when the program runs, beneath gorgonia.org/cu, which wants it when the program is
// linked; and adds the functions that gorgonia.org/cu lacks: pinned memory, asynchronous copies, events and graphs.
//
// It exists only in builds with the tag cuda (make cuda).
package cudashim

// #cgo LDFLAGS: -ldl
// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"unsafe"

	"gorgonia.org/cu"
)

// LibraryVariable names the variable with another driver library than libcuda.so.1.
const LibraryVariable = "FWI_CUDA_DRIVER"

// Error is a CUresult.
type Error int

func (e Error) Error() string {
	if text, ok := texts[e]; ok {
		return text
	}
	return fmt.Sprintf("CUDA error %d", int(e))
}

// texts of the errors that users meet.
var texts = map[Error]string{
	1:              "the driver was given an invalid value (CUDA error 1)",
	2:              "the device is out of memory (CUDA error 2)",
	3:              "the driver is not initialised (CUDA error 3)",
	34:             "the driver library is a stub without a driver (CUDA error 34)",
	100:            "no CUDA device is there (CUDA error 100)",
	218:            "the kernels' PTX does not suit this driver (CUDA error 218)",
	222:            "the driver is too old for the kernels' PTX: it needs driver 550 (CUDA 12.4) or newer (CUDA error 222)",
	C.SHIM_MISSING: "the driver lacks a function that is needed: it is too old (CUDA error 500)",
	700:            "a kernel accessed memory that is not its own (CUDA error 700)",
	702:            "a kernel ran into the time limit of the display (CUDA error 702)",
	719:            "a kernel failed (CUDA error 719)",
	803:            "the driver library and the kernel module are of different versions: restart the machine (CUDA error 803)",
	999:            "the driver failed for a reason it does not know (CUDA error 999)",
}

// OutOfMemory is the error of an allocation without room.
const OutOfMemory Error = 2

func check(rc C.int) error {
	if rc != 0 {
		return Error(rc)
	}
	return nil
}

// Open loads the driver library and initialises the driver.
func Open() error {
	library := os.Getenv(LibraryVariable)
	if library == "" {
		library = "libcuda.so.1"
	}
	name := C.CString(library)
	defer C.free(unsafe.Pointer(name))
	var message [512]C.char
	switch rc := C.shim_open(name, &message[0], C.int(len(message))); {
	case rc < 0:
		return fmt.Errorf("no NVIDIA driver: %s", C.GoString(&message[0]))
	case rc > 0:
		return check(rc)
	}
	return nil
}

// Sentence turns an error of gorgonia.org/cu into one of this package.
func Sentence(err error) error {
	if err == nil {
		return nil
	}
	var known Error
	if errors.As(err, &known) {
		return err
	}
	if v := reflect.ValueOf(err); v.CanInt() { // its type is not exported, but a number
		return Error(v.Int())
	}
	return fmt.Errorf("CUDA: %w", err)
}

// The handles of gorgonia.org/cu are structures of one pointer.
var _ [8]struct{} = [unsafe.Sizeof(cu.Stream{})]struct{}{}

func handle(s cu.Stream) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&s)) }

// Synchronize waits for what stands in a stream.
func Synchronize(s cu.Stream) error { return check(C.shim_stream_synchronize(handle(s))) }

// HostAlloc returns pinned host memory, which asynchronous copies may use.
func HostAlloc(bytes int) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	err := check(C.shim_host_alloc(&p, C.size_t(bytes)))
	return p, err
}

// HostFree frees it.
func HostFree(p unsafe.Pointer) error { return check(C.shim_host_free(p)) }

// Graph is a recorded sequence of launches.
type Graph struct{ executable unsafe.Pointer }

// Record records what f launches on a stream, without running it.
func Record(s cu.Stream, f func() error) (*Graph, error) {
	if err := check(C.shim_begin_capture(handle(s))); err != nil {
		return nil, err
	}
	err := f()
	var graph unsafe.Pointer
	if ended := check(C.shim_end_capture(handle(s), &graph)); err == nil {
		err = ended
	}
	if graph != nil {
		defer C.shim_destroy_graph(graph)
	}
	if err != nil {
		return nil, err
	}
	g := &Graph{}
	if err := check(C.shim_instantiate(&g.executable, graph)); err != nil {
		return nil, err
	}
	return g, nil
}

// Launch runs the sequence.
func (g *Graph) Launch(s cu.Stream) error {
	return check(C.shim_launch_graph(g.executable, handle(s)))
}

// Close frees it.
func (g *Graph) Close() error { return check(C.shim_destroy_executable(g.executable)) }

// Copier copies between device and pinned host memory beside the kernels of a stream.
type Copier struct{ stream, event, done unsafe.Pointer }

// NewCopier returns a copier.
func NewCopier() (*Copier, error) {
	c := &Copier{}
	for _, err := range []error{check(C.shim_stream_create(&c.stream)), check(C.shim_event_create(&c.event)), check(C.shim_event_create(&c.done))} {
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

// ToHost and ToDevice begin a copy when everything has run that stands in the stream by now.
func (c *Copier) ToHost(to unsafe.Pointer, from cu.DevicePtr, bytes int, after cu.Stream) error {
	if err := c.order(after); err != nil {
		return err
	}
	return check(C.shim_copy_to_host(to, C.ulonglong(from), C.size_t(bytes), c.stream))
}

func (c *Copier) ToDevice(to cu.DevicePtr, from unsafe.Pointer, bytes int, after cu.Stream) error {
	if err := c.order(after); err != nil {
		return err
	}
	return check(C.shim_copy_to_device(C.ulonglong(to), from, C.size_t(bytes), c.stream))
}

func (c *Copier) order(after cu.Stream) error {
	if err := check(C.shim_event_record(c.event, handle(after))); err != nil {
		return err
	}
	return check(C.shim_stream_wait(c.stream, c.event))
}

// Before makes what comes in the stream from now on wait for the copies begun.
func (c *Copier) Before(s cu.Stream) error {
	if err := check(C.shim_event_record(c.done, c.stream)); err != nil {
		return err
	}
	return check(C.shim_stream_wait(handle(s), c.done))
}

// Wait waits for the copies begun.
func (c *Copier) Wait() error { return check(C.shim_stream_synchronize(c.stream)) }

// Close frees the copier.
func (c *Copier) Close() {
	C.shim_event_destroy(c.event)
	C.shim_event_destroy(c.done)
	C.shim_stream_destroy(c.stream)
}
