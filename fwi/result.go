package fwi

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"gofwi/internal/h5"
)

// Summary is what summary.json holds. Model errors are RMS differences from the truth in m/s below the water; they and the
// similarities are absent where the truth is unknown.
type Summary struct {
	ModelRMSStart *float64 `json:"model_rms_start,omitempty"`
	ModelRMSFinal *float64 `json:"model_rms_final,omitempty"`
	SSIMStart     *float64 `json:"ssim_start,omitempty"`
	SSIMFinal     *float64 `json:"ssim_final,omitempty"`
	MisfitStart   float64  `json:"misfit_start"` // of the whole band
	MisfitFinal   float64  `json:"misfit_final"`
	// How well the data of the whole band are fitted (Fit): all that can be said of field data, whose truth nobody knows.
	ExplainedStart   float64   `json:"explained_start"`
	ExplainedFinal   float64   `json:"explained_final"`
	CorrelationStart []float64 `json:"correlation_start"` // of each shot
	CorrelationFinal []float64 `json:"correlation_final"`
	WaveSolves       float64   `json:"wave_solves"` // per shot
	WallSeconds      float64   `json:"wall_seconds"`
	Backend          string    `json:"backend"`
	Iterations       int       `json:"iterations"`
	LeapsProposed    int       `json:"leaps_proposed"`
	LeapsAccepted    int       `json:"leaps_accepted"`
	LowFrequencies   bool      `json:"lowfreq"`
	Stages           int       `json:"stages"`
	Version          string    `json:"version"`
}

// Summarise scores an outcome. start and final are the fits of the whole band.
func Summarise(p *Problem, o *Outcome, start, final Fit, backend, version string) (Summary, error) {
	s := Summary{MisfitStart: start.Misfit, MisfitFinal: final.Misfit, ExplainedStart: start.Explained, ExplainedFinal: final.Explained,
		CorrelationStart: start.Correlation, CorrelationFinal: final.Correlation, WaveSolves: o.Solves, WallSeconds: o.Seconds, Backend: backend,
		Iterations: o.Iterations, Version: version, LeapsProposed: len(o.Leaps)}
	for _, l := range o.Leaps {
		if l.Accepted {
			s.LeapsAccepted++
		}
	}
	if n := len(o.History); n > 0 {
		s.Stages = o.History[n-1].Stage + 1
	}
	if p.Truth == nil {
		return s, nil
	}
	scored := p.Scored()
	for _, q := range []struct {
		model []float32
		rms   **float64
		ssim  **float64
	}{{p.Start, &s.ModelRMSStart, &s.SSIMStart}, {o.Model, &s.ModelRMSFinal, &s.SSIMFinal}} {
		rms, err := ModelRMS(q.model, p.Truth, scored)
		if err != nil {
			return s, err
		}
		ssim, err := SSIM(q.model, p.Truth, scored, p.Grid.Shape, 0)
		if err != nil {
			ssim = math.NaN() // a truth without contrast has no structure to be similar to
		}
		*q.rms = &rms
		if !math.IsNaN(ssim) {
			*q.ssim = &ssim
		}
	}
	return s, nil
}

// WriteResult writes result.h5: the final model, the start, the history, the resolved configuration and the version.
func WriteResult(path string, p *Problem, c Config, o *Outcome, version string) error {
	f, err := h5.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	err = errors.Join(writeModel(f, "/vp", p.Grid, o.Model), writeModel(f, "/start/vp", p.Grid, p.Start))
	if p.Truth != nil {
		err = errors.Join(err, writeModel(f, "/true/vp", p.Grid, p.Truth))
	}
	if n := len(o.History); n > 0 {
		column := func(name string, of func(Record) float64) {
			v := make([]float64, n)
			for i, r := range o.History {
				v[i] = of(r)
			}
			err = errors.Join(err, f.WriteFloat64("/history/"+name, v, []int{n}, h5.NoCompression))
		}
		column("stage", func(r Record) float64 { return float64(r.Stage + 1) })
		column("iteration", func(r Record) float64 { return float64(r.Iteration) })
		column("wave_solves", func(r Record) float64 { return r.Solves })
		column("seconds", func(r Record) float64 { return r.Seconds })
		column("misfit", func(r Record) float64 { return r.Misfit })
		if p.Truth != nil {
			column("model_rms", func(r Record) float64 { return r.ModelRMS })
		}
	}
	err = errors.Join(err, f.WriteString("/configuration", string(c.YAML())), f.SetAttr("/", "version", version), f.SetAttr("/", "title", strings.TrimSpace(p.Title+" (inverted)")))
	if err != nil {
		return err
	}
	return f.Commit()
}

// WriteSummary writes summary.json.
func WriteSummary(path string, s Summary) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return WriteFile(path, append(text, '\n'))
}

// WriteFile writes a small file in place of an older one, which survives if that fails.
func WriteFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}
