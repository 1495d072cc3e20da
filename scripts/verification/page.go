package main

import (
	"fmt"
	"strings"
)

// page writes docs/verification.md. records has an entry for each inversion, nil where none was made.
func page(results []result, records []*record, m machine, revision, date string) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# Verification\n")
	p("Written by `make verify`. Nothing here is typed by hand: each figure is printed by the command above it.\n")
	p("%s, revision %s, %s.\n", date, revision, m)
	p("| claim | verdict |\n|---|---|")
	for i := range results {
		r := &results[i]
		p("| [%s](#%s) | %s |", r.title, anchor(r.title), r.verdict())
	}
	for i, v := range inversions {
		p("| [Marmousi](#marmousi), start: %s | %s |", v.start, v.verdict(records[i]))
	}
	for i := range results {
		results[i].write(p)
	}
	p("\n## Marmousi\n")
	p("The original Marmousi model of the Institut Français du Pétrole, 751 × 2301 cells of 4 m. The data are modelled on a finer grid; like "+
		"real data they hold nothing below 3 Hz. Wanted: a model error, RMS in m/s below the water, of at most the stated fraction of the start's, in at most %d s on two cores. "+
		"Measured by `scripts/verify --inversions`, which keeps the figures in `docs/verification`.", wantedSeconds)
	p("\nWhere it fails, as tables and pictures show: at depth and towards the sides, where waves pass from one side only. " +
		"The cover there is off by some hundred m/s, so that the fast wedges at 2.3 km on the left and 2.1 km on the right lie wrong by a part of their thickness, " +
		"an error of more than 1 km/s, and what is below them is blurred; from the linear start the beds below the right one, from 6 km on, as well. " +
		"The data are fitted all the same ([more](decisions/schedule.md)).")
	for i, v := range inversions {
		v.write(p, records[i])
	}
	return b.String()
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s kernels, %s, gcc %s, HDF5 %s", m.CPU, m.Cores, m.Instructions, m.Go, m.GCC, m.HDF5)
}

// anchor is the link that hosts of Markdown give a heading.
func anchor(title string) string {
	keep := func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-':
			return r
		}
		return -1
	}
	return strings.Map(keep, strings.ToLower(title))
}

func (r *result) write(p func(string, ...any)) {
	p("\n## %s\n\n%s\n\n    %s\n", r.title, r.statement, r.command())
	switch {
	case len(r.failed) > 0:
		p("FAILED: %s", strings.Join(r.failed, ", "))
	case r.passed < len(r.tests):
		p("NOT RUN: %d of %d tests exist", r.passed, len(r.tests))
	case len(r.figures) == 0:
		p("The test holds the bound and prints no figure.")
		return
	}
	for _, figure := range r.figures {
		p("- %s", figure)
	}
}

func (v *inversion) verdict(r *record) string {
	switch {
	case r == nil:
		return "not measured"
	case v.met(r):
		return fmt.Sprintf("holds: ratio %.3f in %.0f s", r.ratio(), r.Summary.WallSeconds)
	}
	return fmt.Sprintf("MISSED: ratio %.3f in %.0f s", r.ratio(), r.Summary.WallSeconds)
}

func (v *inversion) met(r *record) bool {
	return r.ratio() <= v.ratio && r.Summary.WallSeconds <= wantedSeconds
}

func (r *record) ratio() float64 { return *r.Summary.ModelRMSFinal / *r.Summary.ModelRMSStart }

func (v *inversion) write(p func(string, ...any), r *record) {
	p("\n### Start: %s\n", v.start)
	if r == nil {
		p("Not measured: the model was absent, or the inversions have not been run. The README says where to get it.")
		return
	}
	s := r.Summary
	p("    %s\n", r.Command)
	p("%s, revision %s, %s.\n", r.Date, r.Revision, r.Machine)
	p("| | start | result |\n|---|---|---|")
	p("| model error (m/s) | %.1f | %.1f |", *s.ModelRMSStart, *s.ModelRMSFinal)
	if s.SSIMStart != nil && s.SSIMFinal != nil {
		p("| structural similarity | %.3f | %.3f |", *s.SSIMStart, *s.SSIMFinal)
	}
	p("| misfit of the whole band | %.4g | %.4g |", s.MisfitStart, s.MisfitFinal)
	for _, w := range r.Where {
		p("| model error, %s (m/s) | %.1f | %.1f |", w.Name, w.Start, w.Final)
	}
	p("\nRatio of the model errors %.3f, wanted at most %.1f. %d iterations in %d stages, %.1f wave solves per shot, %.0f s.\n", r.ratio(), v.ratio, s.Iterations, s.Stages, s.WaveSolves, s.WallSeconds)
	p("![start, result, truth and difference](verification/%s.png)", v.name)
}
