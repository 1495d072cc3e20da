//go:build cuda

package cuda

import (
	"embed"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"gorgonia.org/cu"

	"gofwi/internal/cudashim"
)

//go:embed ptx/*.ptx
var ptx embed.FS

// open starts a thread for each GPU of the machine.
func open() ([]*Device, error) {
	if err := cudashim.Open(); err != nil {
		return nil, err
	}
	count, err := cu.NumDevices()
	if err != nil {
		return nil, cudashim.Sentence(err)
	}
	if count == 0 {
		return nil, cudashim.Error(100)
	}
	var devices []*Device
	for i := range count {
		d := &Device{Index: i, DriverVersion: cu.Version(), jobs: make(chan func())}
		ready := make(chan error)
		go d.serve(ready)
		if err := <-ready; err != nil {
			return nil, fmt.Errorf("GPU %d: %w", i, cudashim.Sentence(err))
		}
		devices = append(devices, d)
	}
	return devices, nil
}

// serve makes the device's primary context current on a thread and runs there what is asked for, as long as the program lives.
func (d *Device) serve(ready chan<- error) {
	runtime.LockOSThread()
	if err := d.begin(); err != nil {
		ready <- err
		return
	}
	ready <- nil
	for f := range d.jobs {
		f()
	}
}

func (d *Device) begin() error {
	device, err := cu.GetDevice(d.Index)
	if err != nil {
		return err
	}
	if d.Name, err = device.Name(); err != nil {
		return err
	}
	total, err := device.TotalMem()
	if err != nil {
		return err
	}
	d.TotalMemory = int(total)
	if d.Processors, err = device.Attribute(cu.MultiprocessorCount); err != nil {
		return err
	}
	context, err := device.RetainPrimaryCtx()
	if err != nil {
		return err
	}
	if err := cu.SetCurrentContext(context); err != nil {
		return err
	}
	g := &gpu{modules: map[string]cu.Module{}}
	if g.stream, err = cu.MakeStream(cu.DefaultStream); err != nil {
		return err
	}
	if g.copier, err = cudashim.NewCopier(); err != nil {
		return err
	}
	d.driver = g
	// a driver too old for the kernels must show before a run begins
	_, err = g.kernel("acoustic_2d_r1_f32", "step_forward_2d_r1_f32")
	return err
}

// gpu is the driver of one device.
type gpu struct {
	stream  cu.Stream // waits for the default stream, in which synchronous copies go
	copier  *cudashim.Copier
	modules map[string]cu.Module
}

func sentence(err error) error {
	err = cudashim.Sentence(err)
	if errors.Is(err, cudashim.OutOfMemory) {
		return ErrOutOfMemory
	}
	return err
}

func (g *gpu) memory() (free, total int, err error) {
	f, t, err := cu.MemInfo()
	return int(f), int(t), sentence(err)
}

func (g *gpu) alloc(bytes int) (pointer, error) {
	p, err := cu.MemAlloc(int64(bytes))
	return pointer(p), sentence(err)
}

func (g *gpu) free(p pointer) error { return sentence(cu.MemFree(cu.DevicePtr(p))) }

func (g *gpu) clear(p pointer, bytes int) error {
	return sentence(cu.MemsetD8(cu.DevicePtr(p), 0, int64(bytes)))
}

func (g *gpu) toDevice(to pointer, from unsafe.Pointer, bytes int) error {
	return sentence(cu.MemcpyHtoD(cu.DevicePtr(to), from, int64(bytes)))
}

func (g *gpu) toHost(to unsafe.Pointer, from pointer, bytes int) error {
	return sentence(cu.MemcpyDtoH(to, cu.DevicePtr(from), int64(bytes)))
}

func (g *gpu) copy(to, from pointer, bytes int) error {
	return sentence(cu.MemcpyDtoD(cu.DevicePtr(to), cu.DevicePtr(from), int64(bytes)))
}

func (g *gpu) kernel(module, name string) (kernel, error) {
	m, ok := g.modules[module]
	if !ok {
		image, err := ptx.ReadFile("ptx/" + module + ".ptx")
		if err != nil {
			return nil, err
		}
		if m, err = cu.LoadData(string(image)); err != nil {
			return nil, fmt.Errorf("loading the kernels %s: %w", module, sentence(err))
		}
		g.modules[module] = m
	}
	f, err := m.Function(name)
	if err != nil {
		return nil, fmt.Errorf("kernel %s: %w", name, sentence(err))
	}
	return f, nil
}

func (g *gpu) launch(k kernel, grid, block [2]int, arguments ...uint64) error {
	// Launch reads 8 bytes of each argument
	slots := make([]unsafe.Pointer, len(arguments))
	for i := range arguments {
		slots[i] = unsafe.Pointer(&arguments[i])
	}
	return sentence(k.(cu.Function).Launch(grid[0], grid[1], 1, block[0], block[1], 1, 0, g.stream, slots))
}

func (g *gpu) synchronize() error { return sentence(cudashim.Synchronize(g.stream)) }

func (g *gpu) finishWork() error { return sentence(cu.Synchronize()) }

type recording struct {
	*cudashim.Graph
	stream cu.Stream
}

func (r recording) launch() error { return sentence(r.Graph.Launch(r.stream)) }
func (r recording) close()        { _ = r.Graph.Close() }

func (g *gpu) record(f func() error) (graph, error) {
	r, err := cudashim.Record(g.stream, f)
	if err != nil {
		return nil, sentence(err)
	}
	return recording{r, g.stream}, nil
}

func (g *gpu) hostAlloc(bytes int) (unsafe.Pointer, error) {
	p, err := cudashim.HostAlloc(bytes)
	return p, sentence(err)
}

func (g *gpu) hostFree(p unsafe.Pointer) error { return sentence(cudashim.HostFree(p)) }

func (g *gpu) beginToHost(to unsafe.Pointer, from pointer, bytes int) error {
	return sentence(g.copier.ToHost(to, cu.DevicePtr(from), bytes, g.stream))
}

func (g *gpu) beginToDevice(to pointer, from unsafe.Pointer, bytes int) error {
	return sentence(g.copier.ToDevice(cu.DevicePtr(to), from, bytes, g.stream))
}

func (g *gpu) awaitCopies() error { return sentence(g.copier.Before(g.stream)) }

func (g *gpu) finishCopies() error { return sentence(g.copier.Wait()) }
