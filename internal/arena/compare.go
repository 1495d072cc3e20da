package arena

import (
	"math"
	"slices"
)

// targets of the misfit, J/J0.
var targets = []float64{0.3, 0.1, 0.03, 0.01}

// axis is what a case spends: solves with inference, or seconds.
type axis func(Evaluation) float64

func solves(e Evaluation) float64  { return float64(e.SolvesInAll) }
func seconds(e Evaluation) float64 { return float64(e.Seconds) }

func misfit(e Evaluation) float64     { return float64(e.Misfit) }
func modelError(e Evaluation) float64 { return float64(e.ModelRMS) }

// costOf returns what a case spent until a value first fell to a target, interpolated between evaluations, on a logarithmic scale of
// the value; +Inf where it never did, or failed.
func (r *Result) costOf(value, spent axis, target float64) float64 {
	if r == nil || r.Failed != "" {
		return math.Inf(1)
	}
	beforeCost, before := 0.0, math.NaN()
	for _, e := range r.Evaluations {
		v := value(e)
		if !finite(v) || e.Kind == trial {
			continue
		}
		cost := spent(e)
		if v <= target {
			if before > target && v > 0 && cost > beforeCost {
				return beforeCost + (cost-beforeCost)*math.Log(before/target)/math.Log(before/v)
			}
			return cost
		}
		beforeCost, before = cost, v
	}
	return math.Inf(1)
}

// lowest returns the lowest value that a case reached, NaN where it has none.
func (r *Result) lowest(value axis) float64 {
	out := math.NaN()
	if r.Failed != "" {
		return out
	}
	for _, e := range r.Evaluations {
		if v := value(e); e.Kind != trial && finite(v) && !(v >= out) {
			out = v
		}
	}
	return out
}

// goal is something that methods are to reach in a setting.
type goal struct {
	setting int
	name    string
	value   axis
	target  float64
}

// modelTolerance is by how much the first method's lowest model error may be exceeded where the others are to reach the same.
const modelTolerance = 1.005

// goals returns, for each setting, the misfits and the lowest model error of the first method, where it improved on the start.
func goals(settings, methods int, results []*Result) []goal {
	var out []goal
	for i := range settings {
		for _, t := range targets {
			out = append(out, goal{i, "", misfit, t})
		}
		first := results[i*methods]
		if e := first.lowest(modelError); finite(e) && e*modelTolerance < modelError(first.Evaluations[0]) {
			out = append(out, goal{i, "model error", modelError, e * modelTolerance})
		}
	}
	return out
}

// Comparison is what the second method is against the first.
type comparison struct {
	speedups []float64 // one for each goal that either reaches: 0 where only the first did, +Inf where only the second did
	median   float64
	worst    float64
	solved   int // settings in which the second reached all that the first did, and something
	of       int
}

// compare sets method b against method a.
func compare(settings, methods int, results []*Result, a, b int, spent axis) comparison {
	c := comparison{of: settings}
	all := goals(settings, methods, results)
	for s := range settings {
		reached, missed := 0, 0
		for _, g := range all {
			if g.setting != s {
				continue
			}
			first, second := results[s*methods+a].costOf(g.value, spent, g.target), results[s*methods+b].costOf(g.value, spent, g.target)
			switch {
			case math.IsInf(first, 1) && math.IsInf(second, 1):
			case math.IsInf(second, 1):
				missed++
				c.speedups = append(c.speedups, 0)
			case math.IsInf(first, 1):
				reached++
				c.speedups = append(c.speedups, math.Inf(1))
			default:
				reached++
				c.speedups = append(c.speedups, ratio(first, second))
			}
		}
		if reached > 0 && missed == 0 {
			c.solved++
		}
	}
	c.median, c.worst = quantile(c.speedups, 0.5), quantile(c.speedups, 0)
	return c
}

func ratio(a, b float64) float64 {
	if a == b {
		return 1
	}
	return a / b
}

// quantile interpolates between the values; NaN of none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	v := slices.Clone(values)
	slices.Sort(v)
	at := q * float64(len(v)-1)
	i := int(at)
	if f := at - float64(i); f > 0 && v[i] != v[i+1] {
		if math.IsInf(v[i+1], 1) {
			return math.Inf(1)
		}
		return v[i] + f*(v[i+1]-v[i])
	}
	return v[i]
}

// profile returns, for a method, the fraction of the goals that it reached within a factor of the best method's cost, as a function of
// that factor (Dolan & Moré 2002). Goals that no method reached count as not reached.
func profile(goals []goal, methods int, results []*Result, method int, spent axis, factors []float64) []float64 {
	out := make([]float64, len(factors))
	for _, g := range goals {
		best := math.Inf(1)
		for m := range methods {
			best = min(best, results[g.setting*methods+m].costOf(g.value, spent, g.target))
		}
		own := results[g.setting*methods+method].costOf(g.value, spent, g.target)
		if math.IsInf(own, 1) {
			continue
		}
		for i, f := range factors {
			if own <= best*f*(1+1e-9) {
				out[i]++
			}
		}
	}
	for i := range out {
		out[i] /= float64(len(goals))
	}
	return out
}

// at returns the lowest value that a case had reached by the time it had spent so much; +Inf where it failed.
func (r *Result) at(value, spent axis, cost float64) float64 {
	if r.Failed != "" {
		return math.Inf(1)
	}
	out := math.Inf(1)
	for _, e := range r.Evaluations {
		if v := value(e); e.Kind != trial && finite(v) && spent(e) <= cost {
			out = min(out, v)
		}
	}
	return out
}
