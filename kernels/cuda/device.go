package cuda

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

// ErrOutOfMemory is wrapped by the error of an allocation for which a device has no room.
var ErrOutOfMemory = errors.New("the device is out of memory")

// Device is a GPU. It has a thread of its own, on which everything runs that is asked of it; it is safe for concurrent use.
type Device struct {
	Index         int
	Name          string
	TotalMemory   int // bytes
	Processors    int // multiprocessors
	DriverVersion int // as in 12040 for CUDA 12.4
	jobs          chan func()
	driver        driver
}

// driver is what this package needs of a device; all calls come from the device's thread.
type driver interface {
	memory() (free, total int, err error)
	alloc(bytes int) (pointer, error)
	free(p pointer) error
	clear(p pointer, bytes int) error
	toDevice(to pointer, from unsafe.Pointer, bytes int) error
	toHost(to unsafe.Pointer, from pointer, bytes int) error
	copy(to, from pointer, bytes int) error
	// kernel returns a kernel of a module, which is loaded when it is first asked for.
	kernel(module, name string) (kernel, error)
	launch(k kernel, grid, block [2]int, arguments ...uint64) error
	synchronize() error // waits for what was launched
	finishWork() error  // waits for everything
	record(f func() error) (graph, error)
	hostAlloc(bytes int) (unsafe.Pointer, error)
	hostFree(p unsafe.Pointer) error
	// beginToHost and beginToDevice copy beside what is launched from then on, after what was launched before. awaitCopies lets what is
	// launched from now on wait for the copies, finishCopies the caller.
	beginToHost(to unsafe.Pointer, from pointer, bytes int) error
	beginToDevice(to pointer, from unsafe.Pointer, bytes int) error
	awaitCopies() error
	finishCopies() error
}

type pointer uint64

// kernel is a handle of a driver's.
type kernel any

type graph interface {
	launch() error
	close()
}

var opened = sync.OnceValues(open)

// Devices returns the GPUs of this machine, or an error that says why there is none to use.
func Devices() ([]*Device, error) { return opened() }

// do runs f on the device's thread. Its errors name the device.
func (d *Device) do(f func() error) error {
	done := make(chan error, 1)
	d.jobs <- func() { done <- f() }
	if err := <-done; err != nil {
		return fmt.Errorf("%s: %w", d, err)
	}
	return nil
}

func (d *Device) String() string { return fmt.Sprintf("GPU %d (%s)", d.Index, d.Name) }

// Memory returns the bytes that the device has free, and all it has.
func (d *Device) Memory() (free, total int, err error) {
	err = d.do(func() (err error) {
		free, total, err = d.driver.memory()
		return err
	})
	return free, total, err
}

// Memory is memory of a device. Closing nil is harmless.
type Memory struct {
	device *Device
	at     pointer
	Bytes  int
}

// Alloc returns uncleared memory. The error wraps ErrOutOfMemory where there is too little.
func (d *Device) Alloc(bytes int) (*Memory, error) {
	var m *Memory
	err := d.do(func() (err error) {
		m, err = d.alloc(bytes)
		return err
	})
	return m, err
}

// alloc is Alloc on the device's thread.
func (d *Device) alloc(bytes int) (*Memory, error) {
	bytes = max(bytes, 16)
	at, err := d.driver.alloc(bytes)
	if err != nil {
		free, total, e := d.driver.memory()
		if errors.Is(err, ErrOutOfMemory) && e == nil {
			return nil, fmt.Errorf("%w: %d MiB were asked for, %d of %d are free", ErrOutOfMemory, bytes>>20, free>>20, total>>20)
		}
		return nil, err
	}
	return &Memory{d, at, bytes}, nil
}

// Close frees the memory.
func (m *Memory) Close() {
	if m == nil || m.at == 0 {
		return
	}
	// what a failed device says is of no use here
	_ = m.device.do(func() error { return m.device.driver.free(m.at) })
	m.at = 0
}

// at returns the address of a piece of memory that may be nil.
func address(m *Memory) pointer {
	if m == nil {
		return 0
	}
	return m.at
}

// HostMemory is memory of the machine that a device copies from and to beside its kernels.
type HostMemory struct {
	device *Device
	start  unsafe.Pointer
	Bytes  int
}

// AllocHost returns pinned memory of the machine.
func (d *Device) AllocHost(bytes int) (*HostMemory, error) {
	m := &HostMemory{device: d, Bytes: max(bytes, 16)}
	err := d.do(func() (err error) {
		m.start, err = d.driver.hostAlloc(m.Bytes)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%d MiB of pinned memory: %w", bytes>>20, err)
	}
	return m, nil
}

// Close frees the memory. Closing nil is harmless.
func (m *HostMemory) Close() {
	if m == nil || m.start == nil {
		return
	}
	_ = m.device.do(func() error { return m.device.driver.hostFree(m.start) })
	m.start = nil
}

// BeginSave copies device memory to a place in host memory, beside what is launched from now on and after what was launched before; BeginLoad the
// other way round. AwaitCopies makes what is launched from then on wait for the copies begun so far; FinishCopies waits for them.
func (d *Device) BeginSave(to *HostMemory, offset int, from *Memory, bytes int) error {
	if offset < 0 || bytes > from.Bytes || offset+bytes > to.Bytes {
		return fmt.Errorf("%s: %d bytes do not fit at %d of %d", d, bytes, offset, to.Bytes)
	}
	return d.do(func() error { return d.driver.beginToHost(unsafe.Add(to.start, offset), from.at, bytes) })
}

// BeginLoad: see BeginSave.
func (d *Device) BeginLoad(to *Memory, from *HostMemory, offset, bytes int) error {
	if offset < 0 || bytes > to.Bytes || offset+bytes > from.Bytes {
		return fmt.Errorf("%s: %d bytes are not at %d of %d", d, bytes, offset, from.Bytes)
	}
	return d.do(func() error { return d.driver.beginToDevice(to.at, unsafe.Add(from.start, offset), bytes) })
}

// AwaitCopies: see BeginSave.
func (d *Device) AwaitCopies() error { return d.do(d.driver.awaitCopies) }

// FinishCopies: see BeginSave.
func (d *Device) FinishCopies() error { return d.do(d.driver.finishCopies) }

// upload copies a slice into new memory, on the device's thread.
func upload[E any](d *Device, v []E) (*Memory, error) {
	m, err := d.alloc(len(v) * int(unsafe.Sizeof(*new(E))))
	if err != nil || len(v) == 0 {
		return m, err
	}
	if err := toDevice(d, m, v); err != nil {
		_ = d.driver.free(m.at)
		return nil, err
	}
	return m, nil
}

func toDevice[E any](d *Device, m *Memory, v []E) error {
	if len(v) == 0 {
		return nil
	}
	return d.driver.toDevice(m.at, unsafe.Pointer(&v[0]), len(v)*int(unsafe.Sizeof(v[0])))
}

func toHost[E any](d *Device, v []E, m *Memory) error {
	if len(v) == 0 {
		return nil
	}
	return d.driver.toHost(unsafe.Pointer(&v[0]), m.at, len(v)*int(unsafe.Sizeof(v[0])))
}
