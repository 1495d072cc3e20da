package fwi

import (
	"fmt"
	"math"
	"sync"

	"gonum.org/v1/gonum/dsp/fourier"
)

// Band is a pass band in Hz. At its corners the amplitude is one half (-6 dB). The zero value passes everything.
type Band struct {
	Low, High float64 // corners; zero leaves that side open

	// Flank is the half width of the cosine flanks as a fraction of their corner, below 1; zero: 0.25. A low-pass at 4 Hz
	// is 1 below 3 Hz and 0 above 5 Hz.
	Flank float64
	// Butterworth, if positive, replaces the cosine flanks by those of a Butterworth filter of that order run forward and
	// backward: amplitude 1/(1 + (f/corner)^(2·order)).
	Butterworth int
}

func (b Band) validate() error {
	finite := func(f float64) bool { return f >= 0 && !math.IsInf(f, 0) }
	if !finite(b.Low) || !finite(b.High) || b.High > 0 && b.Low >= b.High {
		return fmt.Errorf("a band from %g to %g Hz is impossible: give 0 ≤ low < high, and 0 for an open side", b.Low, b.High)
	}
	if !(b.Flank >= 0 && b.Flank < 1) || b.Butterworth < 0 {
		return fmt.Errorf("flanks of %g times their corner and Butterworth order %d are impossible: give 0 ≤ flank < 1 and an order of 0 or more", b.Flank, b.Butterworth)
	}
	return nil
}

func (b Band) flank() float64 {
	if b.Flank == 0 {
		return 0.25
	}
	return b.Flank
}

// Amplitude returns the amplitude response at f Hz, between 0 and 1.
func (b Band) Amplitude(f float64) float64 {
	a := 1.0
	if b.High > 0 {
		a = b.below(f, b.High)
	}
	if b.Low > 0 {
		a *= 1 - b.below(f, b.Low)
	}
	return a
}

// below is a low-pass with the given corner.
func (b Band) below(f, corner float64) float64 {
	if b.Butterworth > 0 {
		return 1 / (1 + math.Pow(f/corner, float64(2*b.Butterworth)))
	}
	x := (f/corner - 1) / b.flank() // -1 … 1 across the flank
	return 0.5 - 0.5*math.Sin(math.Pi/2*min(max(x, -1), 1))
}

// memory returns the time in s after which the impulse response has fallen below about 1e-5 of its peak.
func (b Band) memory() float64 {
	corner := b.Low
	if corner == 0 {
		corner = b.High
	}
	if corner == 0 {
		return 0
	}
	if b.Butterworth > 0 {
		// The slowest pole decays as exp(-2π corner sin(π/2n) t).
		return 12 / (2 * math.Pi * corner * math.Sin(math.Pi/float64(4*b.Butterworth)*2))
	}
	return 10 / (2 * b.flank() * corner)
}

// Filter limits traces of one length and sampling to a band, with zero phase. It is linear and self-adjoint. Its methods may
// be called concurrently.
type Filter struct {
	band   Band
	nt     int
	padded int
	gain   []float64 // amplitude at each coefficient of the padded trace
}

// longestFilter bounds the padded trace: a corner so low that its response would be longer wraps round.
const longestFilter = 1 << 20

// NewFilter returns the filter for traces of nt samples every dt seconds. They are padded by the length of the filter's
// response, so that nothing wraps round.
func NewFilter(b Band, nt int, dt float64) (*Filter, error) {
	if err := b.validate(); err != nil {
		return nil, err
	}
	if nt < 1 || !(dt > 0) || math.IsInf(dt, 0) {
		return nil, fmt.Errorf("a filter needs traces, not %d samples every %g s", nt, dt)
	}
	if b.Low >= 0.5/dt {
		return nil, fmt.Errorf("the low corner %g Hz is not below the Nyquist frequency %g Hz", b.Low, 0.5/dt)
	}
	tail := math.Ceil(b.memory() / dt)
	padded := fastLength(nt + int(min(tail, longestFilter)))
	f := &Filter{band: b, nt: nt, padded: padded, gain: make([]float64, padded/2+1)}
	for k := range f.gain {
		f.gain[k] = b.Amplitude(float64(k) / (float64(padded) * dt))
	}
	return f, nil
}

// Band returns the pass band.
func (f *Filter) Band() Band { return f.band }

// Apply writes the filtered traces to dst, which may be src; both are [ntrace, nt].
func (f *Filter) Apply(dst, src []float32) error {
	if len(src)%f.nt != 0 || len(dst) != len(src) {
		return fmt.Errorf("the filter takes traces of %d samples, not %d values into %d", f.nt, len(src), len(dst))
	}
	if f.band.Low == 0 && f.band.High == 0 {
		copy(dst, src)
		return nil
	}
	s := acquireSpectrum(f.padded)
	defer s.release()
	for at := 0; at < len(src); at += f.nt {
		s.filter32(dst[at:at+f.nt], src[at:at+f.nt], f.gain)
	}
	return nil
}

// fastLength returns the smallest number not below n whose only prime factors are 2, 3 and 5.
func fastLength(n int) int {
	for ; ; n++ {
		rest := n
		for _, p := range []int{2, 3, 5} {
			for rest > 1 && rest%p == 0 {
				rest /= p
			}
		}
		if rest <= 1 {
			return max(n, 1)
		}
	}
}

// spectrum is a Fourier transform of one length with its own scratch; gonum's is not safe for concurrent use.
type spectrum struct {
	fft          *fourier.FFT
	trace        []float64
	coefficients []complex128
}

var spectra sync.Map // length → *sync.Pool of *spectrum

func acquireSpectrum(n int) *spectrum {
	pool, ok := spectra.Load(n)
	if !ok {
		pool, _ = spectra.LoadOrStore(n, &sync.Pool{New: func() any {
			return &spectrum{fourier.NewFFT(n), make([]float64, n), make([]complex128, n/2+1)}
		}})
	}
	return pool.(*sync.Pool).Get().(*spectrum)
}

func (s *spectrum) release() {
	pool, _ := spectra.Load(s.fft.Len())
	pool.(*sync.Pool).Put(s)
}

// load transforms a trace padded with zeros.
func (s *spectrum) load(src []float64) {
	clear(s.trace[copy(s.trace, src):])
	s.fft.Coefficients(s.coefficients, s.trace)
}

func (s *spectrum) load32(src []float32) {
	for i, v := range src {
		s.trace[i] = float64(v)
	}
	clear(s.trace[len(src):])
	s.fft.Coefficients(s.coefficients, s.trace)
}

// back transforms the coefficients to s.trace, up to the factor s.fft.Len().
func (s *spectrum) back() { s.fft.Sequence(s.trace, s.coefficients) }

// store transforms back and crops to dst.
func (s *spectrum) store(dst []float64) {
	s.back()
	scale := 1 / float64(s.fft.Len())
	for i := range dst {
		dst[i] = scale * s.trace[i]
	}
}

// filter32 multiplies the spectrum of a trace by a gain.
func (s *spectrum) filter32(dst, src []float32, gain []float64) {
	s.load32(src)
	scale := 1 / float64(s.fft.Len())
	for k, g := range gain {
		s.coefficients[k] *= complex(g*scale, 0)
	}
	s.back()
	for i := range dst {
		dst[i] = float32(s.trace[i])
	}
}
