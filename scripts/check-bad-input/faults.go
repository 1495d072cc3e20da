package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"gofwi/internal/h5"
)

// The problem that each case spoils: small enough to invert in a second.
const (
	nz, nx  = 60, 80
	spacing = 20.0 // m
	shots   = 2
	traces  = 20
	nt      = 250
	dt      = 0.004 // s
	peak    = 6.0   // Hz
)

// problem holds the content of a problem file; a nil array is left out.
type problem struct {
	vp                 []float32
	shape              []int
	spacing            map[string]float64
	start, mask        []float32
	startShape         []int
	sources, receivers []float64
	wavelet            []float32
	dt                 map[string]float64
	observed           []float32
	observedShape      []int
}

// valid returns a function that writes the problem as spoil leaves it.
func valid(spoil func(*problem)) func(path string) error {
	return func(path string) error {
		p := &problem{vp: make([]float32, nz*nx), shape: []int{nz, nx}, spacing: map[string]float64{"dz": spacing, "dx": spacing},
			startShape: []int{nz, nx}, wavelet: make([]float32, nt), dt: map[string]float64{"dt": dt}, observedShape: []int{shots, traces, nt}}
		for i := range p.vp {
			p.vp[i] = 1500 + 25*float32(i/nx)
			if i/nx > 30 {
				p.vp[i] += 200
			}
		}
		for i := range shots {
			p.sources = append(p.sources, 40, 300+900*float64(i))
		}
		for i := range traces {
			p.receivers = append(p.receivers, 20, 60+70*float64(i))
		}
		for i := range p.wavelet {
			a := math.Pi * peak * (float64(i)*dt - 1.2/peak)
			p.wavelet[i] = float32((1 - 2*a*a) * math.Exp(-a*a))
		}
		if spoil != nil {
			spoil(p)
		}
		return p.write(path)
	}
}

func (p *problem) write(path string) error {
	f, err := h5.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	float32s := func(object string, data []float32, shape []int, attributes map[string]float64) {
		if data == nil || err != nil {
			return
		}
		err = f.WriteFloat32(object, data, shape, 0)
		for name, value := range attributes {
			if err == nil {
				err = f.SetAttr(object, name, value)
			}
		}
	}
	float32s("/vp", p.vp, p.shape, p.spacing)
	float32s("/start/vp", p.start, p.startShape, p.spacing)
	float32s("/update_mask", p.mask, p.shape, nil)
	float32s("/survey/wavelet", p.wavelet, []int{len(p.wavelet)}, p.dt)
	float32s("/data/observed", p.observed, p.observedShape, nil)
	if p.sources != nil && err == nil {
		err = f.WriteFloat64("/survey/source_position", p.sources, []int{len(p.sources) / 2, 2}, 0)
	}
	if p.receivers != nil && err == nil {
		err = f.WriteFloat64("/survey/receiver_position", p.receivers, []int{len(p.receivers) / 2, 2}, 0)
	}
	if err != nil {
		return err
	}
	return f.Commit()
}

// bytesOf returns a function that writes a valid problem, changed byte for byte.
func bytesOf(change func([]byte) []byte) func(path string) error {
	return func(path string) error {
		if err := valid(nil)(path); err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, change(content), 0o644)
	}
}

// text returns a function that writes a file of this content.
func text(content string) func(path string) error {
	return func(path string) error { return os.WriteFile(path, []byte(content), 0o644) }
}

// velocity spoils one cell of the model.
func velocity(v float64) func(path string) error {
	return valid(func(p *problem) { p.vp[17*nx+23] = float32(v) })
}

