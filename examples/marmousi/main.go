// Command marmousi inverts a problem file, such as a bare velocity model, through the API of package fwi:
//
//	go run ./examples/marmousi FILE.h5 RESULT.h5 [CONFIG.yaml]
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"gofwi/fwi"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := invert(ctx, os.Stdout, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func invert(ctx context.Context, out io.Writer, args []string) error {
	if len(args) < 2 {
		return errors.New("usage: marmousi FILE.h5 RESULT.h5 [CONFIG.yaml]")
	}
	problem, err := fwi.OpenProblem(args[0])
	if err != nil {
		return err
	}
	var config fwi.Config // the zero value is the default
	if len(args) > 2 {
		text, err := os.ReadFile(args[2])
		if err != nil {
			return err
		}
		if err := config.Merge(text); err != nil {
			return fmt.Errorf("%s: %w", args[2], err)
		}
	}
	// Survey, starting model, schedule and data are made where the file has none; say tells which.
	say := func(format string, a ...any) { fmt.Fprintf(out, format+"\n", a...) }
	if config, err = fwi.Prepare(ctx, problem, config, say, nil); err != nil {
		return err
	}
	fmt.Fprint(out, fwi.FormatStages(config.Stages))

	run := fwi.NewRun(problem, config)
	run.Say = say
	run.Observer = func(p fwi.Progress) {
		if !p.Trial {
			say("stage %d, iteration %2d: misfit %.4f, model error %.1f m/s, %.0f solves per shot", p.Stage+1, p.Iteration, p.Misfit, p.ModelRMS, p.Solves)
		}
	}
	outcome, err := run.Invert(ctx)
	if err != nil {
		return err
	}
	return fwi.WriteResult(args[1], problem, config, outcome, "examples/marmousi")
}
