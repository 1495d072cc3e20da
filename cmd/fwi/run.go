package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"gofwi/fwi"
	"gofwi/wave"
)

const (
	checkpointFile = "checkpoint.h5"
	configFile     = "config.yaml"
	resultFile     = "result.h5"
	summaryFile    = "summary.json"
	logFile        = "run.log"
)

type runOptions struct {
	out                      string
	overwrite, resume, quiet bool
}

func newRunCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run FILE.h5",
		Short: "Invert a problem: a data set, a model with a survey, or a bare velocity model",
		Args:  cobra.ExactArgs(1),
	}
	flags := addConfigFlags(cmd)
	cmd.Flags().StringVarP(&o.out, "out", "o", "", "result folder (default FILE-result)")
	cmd.Flags().BoolVar(&o.overwrite, "overwrite", false, "replace the results of an existing folder")
	cmd.Flags().BoolVar(&o.resume, "resume", false, "go on with the interrupted run in the result folder")
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "no progress bars")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.out == "" {
			o.out = strings.TrimSuffix(args[0], filepath.Ext(args[0])) + "-result"
		}
		return run(cmd, args[0], o, flags)
	}
	return cmd
}

// claimFolder makes the result folder, or refuses one whose content would be lost.
func claimFolder(o runOptions) error {
	entries, err := os.ReadDir(o.out)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if o.resume {
			return fmt.Errorf("there is nothing to resume: %s does not exist", o.out)
		}
	case err != nil:
		return err
	case o.resume:
		if _, err := os.Stat(filepath.Join(o.out, checkpointFile)); err != nil {
			return fmt.Errorf("there is nothing to resume: %s holds no %s", o.out, checkpointFile)
		}
	case len(entries) > 0 && !o.overwrite:
		return fmt.Errorf("%s exists and holds %d files: choose another --out, or --resume it, or --overwrite it", o.out, len(entries))
	}
	return nil
}

