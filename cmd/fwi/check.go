package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gofwi/fwi"
)

func newCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check FILE.h5",
		Short: "Check stability, dispersion, cycle skipping, memory, adjoint and gradient of a problem",
		Long: "check prints the plan of a run and what may go wrong with it: points per wavelength, the share of traces that the start model predicts with more than half a period of error, memory; " +
			"and proves the propagator on the problem's own model and survey with an adjoint dot product and a Taylor test in float64.",
		Args: cobra.ExactArgs(1),
	}
	flags := addConfigFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, c, err := prepared(cmd, flags, args[0])
		if err != nil {
			return err
		}
		say := func(format string, a ...any) { fmt.Fprintf(cmd.OutOrStdout(), format+"\n", a...) }
		plans, err := fwi.PlanStages(p, c)
		if err != nil {
			return err
		}
		if err := printPlan(cmd.Context(), p, c, plans, say); err != nil {
			return err
		}
		report, err := fwi.Check(cmd.Context(), p, c)
		if err != nil {
			return err
		}
		failed := 0
		for _, r := range report {
			verdict := "ok     "
			switch r.Verdict {
			case fwi.Warning:
				verdict = "warning"
			case fwi.Failure:
				verdict = "FAILED "
				failed++
			}
			say("%s  %s", verdict, r.Text)
		}
		if failed > 0 {
			return fmt.Errorf("%w: %d of %d", errCheck, failed, len(report))
		}
		return nil
	}
	return cmd
}

var errCheck = errors.New("checks failed")
