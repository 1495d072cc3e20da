package fwi

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Oracle is the proposer that cannot be wrong: it lets the run itself go on, unassisted, and proposes where it stands Ahead iterations later or
// at the stage's end. What that costs is counted nowhere, neither solves nor seconds: it shows what a perfect predictor would gain,
// and stands in for one in tests.
type Oracle struct {
	Ahead int // iterations; 0: 9
}

const oracleAhead = 9

// Uncounted says that the time of proposals is not the run's.
func (Oracle) Uncounted() bool { return true }

// Propose runs the teacher ahead.
func (o Oracle) Propose(ctx context.Context, l *Look) (*Proposal, error) {
	n := o.Ahead
	if n == 0 {
		n = oracleAhead
	}
	if n < 1 {
		return nil, fmt.Errorf("an oracle looks at least one iteration ahead, not %d", n)
	}
	model, steps, err := l.run.ahead(ctx, n)
	if err != nil || steps == 0 {
		return nil, err
	}
	return &Proposal{Model: model, Ahead: steps}, nil
}

// oracleNamed returns the oracle called oracle, or oracle27 for one that looks 27 iterations ahead.
func oracleNamed(name string) (Oracle, bool) {
	text, ok := strings.CutPrefix(name, "oracle")
	if !ok || text == "" {
		return Oracle{}, ok
	}
	n, err := strconv.Atoi(text)
	return Oracle{Ahead: n}, err == nil && n > 0 && strconv.Itoa(n) == text
}

// ahead returns the model, on the stage's grid, that the run would reach by itself after n more iterations or at the end of the stage,
// and the number of iterations to it.
func (r *Run) ahead(ctx context.Context, n int) (model []float32, steps int, err error) {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	teacher := NewRun(r.Problem, r.Config)
	teacher.state = r.state
	teacher.state.History = append([]Record{}, r.state.History...)
	teacher.state.Method = r.method.State()
	teacher.Say = func(string, ...any) {}
	teacher.scored, teacher.level, teacher.borrowed = r.scored, r.level, true
	teacher.SaveEvery, teacher.started, teacher.lastSave = r.SaveEvery, r.started, r.lastSave
	from := r.method.Status().Iteration
	teacher.Observer = func(p Progress) {
		if !p.Trial {
			steps = p.Iteration - from
			model = append(model[:0], teacher.x...)
		}
		if steps >= n {
			cancel()
		}
	}
	err = teacher.runStage(within)
	if ctx.Err() != nil {
		return nil, 0, ctx.Err()
	}
	if err != nil && within.Err() == nil {
		return nil, 0, fmt.Errorf("the teacher: %w", err)
	}
	return model, steps, nil
}
