package arena

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gofwi/fwi"
	"gofwi/internal/h5"
	"gofwi/internal/plot"
)

// Files that a comparison leaves in its folder, beside cases/.
const (
	csvFile      = "evaluations.csv"
	h5File       = "evaluations.h5"
	pageFile     = "README.md"
	curvesFile   = "curves.png"
	profilesFile = "profiles.png"
)

// report writes everything and returns the last line.
func report(o Options, methods []Method, settings []setting, results []*Result) (string, error) {
	c := compare(len(settings), len(methods), results, 0, 1, solves)
	line := fmt.Sprintf("speedup_median=%.2f speedup_worst=%.2f solved=%d/%d", c.median, c.worst, c.solved, c.of)
	err := errors.Join(writeCSV(filepath.Join(o.Out, csvFile), results), writeH5(filepath.Join(o.Out, h5File), methods, results),
		drawCurves(filepath.Join(o.Out, curvesFile), methods, len(settings), results),
		drawProfiles(filepath.Join(o.Out, profilesFile), methods, len(settings), results))
	if err != nil {
		return line, err
	}
	return line, fwi.WriteFile(filepath.Join(o.Out, pageFile), []byte(page(o, methods, settings, results, line)))
}

// columns of the tables, numbers only.
var columns = []struct {
	name string
	of   func(Evaluation) float64
}{
	{"stage", func(e Evaluation) float64 { return float64(e.Stage) }},
	{"iteration", func(e Evaluation) float64 { return float64(e.Iteration) }},
	{"solves", func(e Evaluation) float64 { return float64(e.Solves) }},
	{"solves_with_inference", func(e Evaluation) float64 { return float64(e.SolvesInAll) }},
	{"solves_times_shots", func(e Evaluation) float64 { return float64(e.ShotSolves) }},
	{"seconds", func(e Evaluation) float64 { return float64(e.Seconds) }},
	{"inference_seconds", func(e Evaluation) float64 { return float64(e.Inference) }},
	{"stage_misfit", func(e Evaluation) float64 { return float64(e.StageMisfit) }},
	{"misfit", func(e Evaluation) float64 { return float64(e.Misfit) }},
	{"model_rms", func(e Evaluation) float64 { return float64(e.ModelRMS) }},
	{"ssim", func(e Evaluation) float64 { return float64(e.SSIM) }},
}

// evaluationKinds in the order in which the HDF5 file numbers them.
var evaluationKinds = []string{atStart, iterate, leapTaken, trial}

func writeCSV(path string, results []*Result) error {
	var text strings.Builder
	w := csv.NewWriter(&text)
	header := []string{"case", "method", "kind"}
	for _, c := range columns {
		header = append(header, c.name)
	}
	w.Write(header) // to memory: no error
	for _, r := range results {
		for _, e := range r.Evaluations {
			row := []string{r.Setting.name(), r.Method, e.Kind}
			for _, c := range columns {
				cell := ""
				if v := c.of(e); finite(v) {
					cell = strconv.FormatFloat(v, 'g', 7, 64)
				}
				row = append(row, cell)
			}
			w.Write(row)
		}
		if r.Failed != "" {
			row := make([]string, len(header))
			copy(row, []string{r.Setting.name(), r.Method, "failed: " + r.Failed})
			w.Write(row)
		}
	}
	w.Flush()
	return errors.Join(w.Error(), fwi.WriteFile(path, []byte(text.String())))
}

