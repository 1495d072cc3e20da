package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// claim is a statement that tests prove. What they print on lines that start with "verification: " is the measured figure.
type claim struct {
	title, statement string
	pkg              string
	tests            []string
}

var claims = []claim{
	{"Green's function", "In a homogeneous medium the error against the analytic solution, of a line source in 2D and a point source in 3D, falls with the spacing at the nominal order, within 6 %, in 2D for each equation.",
		"./wave", []string{"TestErrorAgainstGreensFunctionFallsWithNominalOrder", "TestErrorAgainstGreensFunctionFallsWithNominalOrderIn3D"}},
	{"Differences made for a band", "Weights of the second difference that are made for a band have the least mean square of phase errors over it, and with three points per wavelength less than half as much as Taylor's with four. Those for longer waves hold their band, and their symbol stays small.",
		"./kernels", []string{"TestBandWeightsAreBest", "TestBandWeightsOfThreePointsAreBetterThanTaylorsOfFour", "TestLongWaveWeightsAreExactInTheirBandAndSmallBeyond"}},
	{"Traces on coarse grids", "On a grid of three points per wavelength such weights leave less than 0.4 of the error of Taylor's, against the analytic solution 34 of the shortest wavelengths from the source.",
		"./wave", []string{"TestBandWeightsHoldThePhaseOnCoarseGrids"}},
	{"Absorbing layer", "A layer of 20 cells, or of 10 at order 8 as in inversions (8 in 3D), reflects less than 1e-3 of an incident wave, up to 59° of incidence.",
		"./wave", []string{"TestAbsorbingLayerReflectsLessThanOneInAThousand", "TestAbsorbingLayerReflectsLessThanOneInAThousandIn3D"}},
	{"Stability limit", "The largest stable time step of the acoustic equation is the one that is computed: a step just below it stays bounded, one just above it does not.",
		"./kernels", []string{"TestTimeStepLimitIsTheStabilityLimit"}},
	{"Dot products of the kernels", "Forward and Born and their adjoints agree to 1e-11 in float64, all orders, with and without free surface.",
		"./kernels", []string{"TestAdjointOfForwardAndBornPassDotProduct"}},
	{"Dot products of the propagator", "The same with resampling of traces, interpolation of positions and absorbing layers.",
		"./wave", []string{"TestBornAndForwardPassDotProduct"}},
	{"Taylor test", "The remainder of the misfit's expansion along a change of velocity falls with order 2.0 ± 0.1.",
		"./wave", []string{"TestGradientMatchesTaylorExpansion"}},
	{"Adjoint sources", "The adjoint source of every misfit passes the Taylor test.",
		"./fwi", []string{"TestAdjointSourcePassesTaylorTest"}},
	{"Float32 against the reference", "Gradients, illuminations, wavelet gradients and misfits of the float32 kernels agree with the plain float64 implementation to 1e-4.",
		"./wave", []string{"TestFloat32KernelsMatchReference"}},
	{"Storage strategies", "The gradient from every k-th step agrees with that from every step to 2e-3, the illumination to 1e-2.",
		"./wave", []string{"TestEverykthStorageAgreesWithEveryStep"}},
	{"Storage strategies against each other", "Gradients, illuminations and wavelet gradients with storage disk and revolve have the bits of every-kth, those with boundary agree to 1e-10 in float64 and 1e-4 in float32, those with sixteen-bit to 4e-3, which is 2⁻⁸; on the grid and next to a corner, over all borders of pieces, with the same Taylor test.",
		"./wave", []string{"TestStorageStrategiesGiveTheSameGradient", "TestBoundaryStorageInSinglePrecision", "TestEveryStorageGradientMatchesTaylorExpansion", "TestStorageKeepsShotsApart"}},
	{"Planned memory", "The plan's bytes are those that a worker's solvers and buffers hold, to 1 %; a plan stays within its limit.",
		"./wave", []string{"TestPlannedMemoryIsWhatAGradientTakes", "TestPlannerChoosesWhatFits"}},
	{"Threads", "Misfit, gradient and illumination are the same bits for any number of threads, over shots and in 3D inside shots.",
		"./wave", []string{"TestThreadsDoNotChangeABit"}},
	{"Table of equations", "What the tests of kernels and propagator above say holds for every equation of the table, one of which a package outside adds; the planner leaves out the storage that an equation does not allow.",
		"./wave", []string{"TestPlannerKnowsTheEquation"}},
	{"Page on equations", "docs/equations.md shows all of the code of the equation that it adds, and no other.",
		"./examples/equation/damped", []string{"TestPageShowsTheCode"}},
	{"Cells not reached", "Leaving out what the wave has not reached changes no bit of records, Born records, snapshots and illumination, and gradients by 1e-6 in float32 and 1e-14 in float64, in 2D and 3D, all instruction sets.",
		"./kernels", []string{"TestSkippingWhatTheWaveHasNotReachedChangesNoBit", "TestResetForgetsWhatTheWaveHasReached", "TestRowsAreLeftAfterTheirLastStep"}},
	{"Negligible amplitudes", "What inversions leave out besides, forerunners below 1e-9 of what is injected and rows from which nothing comes to a receiver any more, leaves gathers and gradients as far from those of float64 as float32 is without, to a tenth, with storages that keep, rebuild or repeat the field.",
		"./wave", []string{"TestWhatIsNegligibleIsNotMissed", "TestLastStepsFollowTheRowsVelocities"}},
	{"Uneven rows", "With rows that lie as far apart as the velocities at their depth allow, traces are within three times the error of even rows; dot products agree to 1e-11, gradients pass the Taylor test at all cells, and kernels and storages agree; the computed limit of the time step is stable, and rows of any velocities give a positive operator.",
		"./wave", []string{"TestStretchedRowsGiveTheTracesOfFineOnes", "TestRowsLieAsWideAsWantedAndSmoothly", "TestStretchedRowsKeepAdjointsAndGradientsExact", "TestStretchedRowsAreSteppedAlikeByAllKernelsAndStorages", "TestStretchedRowsAreStableAtTheirLimit", "TestRowsOfAnyVelocitiesAreStable"}},
	{"Receivers at one depth", "Receivers that share rows are read and injected as one row, as the plain float64 implementation does it receiver by receiver, to 1e-12; points that do not share them are not taken for such.",
		"./kernels", []string{"TestReceiversAtOneDepthMatchReference", "TestPointsThatShareNoLine"}},
	{"Density", "A step in density reflects its coefficient to 5 %; with a given density dot products agree to 1e-11 and gradients pass the Taylor test, and kernels and storages agree; what could grow is refused.",
		"./wave", []string{"TestReflectionFromAStepInDensityHasItsCoefficient", "TestDensityKeepsAdjointsAndGradientsExact", "TestDensityIsSteppedAlikeByAllKernelsAndStorages", "TestPotentialBoundsTheStepAndRefusesWhatWouldGrow"}},
	{"Gauss-Newton", "The product with the Gauss-Newton Hessian is the derivative of the gradient where the data fit, and symmetric.",
		"./fwi", []string{"TestHessianProductIsTheGradientsDerivativeWhereTheDataFit", "TestGaussNewtonTakesFewerIterationsThanLBFGS"}},
	{"Reach of the misfits", "Least squares pull a late wavelet back from less than 0.6 periods; envelopes from 0.8, transport and, of single arrivals, the adaptive misfit from 2 and more.",
		"./fwi", []string{"TestMisfitsReachBeyondHalfAPeriod"}},
	{"Regularisation", "Tikhonov's derivatives are those of its quadratic; denoising by total variation reaches the minimum, the projection keeps edges and its limit; the schedule made by default regularises its lowest frequency.",
		"./fwi", []string{"TestTikhonovsDerivatives", "TestDefaultRegularisation", "TestDenoisingMinimises", "TestProjectionKeepsEdges", "TestRegularisedInversions"}},
	{"Attempts and chosen traces", "Of several attempts from one model the best goes on, to the bits of a run without the others; traces half a period off are left out; noise is judged to a quarter.",
		"./fwi", []string{"TestTheBestOfSeveralAttemptsGoesOn", "TestTracesOnTheWrongCycleAreLeftOut", "TestNoiseIsJudgedByWhatComesBeforeTheArrivals"}},
	{"Balance", "Weak arrivals are raised as the power says, silence no further than to the floor; without it a misfit is, to the bit, that of data that were never balanced.",
		"./fwi", []string{"TestBalanceRaisesWeakArrivals", "TestMisfitWithoutBalance"}},
	{"Encoded shots", "Misfits and gradients of encoded shots average to those of separate ones.",
		"./fwi", []string{"TestEncodedMisfitsAverageToThatOfSeparateShots"}},
	{"Grids of stages", "A coarse model whose cells hold the mean of 1/v² predicts the data of thin beds at least four times as well as one that holds the mean of v or single samples.",
		"./scripts/verification", []string{"TestCoarseModelsOfMeanSlownessSquaredPredictTheData"}},
	{"Thinned shots", "A stage that hears every n-th shot costs as much less, and its misfit stands for the survey's; the default schedule's do so where shots are close, in turns.",
		"./fwi", []string{"TestEverySoManythShot", "TestDefaultScheduleThinsTheShots", "TestTracesAreChosenAmongTheShotsThatAreHeard", "TestThinnedShotsStandForTheSurvey"}},
	{"Thinned receivers", "Receivers thinned to 0.75 of a cell give the same gradient but for its scale, to a correlation of 0.999.",
		"./scripts/verification", []string{"TestThinnedReceiversGiveTheSameGradient"}},
	{"Gradient of a stage", "The gradient on the user's grid, through the restriction to the stage's grid, matches finite differences of the misfit.",
		"./fwi", []string{"TestEvaluatorsGradientMatchesFiniteDifferences"}},
	{"Resuming and threads of a run", "An interrupted inversion that is resumed ends with the same bits, as it does on any number of threads.",
		"./fwi", []string{"TestResumedRunEndsWithTheSameBits", "TestThreadsDoNotChangeARun"}},
	{"CUDA kernels, on the fake driver", "On a driver that runs the CUDA kernels on the CPU, and on no GPU, batches of shots record, scatter and image what the CPU's kernels do, to 1e-11 in float64 and 5e-6 in float32; the adjoint is that of the discrete scheme to 1e-11.",
		"./kernels/cuda", []string{"TestBatchesMatchTheCPU", "TestBatchAdjointPassesDotProduct", "TestChunksAndBatchesDoNotChangeABit", "TestPTXIsOfThePresentSource"}},
	{"CUDA backend, on the fake driver", "On the same driver, and on no GPU, gradients with every storage strategy are the CPU's, device memory returns to where it was, several devices give what one gives, plans stay within the device's memory and are made anew where it has shrunk.",
		"./wave", []string{"TestCUDAGradientsAreThoseOfTheCPU", "TestCUDAInSinglePrecisionIsTheCPU", "TestCUDABatchesKeepShotsApart", "TestCUDASeveralDevicesGiveWhatOneGives", "TestCUDAPlansWithinTheDeviceMemory"}},
	{"Faults of GPUs, on the fake driver", "No driver, no device, an old driver and a failing kernel are sentences; a run in which a kernel fails is saved and resumed on the CPU.",
		"./cmd/fwi", []string{"TestCUDARunThatFailsIsResumedOnTheCPU", "TestCUDARunTakesTheGPUAndArrivesWhereTheCPUDoes"}},
}

