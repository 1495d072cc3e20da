package fwi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"gofwi/wave"
)

// Config is everything that a run can be told. The zero value of a field is its default; Prepare fills the defaults in, and a
// resolved configuration, fed back, gives the same run.
type Config struct {
	// Start is the starting model: "file" is the problem's own, "smooth:500m" smooths the truth with a Gaussian of that standard
	// deviation, "gradient" fits v = a + b·depth to the truth below the water, anything else is an HDF5 file with /vp.
	// "" is file where the problem holds one, else smooth:500m.
	Start string `yaml:"start,omitempty"`
	// Acquisition is the survey made for a bare velocity model; ignored where the problem has one.
	Acquisition Acquisition `yaml:"acquisition,omitempty"`
	// Order of the inversion's propagator in space: 2, 4, 6, 8. 0 is 8.
	Order int `yaml:"order,omitempty"`
	// Layer is the width in cells of the absorbing layers. 0 is 10, in 3D, where they are most of a small model, 8: with
	// CPML their reflection stays below 1e-3 (docs/verification.md).
	Layer int `yaml:"layer,omitempty"`
	// FreeSurface makes the top of the grid a free surface instead of absorbing.
	FreeSurface bool `yaml:"free_surface,omitempty"`
	// MinVelocity and MaxVelocity bound the model in m/s. 0: 0.85 of the slowest and 1.4 of the fastest of the start model,
	// rounded outwards to 50 m/s.
	MinVelocity float64 `yaml:"min_velocity,omitempty"`
	MaxVelocity float64 `yaml:"max_velocity,omitempty"`
	// Misfit is least-squares, trace-normalised, envelope, adaptive, transport, correlation or student-t. "" is least-squares.
	Misfit string `yaml:"misfit,omitempty"`
	// TimeGain multiplies observed and synthetic traces by (t/duration)^TimeGain before they are compared. 0 is none.
	TimeGain float64 `yaml:"time_gain,omitempty"`
	// Balance lets least squares hear weak arrivals: they divide samples by the observed trace's RMS around them to this power. 0 is 0.6, 1 would make
	// all arrivals alike, negative leaves them as they are. Encoded shots and other misfits are not balanced.
	Balance float64 `yaml:"balance,omitempty"`
	// RejectTraces, if positive, leaves out traces whose RMS is so many times larger or smaller than the median of the nine receivers around.
	RejectTraces float64 `yaml:"reject_traces,omitempty"`
	// Method is lbfgs, gauss-newton, anderson, bb, cg or descent (NewMethod). "" is lbfgs.
	Method string `yaml:"method,omitempty"`
	// GaussNewton is for the method gauss-newton.
	GaussNewton GaussNewtonConfig `yaml:"gauss_newton,omitempty"`
	// Memory is the number of pairs that L-BFGS keeps. 0 is 20.
	Memory int `yaml:"memory,omitempty"`
	// FirstChange is the largest velocity change in m/s of the first step of a stage, gauss-newton apart. 0 is 80.
	FirstChange float64 `yaml:"first_change,omitempty"`
	// MaxChange is the largest velocity change in m/s of any step. 0 is 400.
	MaxChange float64 `yaml:"max_change,omitempty"`
	// Preconditioner weights the gradient by the inverse of the illumination.
	Preconditioner PreconditionerConfig `yaml:"preconditioner,omitempty"`
	// Regularisation says what is known of the model besides the data.
	Regularisation RegularisationConfig `yaml:"regularisation,omitempty"`
	// EstimateWavelet lets each stage begin by fitting the source wavelet to the observed data (a Wiener filter common to all shots).
	EstimateWavelet bool `yaml:"estimate_wavelet,omitempty"`
	// WaveletEvery, if positive, fits it again after so many iterations of a stage: the better the model, the better the wavelet.
	WaveletEvery int `yaml:"wavelet_every,omitempty"`
	// WaveletLength in s is how far before and after its time zero the filter that makes an estimated wavelet of the given one may reach. 0: as far as the record.
	WaveletLength float64 `yaml:"wavelet_length,omitempty"`
	// PointsPerWavelength of a stage's grid at its highest frequency and the slowest velocity, a third more down. 0 is 3.2; with a density it is at least 4.
	PointsPerWavelength float64 `yaml:"points_per_wavelength,omitempty"`
	// Dispersion says what to do when the user's own grid is coarser than PointsPerWavelength asks: "warn" or "refuse". "" is warn.
	Dispersion string `yaml:"dispersion,omitempty"`
	// Stages is the multiscale schedule, one row a stage. Empty: made from the band of the data.
	Stages []Stage `yaml:"stages,omitempty"`
	// AttemptMisfit is the misfit, above what noise leaves, at which an attempt of the schedule has found the way, and those after it are left out. 0 is 0.002: least squares
	// that leave 0.4 % of the energy unexplained.
	AttemptMisfit float64 `yaml:"attempt_misfit,omitempty"`
	// Iterations, if positive, caps the iterations of every stage.
	Iterations int `yaml:"iterations,omitempty"`
	// Seed of everything drawn at random.
	Seed uint64 `yaml:"seed,omitempty"`
	// Threads is the number of processors to use, for shots side by side or inside a shot. 0 is all.
	Threads int `yaml:"threads,omitempty"`
	// MemoryLimit in bytes. 0 is three quarters of what the system has available.
	MemoryLimit int `yaml:"memory_limit,omitempty"`
	// Storage of the forward field: auto, or one of wave.StorageNames. "" is auto: the fastest that fits into the memory.
	Storage string `yaml:"storage,omitempty"`
	// ScratchDir is where storage disk makes its files. "" is the system's folder for temporary files.
	ScratchDir string `yaml:"scratch_dir,omitempty"`
	// Backend is auto, cpu or cuda. "" is auto: GPUs where there are any.
	Backend string `yaml:"backend,omitempty"`
}

