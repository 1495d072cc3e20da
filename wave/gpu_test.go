//go:build cuda

package wave

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"gofwi/kernels/cuda"
)

// gpuSetup is small, as the fake driver steps it, and has a source that acts on cells of the layers.
func gpuSetup(axes, shots int) testSetup {
	s, steps := newTestSetup(shots), 40
	if axes == 3 {
		s, steps = newTestSetup3D(shots), 24
	}
	if shots == 2 {
		s = storageSetup(s)
	}
	s.survey = shortened(s.survey, steps)
	return s
}

func leastSquaresFromZero[T float32 | float64](_ int, d, a []T) (float64, error) {
	var sum float64
	for i, v := range d {
		a[i] = v
		sum += float64(v) * float64(v) / 2
	}
	return sum, nil
}

func deviceMemory(t *testing.T) (free []int) {
	t.Helper()
	devices, err := cuda.Devices()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		f, _, err := d.Memory()
		if err != nil {
			t.Fatal(err)
		}
		free = append(free, f)
	}
	return free
}

// onFake says whether the driver is the one that counts memory to the byte; a real one hands it out in pieces of 2 MiB, and keeps the
// kernels' code.
func onFake() bool { return strings.Contains(os.Getenv("FWI_CUDA_DRIVER"), "fake") }

// All storage strategies of GPUs give what the CPU gives: in float64 up to round-off, but for 16 bits, where round-off decides half a unit in one value of
// many. 100 steps back and forth amplify round-off of 1e-16 by some 1e3.
func TestCUDAGradientsAreThoseOfTheCPU(t *testing.T) {
	worst := map[Storage]float64{}
	before := deviceMemory(t)
	for axes := 2; axes <= 3; axes++ {
		for i, order := range []int{8, 2, 4, 6} {
			if testing.Short() && (order != 8 || axes == 3) || axes == 3 && i > 1 { // the kernels' own tests have all orders
				continue
			}
			s := gpuSetup(axes, 2)
			shots := s.survey.AllShots()
			o := Options{Order: order, FreeSurface: i%2 == 1, Layer: []int{5, 1, 6, 4}[i], SnapshotInterval: []int{3, 1, 2, 7}[i]}
			for _, storage := range []Storage{EveryStep, EveryKth, SixteenBit, Host, Boundary, Revolve} {
				if i > 0 && storage != EveryKth && storage != Boundary { // the others do not depend on the order
					continue
				}
				on := func(backend string, as Storage) *Gradient[float64] {
					o := o
					o.Backend, o.Storage = backend, as
					p := newTest64(t, s, o)
					defer p.Close()
					if backend == CUDA {
						p.withPieces(2, 3, 3)
						if got := p.Plan(); got.Backend != CUDA || got.Storage != storage {
							t.Fatalf("planned %s on %s", got.Storage, got.Backend)
						}
					}
					g, err := p.Gradient(background, s.vp, shots, leastSquaresFromZero)
					if err != nil {
						t.Fatalf("%dD order %d, %s: %v", axes, order, as, err)
					}
					return g
				}
				as := storage
				if as == Host {
					as = EveryKth
				}
				want, got := on(CPU, as), on(CUDA, storage)
				bound := map[Storage]float64{SixteenBit: 1e-4, Boundary: 1e-9}[storage]
				if bound == 0 {
					bound = 1e-11
				}
				for name, e := range map[string]float64{"misfit": math.Abs(got.Misfit-want.Misfit) / want.Misfit, "gradient": relative(got.VP, want.VP), "illumination": relative(got.Illumination, want.Illumination),
					"wavelet gradient": relative(got.Wavelets[1][0], want.Wavelets[1][0])} {
					worst[storage] = max(worst[storage], e)
					if !(e <= bound) {
						t.Errorf("%dD order %d, %s: %s differs by %.1e, more than %.0e", axes, order, storage, name, e, bound)
					}
				}
			}
		}
	}
	allowed := 0
	if !onFake() {
		allowed = 64 << 20
	}
	for i, after := range deviceMemory(t) {
		if after < before[i]-allowed || after > before[i]+allowed {
			t.Errorf("device %d has %d bytes free, before the runs it had %d", i, after, before[i])
		}
	}
	devices, _ := cuda.Devices()
	fmt.Printf("verification: gradients on CUDA (%s) against the CPU's, float64, 2D at orders 2 to 8 and 3D at 2 and 8, with and without free surface: every-step %.1e, every-kth %.1e, sixteen-bit %.1e, host %.1e, boundary %.1e, revolve %.1e; device memory returns to where it was\n",
		devices[0].Name, worst[EveryStep], worst[EveryKth], worst[SixteenBit], worst[Host], worst[Boundary], worst[Revolve])
}

