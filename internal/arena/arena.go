package arena

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Options say what to compare. Every combination is a case.
type Options struct {
	Models  []string // HDF5 files, "generated", "generated:KIND" or "generated:KIND:SEED"; nil: generated
	Methods []string // see FindMethod; the first is what the others are compared with
	Starts  []string // as fwi.Config.Start; nil: the model's own or the default
	Noise   []float64
	Seeds   int // realisations of the noise, and of generated:KIND. 0: 1
	Out     string
	Quick   bool // small sections, eight of them instead of 24
	Threads int
	Version string // of the program; results of another are computed anew
	Say     func(format string, args ...any)
}

// Run computes the cases that Out does not hold yet and writes the tables, figures and the page. When the context ends, what is
// finished stays. It returns the comparison's last line.
func Run(ctx context.Context, o Options) (string, error) {
	say := o.Say
	if say == nil {
		say = func(string, ...any) {}
	}
	methods, settings, err := o.resolve()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(o.Out, "cases")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	co := caseOptions{quick: o.Quick, threads: o.Threads}
	var results []*Result
	var ready *prepared
	var judge *score
	defer func() {
		if judge != nil {
			judge.close()
		}
	}()
	total := len(settings) * len(methods)
	for _, s := range settings {
		var failure error // of what the methods share
		tried := false
		for _, m := range methods {
			path := filepath.Join(folder, s.name()+"-"+m.Name+".json")
			key := o.key(s, m)
			done := load(path, key)
			if done == nil {
				if !tried {
					tried = true
					if judge != nil {
						judge.close()
						judge = nil
					}
					var next *prepared
					if next, failure = prepare(ctx, s, ready, o.Quick, o.Threads); failure == nil {
						ready = next
						judge, failure = newScore(ctx, ready)
					}
				}
				if ctx.Err() != nil {
					return "", interrupted(ctx, len(results), total)
				}
				if failure != nil {
					done = &Result{Setting: s, Method: m.Name, Failed: failure.Error()}
				} else if done, err = runCase(ctx, ready, judge, m, co); err != nil {
					return "", interrupted(ctx, len(results), total)
				}
				done.Key = key
				if err := done.save(path); err != nil {
					return "", err
				}
				say("%d/%d %s, %s: %s", len(results)+1, total, s.name(), m.Name, done.line())
			}
			results = append(results, done)
		}
	}
	return report(o, methods, settings, results)
}

func interrupted(ctx context.Context, done, of int) error {
	return fmt.Errorf("interrupted after %d of %d cases; the same command goes on: %w", done, of, ctx.Err())
}

func (r *Result) line() string {
	if r.Failed != "" {
		return "not solved: " + r.Failed
	}
	last := r.Evaluations[0]
	for _, e := range r.Evaluations {
		if finite(float64(e.Misfit)) {
			last = e
		}
	}
	text := fmt.Sprintf("J/J0 %.4f after %.0f solves, %.1f s", float64(last.Misfit), float64(last.SolvesInAll), float64(last.Seconds))
	if first := r.Evaluations[0]; finite(float64(first.ModelRMS)) {
		text += fmt.Sprintf(", model error %.0f of %.0f m/s", float64(last.ModelRMS), float64(first.ModelRMS))
	}
	if r.Proposed > 0 {
		text += fmt.Sprintf(", %d of %d leaps", r.Accepted, r.Proposed)
	}
	return text
}

// key identifies what a case computes, as far as it is known before it is computed.
func (o Options) key(s setting, m Method) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %t %q", fmt.Sprint(s), m.Configuration, m.Proposer, o.Quick, o.Version)
	if !strings.HasPrefix(s.Model, "generated:") {
		if f, err := os.Stat(s.Model); err == nil {
			fmt.Fprintf(h, " %d %d", f.Size(), f.ModTime().UnixNano())
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// resolve checks everything that can be checked before the first case.
func (o *Options) resolve() ([]Method, []setting, error) {
	if o.Out == "" {
		return nil, nil, errors.New("no folder for the results is given")
	}
	if o.Seeds == 0 {
		o.Seeds = 1
	}
	if o.Seeds < 1 {
		return nil, nil, fmt.Errorf("%d seeds are impossible", o.Seeds)
	}
	if len(o.Models) == 0 {
		o.Models = []string{"generated"}
	}
	if len(o.Starts) == 0 {
		o.Starts = []string{""}
	}
	if len(o.Noise) == 0 {
		o.Noise = []float64{0}
	}
	var methods []Method
	for _, text := range o.Methods {
		m, err := FindMethod(text)
		if err != nil {
			return nil, nil, err
		}
		if slices.ContainsFunc(methods, func(other Method) bool { return other.Name == m.Name }) {
			return nil, nil, fmt.Errorf("the method %s is named twice", m.Name)
		}
		methods = append(methods, m)
	}
	if len(methods) < 2 {
		return nil, nil, fmt.Errorf("%d methods are no comparison: name two or more, the first is what the others are compared with", len(methods))
	}
	models, err := expandModels(o.Models, o.Seeds, o.Quick)
	if err != nil {
		return nil, nil, err
	}
	names := map[string]bool{}
	var settings []setting
	for _, m := range models {
		if !strings.HasPrefix(m, "generated:") {
			if _, err := os.Stat(m); err != nil {
				return nil, nil, fmt.Errorf("model: %w", err)
			}
		}
		for _, start := range o.Starts {
			for _, noise := range o.Noise {
				if !(noise >= 0) || math.IsInf(noise, 0) {
					return nil, nil, fmt.Errorf("noise %g is impossible: it is a fraction of the data's RMS", noise)
				}
				for seed := range o.Seeds {
					if noise == 0 && seed > 0 {
						continue // nothing is drawn
					}
					s := setting{Model: m, Start: start, Noise: noise, Seed: uint64(seed + 1)}
					if names[s.name()] {
						return nil, nil, fmt.Errorf("two cases would be called %s: rename one of the files", s.name())
					}
					names[s.name()] = true
					settings = append(settings, s)
				}
			}
		}
	}
	return methods, settings, nil
}