// writeH5 writes the same as columns; cases, methods and kinds as numbers into the lists of their names, a line each.
func writeH5(path string, methods []Method, results []*Result) error {
	f, err := h5.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var caseNames, methodNames, failed []string
	for _, m := range methods {
		methodNames = append(methodNames, m.Name)
	}
	var at, by, kind []int64
	values := make([][]float64, len(columns))
	for i, r := range results {
		m := i % len(methods)
		if m == 0 {
			caseNames = append(caseNames, r.Setting.name())
		}
		if r.Failed != "" {
			failed = append(failed, r.Setting.name()+", "+r.Method+": "+strings.ReplaceAll(r.Failed, "\n", " "))
		}
		for _, e := range r.Evaluations {
			at, by = append(at, int64(i/len(methods))), append(by, int64(m))
			for k, name := range evaluationKinds {
				if name == e.Kind {
					kind = append(kind, int64(k))
				}
			}
			for k, c := range columns {
				values[k] = append(values[k], c.of(e))
			}
		}
	}
	if n := []int{len(at)}; len(at) > 0 {
		err = errors.Join(f.WriteInt64("/evaluations/case", at, n, h5.DefaultCompression), f.WriteInt64("/evaluations/method", by, n, h5.DefaultCompression),
			f.WriteInt64("/evaluations/kind", kind, n, h5.DefaultCompression))
		for k, c := range columns {
			err = errors.Join(err, f.WriteFloat64("/evaluations/"+c.name, values[k], n, h5.DefaultCompression))
		}
	}
	for name, lines := range map[string][]string{"/cases": caseNames, "/methods": methodNames, "/kinds": evaluationKinds, "/failed": failed} {
		if len(lines) > 0 {
			err = errors.Join(err, f.WriteString(name, strings.Join(lines, "\n")))
		}
	}
	if err != nil {
		return err
	}
	return f.Commit()
}

// relative divides a case's values by that of the start.
func relative(value axis, r *Result) axis {
	if len(r.Evaluations) == 0 {
		return value
	}
	first := value(r.Evaluations[0])
	return func(e Evaluation) float64 { return value(e) / first }
}

// drawCurves draws medians and quartiles over the settings: misfit and model error, against solves and seconds.
func drawCurves(path string, methods []Method, settings int, results []*Result) error {
	var panels []plot.Diagram
	for _, v := range []struct {
		name  string
		value axis
		log   bool
	}{{"J / J of the start", misfit, true}, {"Model error / the start's", modelError, false}} {
		for _, s := range []struct {
			name  string
			spent axis
		}{{"Wave solves per shot", solves}, {"Seconds", seconds}} {
			panel := plot.Diagram{X: s.name, Y: v.name, LogX: true, LogY: v.log}
			low, high := math.Inf(1), 0.0
			for _, r := range results {
				for _, e := range r.Evaluations {
					if x := s.spent(e); x > 0 {
						low, high = min(low, x), max(high, x)
					}
				}
			}
			if high == 0 {
				continue
			}
			for m, method := range methods {
				curves := make([]plot.Curve, 3)
				for k, q := range []float64{0.5, 0.25, 0.75} {
					curves[k] = plot.Curve{Colour: m, Thin: k > 0}
					if k == 0 {
						curves[k].Name = method.Name
					}
					const points = 120
					for i := range points {
						x := low * math.Pow(high/low, float64(i)/(points-1))
						var reached []float64
						for j := range settings {
							r := results[j*len(methods)+m]
							reached = append(reached, r.at(relative(v.value, r), s.spent, x*(1+1e-9)))
						}
						curves[k].X, curves[k].Y = append(curves[k].X, x), append(curves[k].Y, quantile(reached, q))
					}
				}
				panel.Curves = append(panel.Curves, curves...)
			}
			panels = append(panels, panel)
		}
	}
	if panels == nil {
		return os.WriteFile(path, nil, 0o644)
	}
	return plot.Lines(path, panels)
}

func drawProfiles(path string, methods []Method, settings int, results []*Result) error {
	var factors []float64
	for i := range 161 {
		factors = append(factors, math.Pow(10, float64(i)/160))
	}
	all := goals(settings, len(methods), results)
	var panels []plot.Diagram
	for _, s := range []struct {
		name  string
		spent axis
	}{{"solves", solves}, {"seconds", seconds}} {
		panel := plot.Diagram{X: "τ: " + s.name + " / those of the best method", Y: "Goals reached within τ", LogX: true, FromZero: true}
		for m, method := range methods {
			panel.Curves = append(panel.Curves, plot.Curve{Name: method.Name, Colour: m, X: factors, Y: profile(all, len(methods), results, m, s.spent, factors)})
		}
		panels = append(panels, panel)
	}
	return plot.Lines(path, panels)
}