// result is what the tests of a claim did.
type result struct {
	claim
	figures []string
	passed  int // of its tests
	failed  []string
}

// tags returns those of the build in which the claim's tests are: what runs on GPUs needs cuda, and the environment that scripts/verify sets.
func (c claim) tags() string {
	if c.pkg == "./kernels/cuda" || strings.HasPrefix(c.tests[0], "TestCUDA") {
		return "cuda"
	}
	return ""
}

func (c claim) command() string {
	return fmt.Sprintf("go test -count=1 -v%s -run '^(%s)$' %s", strings.TrimSuffix(" -tags "+c.tags(), " -tags "), strings.Join(c.tests, "|"), c.pkg)
}

func (r *result) verdict() string {
	switch {
	case len(r.failed) > 0:
		return "FAILED"
	case r.passed < len(r.tests):
		return "NOT RUN"
	}
	return "holds"
}

// measure runs the tests of all claims.
func measure(ctx context.Context) ([]result, error) {
	results := make([]result, len(claims))
	for i, c := range claims {
		fmt.Fprintf(os.Stderr, "%s\n", c.command())
		results[i].claim = c
		cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-json", "-tags", c.tags(), "-run", "^("+strings.Join(c.tests, "|")+")$", c.pkg)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		if err := results[i].read(out); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", c.command(), err), cmd.Wait())
		}
		if err := cmd.Wait(); err != nil && len(results[i].failed) == 0 {
			return nil, fmt.Errorf("%s: %w", c.command(), err)
		}
	}
	return results, nil
}

// read follows the output of 'go test -json'.
func (r *result) read(in io.Reader) error {
	const mark = "verification: "
	line := map[string]string{} // unfinished, by test
	s := bufio.NewScanner(in)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var e struct{ Action, Test, Output string }
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			continue // what the compiler prints
		}
		switch e.Action {
		case "output":
			line[e.Test] += e.Output
			if text, whole := strings.CutSuffix(line[e.Test], "\n"); whole {
				if figure, ok := strings.CutPrefix(text, mark); ok {
					r.figures = append(r.figures, figure)
				}
				line[e.Test] = ""
			}
		case "pass":
			if slices.Contains(r.tests, e.Test) {
				r.passed++
			}
		case "fail":
			if e.Test != "" {
				r.failed = append(r.failed, e.Test)
			}
		}
	}
	return s.Err()
}