// Acquisition is a surface survey with a fixed spread: every shot is heard by all receivers. Over a 3D model both cover the area, on
// lattices of about as many points as are asked for.
type Acquisition struct {
	Shots         int     `yaml:"shots,omitempty"`          // 0: one every 320 m, a multiple of 4, 12 to 48; 3D: one every 600 m along y and x, 3 to 8 each
	Receivers     int     `yaml:"receivers,omitempty"`      // 0: one every 25 m, at most 400; 3D: one every 100 m along y and x, at most 41 each
	SourceDepth   float64 `yaml:"source_depth,omitempty"`   // m, 0: 10, or one cell if that is more
	ReceiverDepth float64 `yaml:"receiver_depth,omitempty"` // m, 0: as the sources
	Duration      float64 `yaml:"duration,omitempty"`       // s, 0: until the base's reflections at long offset have come
	DT            float64 `yaml:"dt,omitempty"`             // s, 0: 0.004
	MinFrequency  float64 `yaml:"min_frequency,omitempty"`  // Hz, 0: 3; the source emits nothing below
	MaxFrequency  float64 `yaml:"max_frequency,omitempty"`  // Hz, 0: 25, in 3D 8; nor above
	Noise         float64 `yaml:"noise,omitempty"`          // standard deviation of white noise in the band as a fraction of the RMS of the data
}

// PreconditionerConfig: P = (S + Floor)^-Power with the illumination S, smoothed and divided by its mean below the water.
type PreconditionerConfig struct {
	Power     float64 `yaml:"power,omitempty"`     // 0 is 0.75; negative switches the preconditioner off
	Floor     float64 `yaml:"floor,omitempty"`     // 0 is 0.01
	Receivers bool    `yaml:"receivers,omitempty"` // S is multiplied by what the receivers hear of each cell, as in a homogeneous medium (Plessix & Mulder 2004)
	Depth     float64 `yaml:"depth,omitempty"`     // raises the relative depth to this power; 0 leaves it out
	Smoothing float64 `yaml:"smoothing,omitempty"` // of the gradient, as a fraction of the stage's shortest wavelength; 0 is 0.2, negative none
}

// GaussNewtonConfig bounds what a direction of the method gauss-newton costs.
type GaussNewtonConfig struct {
	Products int `yaml:"products,omitempty"` // with the Hessian, at most, four solves each; 0 is 5
	Shots    int `yaml:"shots,omitempty"`    // that stand for the survey in them; 0 is all
}