// float32, the precision of production: round-off of 6e-8 in each of some 100 steps, which the two sum in other orders.
func TestCUDAInSinglePrecisionIsTheCPU(t *testing.T) {
	var worst float64
	for axes := 2; axes <= 3; axes++ {
		s := gpuSetup(axes, 2)
		vp, dv := make([]float32, len(s.vp)), make([]float32, len(s.vp))
		for i := range vp {
			vp[i], dv[i] = float32(s.vp[i]), float32(s.dv[i])
		}
		var gathers, born [][]float32
		var gradient []float64
		for _, backend := range []string{CPU, CUDA} {
			p, err := NewPropagator(s.grid, s.survey, Options{MaxVelocity: 3000, Layer: 5, Backend: backend})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			d, err := p.Forward(background, vp, []int{1, 0})
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.Born(background, vp, dv, []int{0, 1})
			if err != nil {
				t.Fatal(err)
			}
			g, err := p.Gradient(background, vp, []int{0, 1}, leastSquaresFromZero)
			if err != nil {
				t.Fatal(err)
			}
			if backend == CUDA {
				for name, e := range map[string]float64{"gather": relative(converted[float64](d[0]), converted[float64](gathers[0])), "Born": relative(converted[float64](b[1]), converted[float64](born[1])), "gradient": relative(converted[float64](g.VP), gradient)} {
					worst = max(worst, e)
					if !(e < 1e-5) {
						t.Errorf("%dD: %s differs by %.1e", axes, name, e)
					}
				}
			}
			gathers, born, gradient = d, b, converted[float64](g.VP)
		}
	}
	fmt.Printf("verification: gathers, Born data and gradients on CUDA against the CPU's in float32: they differ by at most %.1e\n", worst)
}

// The number of shots in a batch changes nothing but the order of sums; nothing of one batch is left for the next.
func TestCUDABatchesKeepShotsApart(t *testing.T) {
	s := gpuSetup(2, 5)
	p := newTest64(t, s, Options{Layer: 5, Backend: CUDA})
	all := append(s.survey.AllShots(), 0)
	want, err := p.Gradient(background, s.vp, all, leastSquaresFromZero)
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []int{1, 4} {
		q := newTest64(t, s, Options{Layer: 5, Backend: CUDA})
		q.plan.Batch = batch
		got, err := q.Gradient(background, s.vp, all, leastSquaresFromZero)
		if err != nil {
			t.Fatal(err)
		}
		if e := relative(got.VP, want.VP); !(e < 1e-13) || !reflect.DeepEqual(got.Misfits, want.Misfits) {
			t.Errorf("batches of %d: gradients differ by %.1e, misfits %v and %v", batch, e, got.Misfits, want.Misfits)
		}
	}
}

