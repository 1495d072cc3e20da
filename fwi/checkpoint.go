package fwi

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"gofwi/internal/h5"
	"gofwi/wave"
)

// Fingerprint identifies what a run computes: the prepared problem and the configuration, threads, memory and the folder for scratch files
// apart, which change no bit of the result, unless so little memory is left that storage auto rounds snapshots or steps fields back.
func Fingerprint(p *Problem, c Config) string {
	c.Threads, c.MemoryLimit, c.ScratchDir, c.Backend = 0, 0, "", ""
	h := sha256.New()
	h.Write(c.YAML())
	add := func(v []float32) {
		// binary.Write of a slice fails for no slice of float32
		_ = binary.Write(h, binary.LittleEndian, int64(len(v)))
		_ = binary.Write(h, binary.LittleEndian, v)
	}
	add(p.Start)
	add(p.Mask)
	if p.Density != nil {
		add(p.Density)
	}
	for _, g := range p.Observed {
		add(g)
	}
	for _, w := range p.Weights {
		add(w)
	}
	_ = binary.Write(h, binary.LittleEndian, p.Survey.DT)
	for _, s := range p.Survey.Shots {
		for _, position := range append(append([]wave.Position{}, s.Sources...), s.Receivers...) {
			_ = binary.Write(h, binary.LittleEndian, []float64(position))
		}
		for _, w := range s.Wavelets {
			add(w)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// scalars of a snapshot, kept as JSON, which holds them to the bit.
type snapshotScalars struct {
	Fingerprint     string
	Stage, Batch    int
	WaveletAt       int
	BestMisfit      float64
	BestAttempt     int
	HeardBefore     float64
	BatchSize       int
	BatchDrawn      bool
	Solves, Seconds float64
	Shots           []int
	Method          *State
	Learned         *Learned
	Leaps           []Leap
	Recent          []Iterate
	Proposing       float64
	History         []historyLine
}

// historyLine is a Record whose model error may be missing: JSON has no NaN.
type historyLine struct {
	Record
	ModelRMS *float64
}

// SaveSnapshot writes a checkpoint in place of the one before, which survives if that fails.
func SaveSnapshot(path, fingerprint string, s *Snapshot) error {
	f, err := h5.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	scalars := snapshotScalars{fingerprint, s.Stage, s.Batch, s.WaveletAt, s.BestMisfit, s.BestAttempt, s.HeardBefore, s.BatchSize, s.BatchDrawn, s.Solves, s.Seconds, s.Shots, s.Method, s.Learned, s.Leaps, s.Recent, s.Proposing, nil}
	for _, r := range s.History {
		line := historyLine{Record: r}
		if !math.IsNaN(r.ModelRMS) {
			line.ModelRMS = &r.ModelRMS
		}
		line.Record.ModelRMS = 0
		scalars.History = append(scalars.History, line)
	}
	text, err := json.Marshal(scalars)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	err = f.WriteString("/state", string(text))
	array := func(name string, v []float32) {
		if len(v) > 0 {
			err = errors.Join(err, f.WriteFloat32(name, v, []int{len(v)}, h5.NoCompression))
		}
	}
	array("/base", s.Base)
	array("/fork", s.Fork)
	array("/best", s.Best)
	array("/illumination", s.Illumination)
	array("/wavelet", s.Wavelet)
	array("/heard", s.Heard)
	if s.Method != nil {
		for name, v := range s.Method.Arrays() {
			array("/method/"+name, *v)
		}
	}
	for i, r := range s.Recent {
		array(fmt.Sprintf("/recent/%d/model", i), r.Model)
		array(fmt.Sprintf("/recent/%d/gradient", i), r.Gradient)
	}
	if s.Learned != nil {
		array("/learned/s", s.Learned.S)
		array("/learned/y", s.Learned.Y)
	}
	if err != nil {
		return err
	}
	return f.Commit()
}

// LoadSnapshot reads a checkpoint, which must belong to the run with the given fingerprint.
func LoadSnapshot(path, fingerprint string) (*Snapshot, error) {
	f, err := h5.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := f.ReadString("/state")
	if err != nil {
		return nil, err
	}
	var scalars snapshotScalars
	if err := json.Unmarshal([]byte(text), &scalars); err != nil {
		return nil, fmt.Errorf("%s: /state is not what a checkpoint holds: %w", path, err)
	}
	if scalars.Fingerprint != fingerprint {
		return nil, fmt.Errorf("%s belongs to another problem or configuration: it cannot be resumed with these", path)
	}
	s := &Snapshot{Stage: scalars.Stage, Batch: scalars.Batch, BatchSize: scalars.BatchSize, BatchDrawn: scalars.BatchDrawn, WaveletAt: scalars.WaveletAt, BestMisfit: scalars.BestMisfit, BestAttempt: scalars.BestAttempt, HeardBefore: scalars.HeardBefore, Solves: scalars.Solves, Seconds: scalars.Seconds, Shots: scalars.Shots, Method: scalars.Method,
		Learned: scalars.Learned, Leaps: scalars.Leaps, Recent: scalars.Recent, Proposing: scalars.Proposing}
	for _, line := range scalars.History {
		r := line.Record
		r.ModelRMS = math.NaN()
		if line.ModelRMS != nil {
			r.ModelRMS = *line.ModelRMS
		}
		s.History = append(s.History, r)
	}
	array := func(name string, to *[]float32) {
		if err == nil && f.Exists(name) {
			*to, _, err = f.ReadFloat32(name)
		}
	}
	array("/base", &s.Base)
	array("/fork", &s.Fork)
	array("/best", &s.Best)
	array("/illumination", &s.Illumination)
	array("/wavelet", &s.Wavelet)
	array("/heard", &s.Heard)
	if s.Method != nil {
		for name, v := range s.Method.Arrays() {
			array("/method/"+name, v)
		}
	}
	for i := range s.Recent {
		array(fmt.Sprintf("/recent/%d/model", i), &s.Recent[i].Model)
		array(fmt.Sprintf("/recent/%d/gradient", i), &s.Recent[i].Gradient)
	}
	if s.Learned != nil {
		array("/learned/s", &s.Learned.S)
		array("/learned/y", &s.Learned.Y)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}