// Stage is a row of the schedule.
type Stage struct {
	MinFrequency   float64 `yaml:"min_frequency"`             // Hz, pass band of the data; 0: no high-pass
	MaxFrequency   float64 `yaml:"max_frequency"`             // Hz
	Iterations     int     `yaml:"iterations"`                // at most
	Every          int     `yaml:"every,omitempty"`           // hears every so many-th shot, the same throughout the stage, in turns with other stages; 0: all
	Shots          int     `yaml:"shots,omitempty"`           // size of the mini-batches, 0: all shots
	Variance       float64 `yaml:"variance,omitempty"`        // mini-batches grow while gradients of two differ by more than this fraction, 0: they do not
	Encoded        int     `yaml:"encoded,omitempty"`         // sums of all shots with random signs, so many, in place of the shots; drawn anew every four iterations
	MinOffset      float64 `yaml:"min_offset,omitempty"`      // m, 0: all
	MaxOffset      float64 `yaml:"max_offset,omitempty"`      // m, 0: all
	Window         Window  `yaml:"window,omitempty"`          // in time: a mute, or the surroundings of the first arrivals
	Damping        float64 `yaml:"damping,omitempty"`         // s: traces decay as exp(-t/Damping) after their first arrival, 0: they do not
	Misfit         string  `yaml:"misfit,omitempty"`          // "": as the run
	MinCorrelation float64 `yaml:"min_correlation,omitempty"` // leaves out traces whose synthetics, in the model that the stage begins with, correlate less than so with the observed ones; 0: none. Of stages in a row that differ in this choice alone, those that would hear less than 5 % more of the traces are left out
	Attempt        int     `yaml:"attempt,omitempty"`         // consecutive stages with the same number are one of several attempts from the same model; 0: none
	Tikhonov       float64 `yaml:"tikhonov,omitempty"`        // factor of the run's Tikhonov regularisation; 0: 1, negative: 0
	Tolerance      float64 `yaml:"tolerance,omitempty"`       // ends when an iteration lowers the misfit by less than this fraction; 0: 0.001
}

// Merge reads YAML over the configuration: keys that it names are set, others stay. Unknown keys are errors.
func (c *Config) Merge(text []byte) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

// YAML returns the configuration in the form that Merge reads.
func (c Config) YAML() []byte {
	text, err := yaml.Marshal(c)
	if err != nil {
		panic(err) // a struct of numbers and strings
	}
	return text
}

// Defaults that depend on the number of axes: the cost grows with the third power of the frequency in 2D, with the fourth in 3D.
const (
	layer2D, layer3D                   = 10, 8 // cells
	lastIterations2D, lastIterations3D = 11, 8 // of the default schedule's last stage: sections hear a part of their shots (thinShots)
	maxFrequency2D, maxFrequency3D     = 25, 8 // Hz
)

// Points per wavelength with differences made for them, and with Taylor's.
const bandPoints, taylorPoints = 3.2, 4

// points returns the points per wavelength of a problem's grids: with Taylor's differences, which a density asks for, no fewer than they need.
func (c Config) points(p *Problem) float64 {
	if p.Density != nil {
		return max(c.PointsPerWavelength, taylorPoints)
	}
	return c.PointsPerWavelength
}

// defaultsFor fills in the defaults of a volume that differ from those of a section.
func (c Config) defaultsFor(g wave.Grid) Config {
	if g.Axes() < 3 {
		return c
	}
	if c.Layer == 0 {
		c.Layer = layer3D
	}
	if c.Acquisition.MaxFrequency == 0 {
		c.Acquisition.MaxFrequency = maxFrequency3D
	}
	return c
}

