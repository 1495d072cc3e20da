// Command verification runs the tests that print what they measure, and with --inversions the inversions of Marmousi, and writes
// docs/verification.md from both. It fails when a claim does not hold.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"gofwi/fwi"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	invert := flag.Bool("inversions", false, "run the inversions of Marmousi (a quarter of an hour on two cores)")
	finished := flag.Bool("finished", false, "record the inversions that lie finished in build/verification, instead of running them")
	model := flag.String("marmousi", "../shared/data/marmousi_original_4m.h5", "the original Marmousi model, a file with /vp")
	out := flag.String("out", "docs", "folder of verification.md and of verification/, the records of the inversions")
	flag.Parse()
	records := filepath.Join(*out, "verification")
	if err := os.MkdirAll(records, 0o755); err != nil {
		return err
	}
	m := thisMachine()
	results, err := measure(ctx)
	if err != nil {
		return err
	}
	if *finished {
		for _, v := range inversions {
			if _, err := os.Stat(filepath.Join(v.out(), "summary.json")); err != nil {
				fmt.Fprintf(os.Stderr, "skipped %s: it has not finished\n", v.name)
				continue
			}
			_, command := v.command(*model, flag.Args())
			if err := v.keep(command, records, m); err != nil {
				return err
			}
		}
	} else if *invert {
		if _, err := os.Stat(*model); err != nil {
			fmt.Fprintf(os.Stderr, "skipped the inversions: there is no %s\n", *model)
		} else if err := invertAll(ctx, *model, records, m); err != nil {
			return err
		}
	}
	var known []*record
	for _, v := range inversions {
		r, err := v.recall(records)
		if err != nil {
			return err
		}
		known = append(known, r)
	}
	path := filepath.Join(*out, "verification.md")
	if err := fwi.WriteFile(path, []byte(page(results, known, m, revision(), time.Now().UTC().Format(time.DateOnly)))); err != nil {
		return err
	}
	fmt.Println(path)
	return unmet(results, known)
}

func invertAll(ctx context.Context, model, folder string, m machine) error {
	for _, v := range inversions {
		if err := v.invert(ctx, model, folder, flag.Args(), m); err != nil {
			return err
		}
	}
	return nil
}

// unmet returns an error that names the claims that do not hold and the recorded inversions that missed what is wanted.
func unmet(results []result, records []*record) error {
	var all []error
	for i := range results {
		if v := results[i].verdict(); v != "holds" {
			all = append(all, fmt.Errorf("%s: %s", results[i].title, v))
		}
	}
	for i, r := range records {
		if r != nil && !inversions[i].met(r) {
			all = append(all, fmt.Errorf("%s: %s", inversions[i].name, inversions[i].verdict(r)))
		}
	}
	return errors.Join(all...)
}