func run(cmd *cobra.Command, file string, o runOptions, flags *configFlags) error {
	ctx := cmd.Context()
	begun := time.Now()
	if o.resume && o.overwrite {
		return errors.New("--resume and --overwrite exclude each other")
	}
	if err := claimFolder(o); err != nil {
		return err
	}
	p, err := fwi.OpenProblem(file)
	if err != nil {
		return err
	}
	if o.resume && flags.file == "" {
		flags.file = filepath.Join(o.out, configFile)
	}
	c, err := flags.resolve(cmd, file)
	if err != nil {
		return err
	}

	var log strings.Builder
	say := func(format string, args ...any) {
		line := fmt.Sprintf(format, args...) + "\n"
		io.WriteString(cmd.OutOrStdout(), line)
		log.WriteString(line)
	}
	say("%s: %s", file, describe(p))
	bars := newBars(cmd, o.quiet)
	c, err = fwi.Prepare(ctx, p, c, say, bars.modelling())
	bars.end()
	if err != nil {
		return err
	}
	plans, err := fwi.PlanStages(p, c)
	if err != nil {
		return err
	}
	if err := printPlan(ctx, p, c, plans, say); err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(o.out, name) }
	inversion := fwi.NewRun(p, c)
	inversion.Say = bars.say(say)
	fingerprint := fwi.Fingerprint(p, c)
	if o.resume {
		snapshot, err := fwi.LoadSnapshot(in(checkpointFile), fingerprint)
		if err != nil {
			return err
		}
		if err := inversion.Resume(snapshot); err != nil {
			return err
		}
		say("resumed in stage %d of %d after %.0f s and %.1f solves per shot", min(snapshot.Stage+1, len(c.Stages)), len(c.Stages), snapshot.Seconds, snapshot.Solves)
	} else if err := os.Remove(in(checkpointFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := fwi.WriteFile(in(configFile), c.YAML()); err != nil {
		return err
	}
	inversion.Save = func(s *fwi.Snapshot) error { return fwi.SaveSnapshot(in(checkpointFile), fingerprint, s) }
	inversion.Observer = bars.observe
	outcome, err := inversion.Invert(ctx)
	bars.end()
	if err == nil {
		bars.closeStage()
	} else {
		if _, saved := os.Stat(in(checkpointFile)); saved == nil {
			hint := fmt.Sprintf("the run is saved in %s; go on with: fwi run %s --out %s --resume", in(checkpointFile), file, o.out)
			if errors.Is(err, context.Canceled) {
				return fmt.Errorf("interrupted; %s: %w", hint, context.Canceled)
			}
			return fmt.Errorf("%w; %s", err, hint)
		}
		return err
	}
	whole, err := fwi.NewEvaluator(ctx, p, c, fwi.FullBand(c), p.Start, outcome.Model)
	if err != nil {
		return err
	}
	defer whole.Close()
	fitStart, err := fitOf(ctx, whole, p.Start)
	if err != nil {
		return err
	}
	fitFinal, err := fitOf(ctx, whole, outcome.Model)
	if err != nil {
		return err
	}
	summary, err := fwi.Summarise(p, outcome, fitStart, fitFinal, plans[0].Plan.Backend, version)
	if err != nil {
		return err
	}
	if err := fwi.WriteResult(in(resultFile), p, c, outcome, version); err != nil {
		return err
	}
	if err := drawResult(ctx, o.out, p, c, outcome, whole); err != nil {
		return err
	}
	sayOutcome(say, summary)
	say("%s: %s, %s, model.png, convergence.png, gathers.png; %.0f s in all", o.out, resultFile, summaryFile, time.Since(begun).Seconds())
	if err := fwi.WriteFile(in(logFile), []byte(log.String())); err != nil {
		return err
	}
	return fwi.WriteSummary(in(summaryFile), summary)
}

func describe(p *fwi.Problem) string {
	var parts []string
	if p.Title != "" {
		parts = append(parts, p.Title)
	}
	g := p.Grid
	var extent []float64
	for d := range g.Shape {
		extent = append(extent, (g.End(d)-g.Start(d))/1e3)
	}
	parts = append(parts, fmt.Sprintf("%s cells of %s m, %s km", times(g.Shape), wave.Times("%g", g.Spacing), wave.Times("%.3g", extent)))
	has := func(name string, yes bool) {
		if yes {
			parts = append(parts, name)
		} else {
			parts = append(parts, "no "+name)
		}
	}
	if p.Density != nil {
		parts = append(parts, "density")
	}
	has("true model", p.Truth != nil)
	has("start model", p.Start != nil)
	has("survey", p.Survey != nil)
	has("observed data", p.Observed != nil)
	return strings.Join(parts, "; ")
}

// printPlan says what the run will do and what it will cost.
func printPlan(ctx context.Context, p *fwi.Problem, c fwi.Config, plans []fwi.StagePlan, say fwi.Notice) error {
	first := p.Survey.Shots[0]
	say("plan: %d shots of %d receivers, %d samples every %g ms; velocities held within %.0f to %.0f m/s", len(p.Survey.Shots), len(first.Receivers), p.Survey.NT, 1e3*p.Survey.DT, c.MinVelocity, c.MaxVelocity)
	say("      %s kernels, order %d, absorbing layers of %d cells%s; %s", plans[0].Plan.InstructionSet, c.Order, c.Layer, map[bool]string{true: ", free surface"}[c.FreeSurface], plans[0].Plan.Concurrency())
	say("      misfit %s, %s; storage %s", c.Misfit, c.Method, c.Storage)
	if note := plans[0].Plan.BackendNote; note != "" {
		say("      on the CPU, as no GPU can be used: %s", note)
	}
	shape, spacing := make([]string, len(plans)), make([]string, len(plans))
	storage := make([]string, len(plans))
	wide, apart, kept := len("grid"), len("spacing (m)"), len("snapshots")
	for i, s := range plans {
		shape[i], spacing[i] = wave.Times("%d", s.Grid.Shape), wave.Times("%.1f", s.Grid.Spacing)
		storage[i] = storageOf(&s.Plan)
		wide, apart = max(wide, utf8.RuneCountInString(shape[i])), max(apart, utf8.RuneCountInString(spacing[i]))
		kept = max(kept, len(storage[i]))
	}
	say("stage  band (Hz)   %-*s  %-*s  dt (ms)  CFL   pts/λ  steps  iterations  shots  offsets (m)  %-*s  memory", wide, "grid", apart, "spacing (m)", kept, "snapshots")
	memory := 0
	for i, s := range plans {
		offsets := "all"
		if s.Stage.MaxOffset > 0 {
			offsets = fmt.Sprintf("to %.0f", s.Stage.MaxOffset)
		}
		row := fmt.Sprintf("%5d  %4.1f–%-5.1f  %-*s  %-*s  %7.2f  %.2f  %5.1f  %5d  %10d  %5d  %11s  %-*s  %-7s  %s", i+1, s.Stage.MinFrequency, s.Stage.MaxFrequency,
			wide, shape[i], apart, spacing[i], 1e3*s.Plan.DT, s.Plan.DT/s.Plan.StabilityLimit, s.PointsPerWavelength, s.Plan.Steps, s.Stage.Iterations, s.Shots, offsets,
			kept, storage[i], formatMiB(s.Plan.Bytes), s.Stage.Notes())
		say("%s", strings.TrimRight(row, " "))
		memory = max(memory, s.Plan.Bytes)
		if s.TooCoarse {
			say("       warning: only %.1f points per wavelength, as the model's own grid has no more: phase velocities are off by %.2g %% at %.1f Hz", s.PointsPerWavelength, 100*s.PhaseError, s.Stage.MaxFrequency)
		}
	}
	if last := plans[len(plans)-1]; last.Plan.Rows < last.Grid.Shape[0] {
		say("      rows lie further apart where all is fast: %d for the %d of the last stage's grid", last.Plan.Rows, last.Grid.Shape[0])
	}
	data := 0
	for _, g := range p.Observed {
		data += 4 * len(g)
	}
	var seconds float64
	for _, s := range plans {
		gradient, err := measureGradient(ctx, p, c, s)
		if err != nil {
			return err
		}
		seconds += gradient * float64(s.Stage.Iterations+1) * 1.12 // one in eight steps is tried twice
	}
	say("      about %s of memory, %s of them data; about %s if every stage uses all its iterations, longer where the model becomes faster than it starts", formatMiB(memory+3*data+24*p.Grid.Cells()), formatMiB(data), time.Duration(seconds*float64(time.Second)).Round(time.Second))
	return nil
}

// storageOf says how a stage keeps the forward field: every-kth is told by its k alone.
func storageOf(p *wave.Plan) string {
	text := fmt.Sprintf("every %d", p.SnapshotInterval)
	if p.Storage != wave.EveryKth && p.Storage != wave.EveryStep {
		text += ", " + string(p.Storage)
	}
	if p.Recomputed > 0 {
		text += fmt.Sprintf(", +%.1f forward", p.Recomputed)
	}
	return text
}

func formatMiB(n int) string {
	if n >= 10<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.0f MiB", math.Ceil(float64(n)/(1<<20)))
}

// measuredSteps bounds the points times steps that measureGradient takes: some ten seconds.
const measuredSteps = 2e10

// measureGradient returns the seconds that a gradient of all shots of a stage takes, from a gradient of as many shots as are stepped side
// by side, of records cut short if that alone would be long.
func measureGradient(ctx context.Context, p *fwi.Problem, c fwi.Config, s fwi.StagePlan) (float64, error) {
	o := s.Options
	o.DT, o.Backend, o.Storage = s.Plan.DT, s.Plan.Backend, s.Plan.Storage
	shots := min(len(p.Survey.Shots), s.Plan.Workers)
	all := s.Points / float64(s.Shots) * float64(shots)
	survey := wave.Survey{DT: s.Plan.DT}
	survey.NT = max(int(p.Survey.Duration()/survey.DT*min(1, measuredSteps/all)), 16)
	wavelet := make([]float32, survey.NT)
	wavelet[0] = 1
	for i := range shots {
		shot := p.Survey.Shots[i*len(p.Survey.Shots)/shots]
		shot.Wavelets = nil
		for range shot.Sources {
			shot.Wavelets = append(shot.Wavelets, wavelet)
		}
		survey.Shots = append(survey.Shots, shot)
	}
	propagator, err := wave.NewPropagator(s.Grid, &survey, o)
	if err != nil {
		return 0, err
	}
	defer propagator.Close()
	vp := s.Start(p, c)
	begun := time.Now()
	if _, err := propagator.Gradient(ctx, vp, survey.AllShots(), func(_ int, synthetic, adjoint []float32) (float64, error) {
		copy(adjoint, synthetic)
		return 0, nil
	}); err != nil {
		return 0, err
	}
	stepped := float64(propagator.Plan().Steps) * float64(s.Plan.Points()) * float64(shots)
	return time.Since(begun).Seconds() * s.Points / stepped, nil
}

// fitOf compares a model's data with the observed ones; estimated wavelets are fitted to each model anew.
func fitOf(ctx context.Context, e *fwi.Evaluator, vp []float32) (fwi.Fit, error) {
	if err := e.FitWavelet(ctx, vp); err != nil {
		return fwi.Fit{}, err
	}
	return e.Fit(ctx, vp)
}

func sayOutcome(say fwi.Notice, s fwi.Summary) {
	say("done: %d iterations, %.1f wave solves per shot, %.0f s; misfit of the whole band %.4g, at the start %.4g", s.Iterations, s.WaveSolves, s.WallSeconds, s.MisfitFinal, s.MisfitStart)
	say("fit of the data: %s of their energy explained, at the start %s; correlation by shot %s, at the start %s", percent(s.ExplainedFinal), percent(s.ExplainedStart),
		correlations(s.CorrelationFinal), correlations(s.CorrelationStart))
	if s.ModelRMSFinal == nil {
		return
	}
	say("model error %.1f m/s RMS below the water, at the start %.1f: a ratio of %.3f", *s.ModelRMSFinal, *s.ModelRMSStart, *s.ModelRMSFinal / *s.ModelRMSStart)
	if s.SSIMFinal != nil {
		say("structural similarity %.3f, at the start %.3f", *s.SSIMFinal, *s.SSIMStart)
	}
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// correlations lists a few values, and of many the range and the median.
func correlations(v []float64) string {
	if len(v) <= 6 {
		text := make([]string, len(v))
		for i, c := range v {
			text[i] = fmt.Sprintf("%.3f", c)
		}
		return strings.Join(text, ", ")
	}
	sorted := slices.Sorted(slices.Values(v))
	return fmt.Sprintf("%.3f to %.3f, median %.3f", sorted[0], sorted[len(v)-1], sorted[len(v)/2])
}

// bars shows progress: one bar a stage, silent where there is no terminal but for a line a stage.
type bars struct {
	out      io.Writer
	quiet    bool
	progress *mpb.Progress
	bar      *mpb.Bar
	last     fwi.Progress
	text     string
}

func newBars(cmd *cobra.Command, quiet bool) *bars {
	return &bars{out: cmd.OutOrStdout(), quiet: quiet}
}

func (b *bars) begin(name string, total int) {
	b.end()
	b.progress = mpb.New(mpb.WithOutput(os.Stderr), mpb.WithWidth(40), mpb.WithRefreshRate(200*time.Millisecond))
	b.bar = b.progress.AddBar(int64(total), mpb.PrependDecorators(decor.Name(name)), mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.text })))
}