// withDefaults fills in the defaults that do not depend on the problem and checks the rest.
func (c Config) withDefaults() (Config, error) {
	setFloat := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	setInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	setString := func(v *string, d string) {
		if *v == "" {
			*v = d
		}
	}
	setString(&c.Start, "smooth:500m")
	setInt(&c.Order, 8)
	setInt(&c.Layer, layer2D)
	setString(&c.Misfit, "least-squares")
	setString(&c.Method, "lbfgs")
	if c.Method == "gauss-newton" {
		setInt(&c.GaussNewton.Products, 5)
	}
	setInt(&c.Memory, 20)
	setFloat(&c.FirstChange, 80)
	setFloat(&c.MaxChange, 400)
	setFloat(&c.AttemptMisfit, 0.002)
	setFloat(&c.Balance, 0.6)
	setFloat(&c.Preconditioner.Power, 0.75)
	setFloat(&c.Preconditioner.Floor, 0.01)
	setFloat(&c.Preconditioner.Smoothing, 0.2)
	setFloat(&c.PointsPerWavelength, bandPoints)
	setString(&c.Dispersion, "warn")
	setString(&c.Storage, autoStorage)
	setString(&c.Backend, wave.Auto)
	a := &c.Acquisition
	setFloat(&a.DT, 0.004)
	setFloat(&a.MinFrequency, 3)
	setFloat(&a.MaxFrequency, maxFrequency2D)

	oneOf := func(name, value string, choices ...string) error {
		for _, x := range choices {
			if value == x {
				return nil
			}
		}
		return fmt.Errorf("%s %q is unknown: choose %s", name, value, strings.Join(choices, ", "))
	}
	finite := func(name string, v float64) error {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%s is %g: it must be a number", name, v)
		}
		return nil
	}
	bad := func(name string, v float64) error {
		if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			return fmt.Errorf("%s is %g: it must be a positive number", name, v)
		}
		return nil
	}
	err := errors.Join(
		oneOf("misfit", c.Misfit, MisfitNames()...), oneOf("method", c.Method, MethodNames()...), oneOf("dispersion", c.Dispersion, "warn", "refuse"),
		oneOf("storage", c.Storage, append(wave.StorageNames(), autoStorage)...), oneOf("backend", c.Backend, wave.Auto, wave.CPU, wave.CUDA),
		bad("min_velocity", c.MinVelocity), bad("max_velocity", c.MaxVelocity), bad("first_change", c.FirstChange), bad("time_gain", c.TimeGain), bad("reject_traces", c.RejectTraces), bad("attempt_misfit", c.AttemptMisfit), bad("max_change", c.MaxChange), bad("wavelet_length", c.WaveletLength), bad("wavelet_every", float64(c.WaveletEvery)),
		finite("balance", c.Balance), finite("regularisation tikhonov", c.Regularisation.Tikhonov), finite("regularisation smoothing", c.Regularisation.Smoothing), bad("regularisation horizontal", c.Regularisation.Horizontal), bad("regularisation total_variation", c.Regularisation.TotalVariation),
		oneOf("regularisation reference", c.Regularisation.Reference, "", "model", "start"), bad("points_per_wavelength", c.PointsPerWavelength), bad("preconditioner floor", c.Preconditioner.Floor), bad("preconditioner depth", c.Preconditioner.Depth),
		bad("memory", float64(c.Memory)), bad("gauss_newton products", float64(c.GaussNewton.Products)), bad("gauss_newton shots", float64(c.GaussNewton.Shots)), bad("iterations", float64(c.Iterations)), bad("threads", float64(c.Threads)), bad("memory_limit", float64(c.MemoryLimit)),
		bad("shots", float64(a.Shots)), bad("receivers", float64(a.Receivers)), bad("source_depth", a.SourceDepth), bad("receiver_depth", a.ReceiverDepth),
		bad("duration", a.Duration), bad("dt", a.DT), bad("min_frequency", a.MinFrequency), bad("max_frequency", a.MaxFrequency), bad("noise", a.Noise))
	if a.MinFrequency >= a.MaxFrequency || a.MaxFrequency >= 0.4/a.DT {
		err = errors.Join(err, fmt.Errorf("a source from %g to %g Hz is impossible with samples every %g s: 0 < min_frequency < max_frequency < %g Hz",
			a.MinFrequency, a.MaxFrequency, a.DT, 0.4/a.DT))
	}
	if c.RejectTraces > 0 && c.RejectTraces <= 1 {
		err = errors.Join(err, fmt.Errorf("reject_traces is %g: a factor above 1", c.RejectTraces))
	}
	if c.MaxVelocity > 0 && c.MinVelocity >= c.MaxVelocity {
		err = errors.Join(err, fmt.Errorf("min_velocity %g m/s is not below max_velocity %g m/s", c.MinVelocity, c.MaxVelocity))
	}
	if c.Method == "gauss-newton" {
		for _, name := range append([]string{c.Misfit}, stageMisfits(c.Stages)...) {
			if m, e := NewMisfit(name, MisfitOptions{}); e == nil {
				_, e = linearise(m)
				err = errors.Join(err, e)
			}
		}
	}
	for i, s := range c.Stages {
		if !(s.MaxFrequency > s.MinFrequency) || !(s.MinFrequency >= 0) || s.Iterations < 1 || s.Shots < 0 || s.MaxOffset < 0 || !(s.Damping >= 0) || math.IsNaN(s.Tikhonov) || math.IsInf(s.Tikhonov, 0) || s.Tolerance < 0 || !(s.Variance >= 0) || s.Variance > 0 && s.Shots == 0 {
			err = errors.Join(err, fmt.Errorf("stage %d is impossible: %g to %g Hz, %d iterations, %d shots, offsets to %g m, tolerance %g, variance %g (which needs shots to begin with)",
				i+1, s.MinFrequency, s.MaxFrequency, s.Iterations, s.Shots, s.MaxOffset, s.Tolerance, s.Variance))
		}
		if s.Every < 0 || s.Every > 1 && (s.Shots > 0 || s.Encoded > 0) {
			err = errors.Join(err, fmt.Errorf("stage %d hears every %d-th shot, in mini-batches of %d and %d encoded ones: no fewer than 0, and one of the three", i+1, s.Every, s.Shots, s.Encoded))
		}
		if !(s.MinCorrelation >= 0) || s.MinCorrelation >= 1 {
			err = errors.Join(err, fmt.Errorf("stage %d wants traces that correlate by %g or more: 0, for all, or a number below 1", i+1, s.MinCorrelation))
		}
		if !(s.MinOffset >= 0) || s.MaxOffset > 0 && s.MinOffset >= s.MaxOffset {
			err = errors.Join(err, fmt.Errorf("stage %d hears offsets from %g to %g m: none", i+1, s.MinOffset, s.MaxOffset))
		}
		if w := s.Window; !(w.Velocity >= 0) || !(w.Taper >= 0) || w.End != 0 && !(w.End > w.Begin) || w.End < 0 || w.Velocity > 0 && w.FirstArrival || math.IsNaN(w.Begin) {
			err = errors.Join(err, fmt.Errorf("stage %d: a window from %g to %g s after %g m/s or the first arrival (%t), with a taper of %g s, is impossible: begin < end, 0 < end, one reference, nothing negative but begin",
				i+1, w.Begin, w.End, w.Velocity, w.FirstArrival, w.Taper))
		}
		misfit := s.Misfit
		if misfit == "" {
			misfit = c.Misfit
		}
		if e := s.checkEncoded(c, misfit); e != nil {
			err = errors.Join(err, fmt.Errorf("stage %d: %w", i+1, e))
		}
		if s.Misfit != "" {
			err = errors.Join(err, oneOf(fmt.Sprintf("stage %d: misfit", i+1), s.Misfit, MisfitNames()...))
		}
	}
	return c, errors.Join(err, checkAttempts(c.Stages))
}

// stageMisfits returns the misfits that stages name.
func stageMisfits(stages []Stage) []string {
	var names []string
	for _, s := range stages {
		if s.Misfit != "" {
			names = append(names, s.Misfit)
		}
	}
	return names
}

// smoothStart returns the standard deviation in metres of a start "smooth:500m", and whether it is one.
func smoothStart(start string) (sigma float64, ok bool, err error) {
	text, ok := strings.CutPrefix(start, "smooth:")
	if !ok {
		return 0, false, nil
	}
	text = strings.TrimSpace(text)
	scale := 1.0
	if t, km := strings.CutSuffix(text, "km"); km {
		text, scale = t, 1000
	} else {
		text = strings.TrimSuffix(text, "m")
	}
	sigma, err = strconv.ParseFloat(text, 64)
	if err != nil || !(sigma > 0) || math.IsInf(sigma, 0) {
		return 0, true, fmt.Errorf("start %q: write the width of the Gaussian in metres, as in smooth:500m", start)
	}
	return sigma * scale, true, nil
}
