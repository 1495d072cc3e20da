package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"gofwi/fwi"
)

// refuseExisting returns an error if a file would be overwritten unasked.
func refuseExisting(path string, overwrite bool) error {
	if _, err := os.Stat(path); err == nil && !overwrite {
		return fmt.Errorf("%s exists: choose another name, or --overwrite it", path)
	}
	return nil
}

func newModelCommand() *cobra.Command {
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "model FILE.h5 OUT.h5",
		Short: "Model the data of a velocity model and write the complete problem",
		Long:  "model completes a problem as run does (survey, update mask, start model, where the file has none), models the data in the true model, and writes it all to OUT.h5.",
		Args:  cobra.ExactArgs(2),
	}
	flags := addConfigFlags(cmd)
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "replace OUT.h5 if it exists")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := refuseExisting(args[1], overwrite); err != nil {
			return err
		}
		p, err := fwi.OpenProblem(args[0])
		if err != nil {
			return err
		}
		if p.Truth == nil {
			return errors.New("there is no true model (/vp) to model data in")
		}
		p.Observed = nil
		c, err := flags.resolve(cmd, args[0])
		if err != nil {
			return err
		}
		say := func(format string, a ...any) { fmt.Fprintf(cmd.OutOrStdout(), format+"\n", a...) }
		say("%s: %s", args[0], describe(p))
		bars := newBars(cmd, false)
		_, err = fwi.Prepare(cmd.Context(), p, c, say, bars.modelling())
		bars.end()
		if err != nil {
			return err
		}
		if err := p.Save(args[1]); err != nil {
			return err
		}
		say("%s: %d gathers of %d receivers and %d samples every %g ms", args[1], len(p.Observed), len(p.Survey.Shots[0].Receivers), p.Survey.NT, 1e3*p.Survey.DT)
		return nil
	}
	return cmd
}
