package fwi

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// proposerFunc is a Proposer that is a function.
type proposerFunc func(context.Context, *Look) (*Proposal, error)

func (f proposerFunc) Propose(ctx context.Context, l *Look) (*Proposal, error) { return f(ctx, l) }

// leapProblem has stages long enough for leaps.
func leapProblem(t *testing.T, adjust func(*Config)) (*Problem, Config) {
	return smallProblem(t, func(c *Config) {
		c.Iterations = 0
		c.Stages[0].Iterations, c.Stages[1].Iterations = 9, 4
		if adjust != nil {
			adjust(c)
		}
	})
}

func propose(t *testing.T, p *Problem, c Config, by Proposer) *Outcome {
	t.Helper()
	r := NewRun(p, c)
	r.Proposer = by
	o, err := r.Invert(background)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func accepted(o *Outcome) (n int) {
	for _, l := range o.Leaps {
		if l.Accepted {
			n++
		}
	}
	return n
}

// wildProposals are what no run may be harmed by.
func wildProposals() map[string]proposerFunc {
	change := func(f func(l *Look, i int, v float32) float32) proposerFunc {
		return func(_ context.Context, l *Look) (*Proposal, error) {
			for i, v := range l.Model {
				l.Model[i] = f(l, i, v)
			}
			return &Proposal{Model: l.Model, Ahead: math.MaxInt}, nil
		}
	}
	return map[string]proposerFunc{
		"NaN":        change(func(*Look, int, float32) float32 { return float32(math.NaN()) }),
		"infinite":   change(func(*Look, int, float32) float32 { return float32(math.Inf(1)) }),
		"too fast":   change(func(*Look, int, float32) float32 { return 1e30 }),
		"negative":   change(func(*Look, int, float32) float32 { return -2000 }),
		"unchanged":  change(func(_ *Look, _ int, v float32) float32 { return v }),
		"uphill":     change(func(l *Look, i int, v float32) float32 { return v + 50*float32(sign(l.Gradient[i])) }),
		"too far":    change(func(l *Look, i int, v float32) float32 { return v - 2000*float32(sign(l.Gradient[i])) }),
		"wrong size": func(_ context.Context, l *Look) (*Proposal, error) { return &Proposal{Model: l.Model[1:]}, nil },
		"empty":      func(context.Context, *Look) (*Proposal, error) { return &Proposal{}, nil },
		"error":      func(context.Context, *Look) (*Proposal, error) { return nil, errors.New("out of order") },
		"panic":      func(context.Context, *Look) (*Proposal, error) { panic("out of its mind") },
		"vandal": func(_ context.Context, l *Look) (*Proposal, error) {
			for _, v := range [][]float32{l.Model, l.Gradient, l.Mask, l.Illumination} {
				clear(v)
			}
			for _, i := range l.Recent {
				clear(i.Model)
				clear(i.Gradient)
			}
			for i := range l.Leaps {
				l.Leaps[i] = Leap{Accepted: true, Credit: 100}
			}
			for i := range l.Grid.Shape {
				l.Grid.Shape[i], l.Grid.Spacing[i] = 1, 1
			}
			return &Proposal{Model: l.Model}, nil
		},
	}
}

func sign(v float32) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

func TestRefusedProposalsLeaveThePathOfTheRun(t *testing.T) {
	p, c := leapProblem(t, nil)
	want := invert(t, p, c)
	for name, proposer := range wildProposals() {
		t.Run(name, func(t *testing.T) {
			got := propose(t, p, c, proposer)
			if n := accepted(got); n != 0 {
				t.Fatalf("%d of %d proposals were accepted: %+v", n, len(got.Leaps), got.Leaps)
			}
			if len(got.Leaps) == 0 {
				t.Fatal("nothing was proposed: nothing tested")
			}
			if !slices.Equal(got.Model, want.Model) {
				t.Error("the model differs")
			}
			if len(got.History) != len(want.History) {
				t.Fatalf("the history has %d lines instead of %d", len(got.History), len(want.History))
			}
			for i, h := range got.History {
				if w := want.History[i]; h.Misfit != w.Misfit || h.ModelRMS != w.ModelRMS {
					t.Errorf("line %d: %+v instead of %+v", i, h, w)
				}
			}
			// After refusals the run asks at iterations 0, 2 and 6 of a stage: five times in these two, a solve each at most.
			if extra := got.Solves - want.Solves; extra < -1e-9 || extra > 5+1e-9 || len(got.Leaps) > 5 {
				t.Errorf("%d proposals cost %g solves", len(got.Leaps), extra)
			}
			for _, l := range got.Leaps {
				if l.Why == "" {
					t.Errorf("a proposal is refused without a reason: %+v", l)
				}
			}
		})
	}
}

// A step against the gradient, as long as it likes, at every iteration: some are accepted, none may harm.
func TestGreedyProposerNeverRaisesTheMisfit(t *testing.T) {
	p, c := leapProblem(t, nil)
	plain := invert(t, p, c)
	for _, change := range []float32{5, 40, 200} {
		o := propose(t, p, c, proposerFunc(func(_ context.Context, l *Look) (*Proposal, error) {
			var peak float32
			for _, g := range l.Gradient {
				peak = max(peak, g, -g)
			}
			for i, g := range l.Gradient {
				l.Model[i] -= change * g / peak
			}
			return &Proposal{Model: l.Model, Ahead: math.MaxInt}, nil
		}))
		for i := 1; i < len(o.History); i++ {
			if a, b := o.History[i-1], o.History[i]; a.Stage == b.Stage && !(b.Misfit < a.Misfit) {
				t.Errorf("change %g: the misfit rises from %g to %g in line %d", change, a.Misfit, b.Misfit, i)
			}
		}
		last, other := o.History[len(o.History)-1], plain.History[len(plain.History)-1]
		// Another path through another few iterations: within half as much again of the misfit.
		if last.Misfit > 1.5*other.Misfit {
			t.Errorf("change %g: the run ends at a misfit of %g, without leaps at %g", change, last.Misfit, other.Misfit)
		}
	}
}

func TestOracleReachesTheTeachersStateWithFewerSolves(t *testing.T) {
	p, c := leapProblem(t, nil)
	teacher := invert(t, p, c)
	for _, ahead := range []int{3, 9, 27} {
		o := propose(t, p, c, Oracle{Ahead: ahead})
		if accepted(o) == 0 {
			t.Fatalf("%d ahead: none of %d leaps was accepted: %+v", ahead, len(o.Leaps), o.Leaps)
		}
		want := teacher.History[slices.IndexFunc(teacher.History, func(r Record) bool { return r.Stage == 1 })-1] // the end of the first stage
		at := slices.IndexFunc(o.History, func(r Record) bool { return r.Stage == 0 && r.Misfit <= 1.05*want.Misfit })
		if at < 0 {
			t.Fatalf("%d ahead: the misfit %g of the teacher's first stage is not reached within 5 %%: %+v", ahead, want.Misfit, o.History)
		}
		if got := o.History[at].Solves; got > 0.75*want.Solves {
			t.Errorf("%d ahead: %g solves to the misfit that the teacher needs %g for", ahead, got, want.Solves)
		}
	}
}

// What an oracle says after iteration 0 is what the run does by itself, to the bit.
func TestOracleProposesTheTeachersOwnIterate(t *testing.T) {
	p, c := leapProblem(t, func(c *Config) { c.Stages = c.Stages[:1] })
	const ahead = 3
	var said []float32
	o := propose(t, p, c, proposerFunc(func(ctx context.Context, l *Look) (*Proposal, error) {
		if l.Iteration == 0 {
			proposal, err := Oracle{Ahead: ahead}.Propose(ctx, l)
			if err != nil {
				return nil, err
			}
			said = proposal.Model
		}
		if l.Iteration == ahead {
			if !slices.Equal(l.Model, said) {
				return nil, errors.New("the run stands elsewhere")
			}
			said = nil
		}
		return nil, nil
	}))
	if said != nil || len(o.Leaps) != 0 {
		t.Errorf("the oracle was wrong: %+v", o.Leaps)
	}
}

func TestRunWithLeapsResumesToTheSameBits(t *testing.T) {
	wild := wildProposals()
	for name, with := range map[string]struct {
		proposer Proposer
		adjust   func(*Config)
	}{
		"oracle":               {Oracle{Ahead: 3}, nil},
		"oracle, mini-batches": {Oracle{Ahead: 2}, func(c *Config) { c.Stages[0].Shots = 3 }},
		"refused":              {wild["too far"], nil},
		"recent": {proposerFunc(func(_ context.Context, l *Look) (*Proposal, error) {
			// A function of all that a Look holds: the last change again, longer after accepted leaps.
			if len(l.Recent) == 0 {
				return nil, nil
			}
			factor := float32(1 + len(l.Leaps)%3)
			before := l.Recent[len(l.Recent)-1]
			for i, v := range before.Model {
				l.Model[i] += factor * (l.Model[i] - v)
			}
			return &Proposal{Model: l.Model, Ahead: 2}, nil
		}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			p, c := leapProblem(t, with.adjust)
			want := propose(t, p, c, with.proposer)
			if len(want.Leaps) == 0 {
				t.Fatal("nothing was proposed: nothing tested")
			}
			path := filepath.Join(t.TempDir(), "checkpoint.h5")
			var from *Snapshot
			var last *Outcome
			for sittings := 0; last == nil; sittings++ {
				if sittings > 200 {
					t.Fatal("the run does not advance")
				}
				ctx, cancel := context.WithCancel(background)
				r := NewRun(p, c)
				r.Proposer = with.proposer
				if from != nil {
					if err := r.Resume(from); err != nil {
						t.Fatal(err)
					}
				}
				count := 0
				r.Observer = func(Progress) {
					if count++; count == 3+sittings%3 {
						cancel()
					}
				}
				r.Save = func(s *Snapshot) error { return SaveSnapshot(path, Fingerprint(p, c), s) }
				o, err := r.Invert(ctx)
				cancel()
				if err == nil {
					last = o
				} else if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				if from, err = LoadSnapshot(path, Fingerprint(p, c)); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(last.Model, want.Model) {
				t.Error("the model differs")
			}
			if !slices.Equal(last.Leaps, want.Leaps) {
				t.Errorf("the leaps are %+v instead of %+v", last.Leaps, want.Leaps)
			}
			if len(last.History) != len(want.History) {
				t.Fatalf("the history has %d lines instead of %d", len(last.History), len(want.History))
			}
			for i, h := range last.History {
				if w := want.History[i]; h.Misfit != w.Misfit || h.ModelRMS != w.ModelRMS || h.Leap != w.Leap {
					t.Errorf("line %d of the history is %+v instead of %+v", i, h, w)
				}
			}
		})
	}
}

func TestSummaryCountsLeaps(t *testing.T) {
	p, c := leapProblem(t, nil)
	o := propose(t, p, c, Oracle{Ahead: 9})
	s, err := Summarise(p, o, Fit{Misfit: 1}, Fit{Misfit: 1}, "cpu", "test")
	if err != nil {
		t.Fatal(err)
	}
	if s.LeapsProposed != len(o.Leaps) || s.LeapsAccepted != accepted(o) || s.LeapsAccepted == 0 {
		t.Errorf("the summary counts %d of %d leaps, the run %d of %d", s.LeapsAccepted, s.LeapsProposed, accepted(o), len(o.Leaps))
	}
	own := 0
	for _, h := range o.History {
		if h.Iteration > 0 && !h.Leap {
			own++
		}
	}
	if s.Iterations != own {
		t.Errorf("%d iterations are counted, %d were the method's own", s.Iterations, own)
	}
}

func TestProposersHaveNames(t *testing.T) {
	for name, want := range map[string]Oracle{"oracle": {}, "oracle1": {1}, "oracle27": {27}} {
		if got, err := NewProposer(name); err != nil || got != Proposer(want) {
			t.Errorf("%s is %#v, %v instead of %#v", name, got, err, want)
		}
	}
	for _, name := range []string{"surrogate-that-is-not-there", "oracle0", "oracle-3", "oracle03", ""} {
		if _, err := NewProposer(name); err == nil || !strings.Contains(err.Error(), "oracle9") {
			t.Errorf("%q: the error %v does not name the proposers that there are", name, err)
		}
	}
}