func (b *bars) end() {
	if b.progress == nil {
		return
	}
	if !b.bar.Completed() {
		b.bar.Abort(false)
	}
	b.progress.Wait()
	b.progress, b.bar = nil, nil
}

func (b *bars) modelling() func(done, of int) {
	if b.quiet {
		return nil
	}
	return func(done, of int) {
		if b.bar == nil {
			b.begin("modelling data ", of)
		}
		b.bar.SetCurrent(int64(done))
	}
}

// say prints a line without tearing the bar.
func (b *bars) say(say fwi.Notice) fwi.Notice {
	return func(format string, args ...any) {
		b.end()
		say(format, args...)
	}
}

// closeStage prints the last line of a stage that ended before it had used its iterations.
func (b *bars) closeStage() {
	b.end()
	if b.last.Iteration > 0 && b.last.Iteration < b.last.Of {
		fmt.Fprintf(b.out, "stage %d/%d %s  gains too little to go on\n", b.last.Stage+1, b.last.Stages, b.text)
	}
}

func (b *bars) observe(p fwi.Progress) {
	line := fmt.Sprintf(" %3d/%d  misfit %.5f", p.Iteration, p.Of, p.Misfit)
	if !math.IsNaN(p.ModelRMS) {
		line += fmt.Sprintf("  error %.1f m/s", p.ModelRMS)
	}
	line += fmt.Sprintf("  %.1f solves  %.0f s", p.Solves, p.Seconds)
	if p.Stage != b.last.Stage {
		b.closeStage()
	}
	if !p.Trial && (p.Iteration == 0 || p.Iteration == p.Of) {
		b.end()
		fmt.Fprintf(b.out, "stage %d/%d %s\n", p.Stage+1, p.Stages, line)
	}
	b.text = line
	b.last = p
	if b.quiet {
		return
	}
	if b.bar == nil && p.Iteration < p.Of {
		b.begin(fmt.Sprintf("stage %d/%d ", p.Stage+1, p.Stages), p.Of)
	}
	if b.bar != nil {
		b.bar.SetCurrent(int64(p.Iteration))
	}
}