func faults() []fault {
	cases := []fault{
		{name: "the problem without a fault", make: valid(nil), ok: mustSucceed},

		{name: "a NaN velocity", make: velocity(math.NaN()), words: []string{"nan", "17", "23"}},
		{name: "an infinite velocity", make: velocity(math.Inf(1)), words: []string{"inf", "17", "23"}},
		{name: "a zero velocity", make: velocity(0), words: []string{"17", "23"}},
		{name: "a negative velocity", make: velocity(-1800), words: []string{"-1800", "17", "23"}},
		{name: "velocities in km/s", words: []string{"km/s"}, make: valid(func(p *problem) {
			for i := range p.vp {
				p.vp[i] /= 1000
			}
		})},
		{name: "a start model with a NaN", words: []string{"start", "nan"}, make: valid(func(p *problem) {
			p.start = append([]float32{}, p.vp...)
			p.start[99] = float32(math.NaN())
		})},
		{name: "a start model of another shape", words: []string{"start", "59", "60"}, make: valid(func(p *problem) {
			p.start, p.startShape = p.vp[nx:], []int{nz - 1, nx}
		})},
		{name: "a model of one dimension", words: []string{"/vp", "4800"}, make: valid(func(p *problem) { p.shape = []int{nz * nx} })},
		{name: "no spacing", words: []string{"/vp", "d[zx]"}, make: valid(func(p *problem) { p.spacing = nil })},
		{name: "a spacing of zero", words: []string{"spacing|d[zx]"}, make: valid(func(p *problem) { p.spacing["dz"] = 0 })},
		{name: "a wavelet without dt", words: []string{"wavelet", "dt"}, make: valid(func(p *problem) { p.dt = nil })},
		{name: "a negative dt", words: []string{"dt"}, make: valid(func(p *problem) { p.dt["dt"] = -dt })},
		{name: "a dt of seconds", words: []string{"dt"}, make: valid(func(p *problem) { p.dt["dt"] = 4 })},
		{name: "a wavelet of zeros", words: []string{"wavelet"}, make: valid(func(p *problem) { clear(p.wavelet) })},
		{name: "a wavelet with a NaN", words: []string{"wavelet", "nan"}, make: valid(func(p *problem) { p.wavelet[3] = float32(math.NaN()) })},
		{name: "too few points per wavelength", words: []string{"points per wavelength"}, ok: mayDoBoth, make: valid(func(p *problem) {
			for i := range p.wavelet {
				a := math.Pi * 40 * (float64(i)*dt - 1.2/40)
				p.wavelet[i] = float32((1 - 2*a*a) * math.Exp(-a*a))
			}
		})},
		{name: "a source outside the grid", words: []string{"outside", "5000"}, make: valid(func(p *problem) { p.sources[1] = 5000 })},
		{name: "a receiver outside the grid", words: []string{"outside", "-30"}, make: valid(func(p *problem) { p.receivers[4] = -30 })},
		{name: "a survey without receivers", words: []string{"receiver"}, make: valid(func(p *problem) { p.receivers = nil })},
		{name: "data of another shape", words: []string{"observed", "249", "250"}, make: valid(func(p *problem) {
			p.observedShape = []int{shots, traces, nt - 1}
			p.observed = noise(shots * traces * (nt - 1))
		})},
		{name: "data with a NaN", words: []string{"observed", "nan"}, make: valid(func(p *problem) {
			p.observed = noise(shots * traces * nt)
			p.observed[77] = float32(math.NaN())
		})},
		{name: "data of zeros", words: []string{"zero"}, make: valid(func(p *problem) { p.observed = make([]float32, shots*traces*nt) })},
		{name: "a mask that freezes everything", words: []string{"mask"}, make: valid(func(p *problem) { p.mask = make([]float32, nz*nx) })},

		{name: "no file", words: []string{"problem.h5", "no such|not exist|missing"}},
		{name: "a folder", words: []string{"folder|directory"}, make: func(path string) error { return os.Mkdir(path, 0o755) }},
		{name: "an empty file", words: []string{"problem.h5", "empty|0 bytes"}, make: text("")},
		{name: "a text file", words: []string{"problem.h5", "text|not.*HDF5"}, make: text("velocity 1500\nvelocity 2000\n")},
		{name: "half a file", words: []string{"problem.h5", "truncated|damaged|cut short"}, make: bytesOf(func(b []byte) []byte { return b[:len(b)/2] })},
		{name: "a file of HDF5's signature only", words: []string{"problem.h5"}, make: text("\x89HDF\r\n\x1a\n")},

		{name: "memory that does not suffice", make: valid(nil), args: []string{"run", "IN", "--out", "OUT", "--memory", "100KiB"}, words: []string{"[KMG]i?B"}},
		{name: "an existing result folder", words: []string{"out", "exist|overwrite"}, make: func(path string) error {
			out := filepath.Join(filepath.Dir(path), "out")
			if err := os.Mkdir(out, 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(out, "precious"), []byte("kept"), 0o644); err != nil {
				return err
			}
			return valid(nil)(path)
		}},
		{name: "nothing to resume", make: valid(nil), args: []string{"run", "IN", "--out", "OUT", "--resume"}, words: []string{"resume|checkpoint"}},
		{name: "an unknown backend", make: valid(nil), args: []string{"run", "IN", "--out", "OUT", "--backend", "abacus"}, words: []string{"abacus", "cpu"}},
		{name: "an unknown start model", make: valid(nil), args: []string{"run", "IN", "--out", "OUT", "--start", "magic"}, words: []string{"magic", "smooth"}},
		{name: "a negative number of iterations", make: valid(nil), args: []string{"run", "IN", "--out", "OUT", "--iterations", "-3"}, words: []string{"-3"}},
		{name: "an unknown flag", make: valid(nil), args: []string{"run", "IN", "--frobnicate"}, words: []string{"frobnicate"}},

		{name: "an empty SEG-Y file", file: "line.sgy", make: text(""), args: []string{"import", "IN", "OUT"}, words: []string{"line.sgy"}},
		{name: "a short SEG-Y file", file: "line.sgy", make: text("C 1 CLIENT"), args: []string{"import", "IN", "OUT"}, words: []string{"line.sgy", "10"}},
		{name: "a SEG-Y file of noise", file: "line.sgy", make: random(6000), args: []string{"import", "IN", "OUT"}, words: []string{"line.sgy"}},
		{name: "a SEG-Y file that promises more traces than it holds", file: "line.sgy", make: brokenTrace, args: []string{"import", "IN", "OUT"}, words: []string{"line.sgy"}},
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		where := rng.Uint64()
		cases = append(cases, fault{name: "a flipped bit", ok: mayDoBoth, args: []string{"info", "IN"}, make: bytesOf(func(b []byte) []byte {
			at := where % uint64(8*len(b))
			b[at/8] ^= 1 << (at % 8)
			return b
		})})
	}
	for _, parts := range []int{16, 64, 256, 1024} {
		cases = append(cases, fault{name: fmt.Sprintf("the first of %d parts of a file", parts), args: []string{"info", "IN"},
			make: bytesOf(func(b []byte) []byte { return b[:len(b)/parts] })})
	}
	return cases
}

func noise(n int) []float32 {
	rng := rand.New(rand.NewPCG(2, 2))
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}

func random(n int) func(path string) error {
	rng := rand.New(rand.NewPCG(3, 3))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return text(string(b))
}

// brokenTrace writes SEG-Y headers that announce traces of 1000 IEEE floats every 4 ms, and half of one.
func brokenTrace(path string) error {
	b := make([]byte, 3600+240+2000)
	copy(b[3200+16:], []byte{0x0f, 0xa0}) // sample interval, 4000 µs
	copy(b[3200+20:], []byte{0x03, 0xe8}) // samples per trace
	copy(b[3200+24:], []byte{0x00, 0x05}) // format: IEEE float
	copy(b[3600+114:], []byte{0x03, 0xe8, 0x0f, 0xa0})
	return os.WriteFile(path, b, 0o644)
}