// Which device has stepped a batch does not matter: to the bit for the same batches, to round-off of the sums for one device, whose batches are larger.
func TestCUDASeveralDevicesGiveWhatOneGives(t *testing.T) {
	devices, err := cuda.Devices()
	if err != nil {
		t.Fatal(err)
	}
	if len(devices) < 2 {
		t.Skip("skipped: needs two devices")
	}
	s := gpuSetup(2, 5)
	all := s.survey.AllShots()
	run := func(devices, batch int) *Gradient[float64] {
		p := newTest64(t, s, Options{Layer: 5, Backend: CUDA})
		p.gpu.devices, p.gpu.workers = p.gpu.devices[:devices], p.gpu.workers[:devices]
		p.plan.Batch = batch
		g, err := p.Gradient(background, s.vp, all, leastSquaresFromZero)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	one, two, whole := run(1, 2), run(2, 2), run(1, 5)
	if !reflect.DeepEqual(one, two) {
		t.Error("two devices give other bits than one with the same batches")
	}
	e := relative(two.VP, whole.VP)
	if !(e < 1e-13) {
		t.Errorf("gradients in batches of two and of five differ by %.1e", e)
	}
	fmt.Printf("verification: gradients on two devices (%s) and on one: the same bits for the same batches, %.1e for others\n", devices[1].Name, e)
}

func TestCUDAStopsWhenCancelled(t *testing.T) {
	s := gpuSetup(2, 2)
	for _, storage := range []Storage{EveryKth, Host, Boundary, Revolve} {
		p := newTest64(t, s, Options{Layer: 5, Backend: CUDA, Storage: storage})
		ctx, cancel := context.WithCancel(background)
		_, err := p.Gradient(ctx, s.vp, []int{0}, func(int, []float64, []float64) (float64, error) { cancel(); return 0, nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", storage, err)
		}
		if _, err := p.Gradient(background, s.vp, []int{0, 1}, leastSquaresFromZero); err != nil {
			t.Errorf("%s: the next gradient fails: %v", storage, err)
		}
	}
}

// What fits is planned, what turns out not to fit is planned anew with less, and what fits in no way is refused with numbers.
func TestCUDAPlansWithinTheDeviceMemory(t *testing.T) {
	s := gpuSetup(2, 2)
	want := newTest64(t, s, Options{Layer: 5, SnapshotInterval: 2})
	g, err := want.Gradient(background, s.vp, []int{0, 1}, leastSquaresFromZero)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[Storage]bool{}
	least := 0
	for limit := 64 << 20; ; limit = limit * 3 / 5 {
		p, err := NewPropagatorOf[float64](s.grid, s.survey, Options{MaxVelocity: 3000, Layer: 5, Backend: CUDA, DeviceMemoryLimit: limit, MemoryLimit: 2 << 20, SnapshotInterval: 2})
		if err != nil {
			if !strings.Contains(err.Error(), "may be used") || !strings.Contains(err.Error(), "needs") {
				t.Errorf("refused with %v", err)
			}
			break
		}
		plan := p.Plan()
		if plan.Bytes > limit {
			t.Errorf("planned %d bytes of %d", plan.Bytes, limit)
		}
		before := deviceMemory(t)[0]
		if _, err := p.Gradient(background, s.vp, []int{0, 1}, leastSquaresFromZero); err != nil {
			t.Fatal(err)
		}
		// lists of points and coefficients are estimated
		if used := before - deviceMemory(t)[0]; onFake() && used > plan.Bytes+plan.Bytes/10 {
			t.Errorf("%s: %d bytes used, %d planned", plan.Storage, used, plan.Bytes)
		}
		seen[plan.Storage] = true
		least = limit
		p.Close()
	}
	if len(seen) < 3 {
		t.Errorf("only %v were planned down to %d bytes", seen, least)
	}

	if !onFake() {
		t.Skip("skipped the rest: needs the fake driver")
	}
	p := newTest64(t, s, Options{Layer: 5, Backend: CUDA, SnapshotInterval: 2})
	planned := p.Plan()
	t.Setenv("FAKECUDA_MEMORY", fmt.Sprint(planned.Bytes/2)) // another program took the rest
	got, err := p.Gradient(background, s.vp, []int{0, 1}, leastSquaresFromZero)
	if err != nil {
		t.Fatal(err)
	}
	if now := p.Plan(); now.Bytes >= planned.Bytes || now.Storage == planned.Storage && now.Batch == planned.Batch {
		t.Errorf("planned anew: %s of %d shots with %d bytes after %s of %d with %d", now.Storage, now.Batch, now.Bytes, planned.Storage, planned.Batch, planned.Bytes)
	}
	if e := relative(got.VP, g.VP); !(e < 2e-3) { // perhaps in 16 bits
		t.Errorf("gradients differ by %.1e", e)
	}
	t.Setenv("FAKECUDA_MEMORY", "20000")
	p.gpu.workers[0].close()
	if _, err = p.Gradient(background, s.vp, []int{0, 1}, leastSquaresFromZero); !errors.Is(err, cuda.ErrOutOfMemory) || !strings.Contains(err.Error(), "may be used") {
		t.Errorf("got %v", err)
	}
}

func TestCUDAOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	s := gpuSetup(2, 1)
	for _, o := range []Options{{Backend: CUDA, Storage: Disk}, {Backend: CPU, Storage: Host}, {Backend: "abacus"}, {Backend: CUDA, Reference: true}} {
		o.MaxVelocity = 3000
		if _, err := NewPropagatorOf[float64](s.grid, s.survey, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	p := newTest64(t, s, Options{Backend: Auto, Storage: Disk})
	if plan := p.Plan(); plan.Backend != CPU || !strings.Contains(plan.BackendNote, string(Disk)) {
		t.Errorf("storage %s: planned %s, %q", Disk, plan.Backend, plan.BackendNote)
	}
}
