package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gofwi/fwi"
	"gofwi/internal/plot"
)

func newGradientCommand() *cobra.Command {
	var overwrite bool
	var stage int
	cmd := &cobra.Command{
		Use:   "gradient FILE.h5 OUT.h5",
		Short: "Compute misfit, gradient and illumination at the start model",
		Long:  "gradient writes ∂misfit/∂vp of the start model (/gradient, per m/s) and the illumination on the user's grid to OUT.h5, and draws the gradient beside it. By default in the band of the whole schedule.",
		Args:  cobra.ExactArgs(2),
	}
	flags := addConfigFlags(cmd)
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "replace OUT.h5 if it exists")
	cmd.Flags().IntVar(&stage, "stage", 0, "stage of the schedule whose band is used (from 1; 0 is the whole band)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		picture := strings.TrimSuffix(args[1], filepath.Ext(args[1])) + ".png"
		if err := errors.Join(refuseExisting(args[1], overwrite), refuseExisting(picture, overwrite)); err != nil {
			return err
		}
		p, c, err := prepared(cmd, flags, args[0])
		if err != nil {
			return err
		}
		band := fwi.FullBand(c)
		if stage != 0 {
			if stage < 1 || stage > len(c.Stages) {
				return fmt.Errorf("stage %d is not among the %d of the schedule", stage, len(c.Stages))
			}
			band = c.Stages[stage-1]
		}
		e, err := fwi.NewEvaluator(cmd.Context(), p, c, band)
		if err != nil {
			return err
		}
		defer e.Close()
		misfit, gradient, illumination, err := e.Gradient(cmd.Context(), p.Start)
		if err != nil {
			return err
		}
		if err := fwi.WriteGradient(args[1], p, misfit, gradient, illumination); err != nil {
			return err
		}
		plan := e.Plan()
		fmt.Fprintf(cmd.OutOrStdout(), "misfit %.6g up to %g Hz\n%v\n%s and %s written\n", misfit, band.MaxFrequency, &plan, args[1], picture)
		return plot.Heatmap(picture, sections(fmt.Sprintf("gradient up to %g Hz", band.MaxFrequency), p.Grid, gradient), plot.HeatmapOptions{Quantity: "Misfit per m/s"})
	}
	return cmd
}

// prepared opens and completes a problem.
func prepared(cmd *cobra.Command, flags *configFlags, file string) (*fwi.Problem, fwi.Config, error) {
	p, err := fwi.OpenProblem(file)
	if err != nil {
		return nil, fwi.Config{}, err
	}
	c, err := flags.resolve(cmd, file)
	if err != nil {
		return nil, c, err
	}
	say := func(format string, a ...any) { fmt.Fprintf(cmd.OutOrStdout(), format+"\n", a...) }
	bars := newBars(cmd, false)
	c, err = fwi.Prepare(cmd.Context(), p, c, say, bars.modelling())
	bars.end()
	return p, c, err
}
