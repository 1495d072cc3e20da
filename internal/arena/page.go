package arena

import (
	"fmt"
	"math"
	"runtime"
	"strings"

	"gofwi/fwi"
)

const rules = `## Rules

- All methods of a case get the same start, the same data and the same misfit to be judged by. What a method's configuration says about start,
  survey and seed is ignored.
- All solves count, per shot of the whole survey: line searches, trial steps, refused proposals, the gradients at accepted ones. A misfit is one
  solve, a misfit with its gradient two, and more where its storage steps the field again; a mini-batch its share. The solves are those of
  the stage's grid, so one at a low frequency takes less time than one at a high: seconds are given beside them.
- A predictor's inference counts in seconds, and in solves: its seconds times the run's mean solves per second. Its training is quoted below. An
  oracle's cost counts nowhere.
- Data are modelled in the true model on a finer grid and with another order in space than the inversion uses.
- J is the arena's own: least squares, all shots and offsets, over the whole band of the default schedule, against the data without noise. It is
  looked at after iterations, at the first of which the solves have grown by 2 and by 3 % since the last look, and at the end; that
  costs neither solves nor seconds. Between two looks J is interpolated on a logarithmic scale.
- Goals of a case: J/J0 of 0.3, 0.1, 0.03 and 0.01, and the lowest model error of the first method, within 0.5 %. Model error is the RMS difference
  from the truth below the water, in m/s.
- A speed-up is the first method's cost of a goal over the second's: 0 where only the first reached it, infinite where only the second did; goals that neither reached are left
  out. A case is solved if the second method reached all goals that the first did, and at least one.
- Performance profiles (Dolan & Moré 2002): the fraction of all goals that a method reached within a factor τ of the best method's cost; what it
  reaches at the right is what it reached at all.
`

// trained is implemented by proposers that were trained.
type trained interface{ TrainingCost() string }

func page(o Options, methods []Method, settings []setting, results []*Result, line string) string {
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	size := "full"
	if o.Quick {
		size = "quick"
	}
	w("# %s\n\n", strings.Join(o.Methods, " against "))
	w("%d cases, %s size, version %s, %d CPUs, %s.\n\n    %s\n\n", len(settings), size, o.Version, runtime.NumCPU(), runtime.GOARCH, line)
	w("![misfit and model error](%s)\n\nMedians (thick) and quartiles over the cases of the lowest value reached so far; a case that failed counts as infinite.\n\n", curvesFile)
	w("![performance profiles](%s)\n\n%s\n", profilesFile, rules)

	w("## Methods\n\n")
	for _, m := range methods {
		w("- **%s**: `%s`", m.Name, strings.TrimSpace(strings.ReplaceAll(m.Configuration, "\n", "; ")))
		if m.Proposer != "" {
			w(", leaps proposed by %s", m.Proposer)
			if p, err := fwi.NewProposer(m.Proposer); err == nil {
				if t, ok := p.(trained); ok {
					w(" (training: %s)", t.TrainingCost())
				} else {
					w(" (no training)")
				}
			}
			proposed, accepted := 0, 0
			for _, r := range results {
				if r.Method == m.Name {
					proposed, accepted = proposed+r.Proposed, accepted+r.Accepted
				}
			}
			w("; %d of %d accepted", accepted, proposed)
		}
		w("\n")
	}

	all := goals(len(settings), len(methods), results)
	for _, s := range []struct {
		name  string
		spent axis
	}{{"Solves", solves}, {"Seconds", seconds}} {
		w("\n## %s to the goals\n\n| method | goal | reached | median | quartiles | worst |\n|---|---|---|---|---|---|\n", s.name)
		for m, method := range methods {
			type column struct {
				name  string
				holds func(goal) bool
			}
			var groups []column
			for _, t := range targets {
				groups = append(groups, column{fmt.Sprintf("J/J0 %g", t), func(g goal) bool { return g.name == "" && g.target == t }})
			}
			groups = append(groups, column{"model error of " + methods[0].Name, func(g goal) bool { return g.name != "" }})
			for _, column := range groups {
				var costs []float64
				reached := 0
				for _, g := range all {
					if column.holds(g) {
						cost := results[g.setting*len(methods)+m].costOf(g.value, s.spent, g.target)
						costs = append(costs, cost)
						if !math.IsInf(cost, 1) {
							reached++
						}
					}
				}
				w("| %s | %s | %d/%d | %s | %s – %s | %s |\n", method.Name, column.name, reached, len(costs), number(quantile(costs, 0.5)), number(quantile(costs, 0.25)),
					number(quantile(costs, 0.75)), number(quantile(costs, 1)))
			}
		}
	}
	w("\n– stands for a goal that was not reached.\n\n## Speed-up over %s\n\n| method | in | median | quartiles | worst | solved |\n|---|---|---|---|---|---|\n", methods[0].Name)
	for m := 1; m < len(methods); m++ {
		for _, s := range []struct {
			name  string
			spent axis
		}{{"solves", solves}, {"seconds", seconds}} {
			c := compare(len(settings), len(methods), results, 0, m, s.spent)
			w("| %s | %s | %.2f | %.2f – %.2f | %.2f | %d/%d |\n", methods[m].Name, s.name, c.median, quantile(c.speedups, 0.25), quantile(c.speedups, 0.75), c.worst, c.solved, c.of)
		}
	}
	w("\n## Cases\n\nAt the end of each: J/J0, model error over the start's, structural similarity, solves, seconds.\n\n| case |")
	for _, m := range methods {
		w(" %s |", m.Name)
	}
	w("\n|---|%s\n", strings.Repeat("---|", len(methods)))
	for i, s := range settings {
		w("| %s |", s.name())
		for m := range methods {
			w(" %s |", results[i*len(methods)+m].cell())
		}
		w("\n")
	}
	w("\n## Not solved\n\n")
	none := true
	for i, s := range settings {
		for m := range methods {
			r := results[i*len(methods)+m]
			if r.Failed != "" {
				w("- %s, %s: %s\n", s.name(), methods[m].Name, r.Failed)
				none = false
				continue
			}
			var missed []string
			for _, g := range all {
				if g.setting == i && math.IsInf(r.costOf(g.value, solves, g.target), 1) {
					if g.name != "" {
						missed = append(missed, fmt.Sprintf("model error %.4g m/s (reached %.4g)", g.target, r.lowest(g.value)))
					} else {
						missed = append(missed, fmt.Sprintf("J/J0 %g", g.target))
					}
				}
			}
			if missed != nil {
				w("- %s, %s: %s\n", s.name(), methods[m].Name, strings.Join(missed, ", "))
				none = false
			}
		}
	}
	if none {
		w("Every method reached every goal.\n")
	}
	w("\nEvery evaluation: `%s`, `%s`.\n", csvFile, h5File)
	return b.String()
}

func number(v float64) string {
	if !finite(v) {
		return "–"
	}
	return fmt.Sprintf("%.1f", v)
}

func (r *Result) cell() string {
	if r.Failed != "" || len(r.Evaluations) == 0 {
		return "**failed**"
	}
	var last Evaluation
	for _, e := range r.Evaluations {
		if finite(float64(e.Misfit)) {
			last = e
		}
	}
	text := fmt.Sprintf("%.4f", float64(last.Misfit))
	if first := modelError(r.Evaluations[0]); finite(first) {
		text += fmt.Sprintf(" / %.3f / %.3f", modelError(last)/first, float64(last.SSIM))
	}
	return text + fmt.Sprintf(" / %.0f / %.0f s", solves(last), seconds(last))
}
