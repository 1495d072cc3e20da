// Package fwi recovers velocity models from seismic data: problems and their files, misfits, optimisers, multiscale
// schedules, and an inversion that can be interrupted and resumed. The wave equation is solved by package wave.
//
// # An inversion
//
//	p, err := fwi.OpenProblem("line.h5")                       // a data set, a model with a survey, or a bare model
//	c, err := fwi.Prepare(ctx, p, fwi.Config{}, nil, nil)      // fills in what p and c leave open
//	r := fwi.NewRun(p, c)
//	r.Observer = func(s fwi.Progress) { log.Println(s.Stage, s.Iteration, s.Misfit) }
//	r.Save = func(s *fwi.Snapshot) error { return fwi.SaveSnapshot("state.h5", fwi.Fingerprint(p, c), s) }
//	o, err := r.Invert(ctx)                                    // when ctx ends, the state is saved
//	err = fwi.WriteResult("result.h5", p, c, o, "1.0")
//
// and to go on after an interruption, before Invert:
//
//	s, err := fwi.LoadSnapshot("state.h5", fwi.Fingerprint(p, c))
//	err = r.Resume(s)
//
// A resumed run ends with the same bits as one that was not interrupted. Code that wants another loop takes the parts: an
// Evaluator gives misfit, gradient and gathers of a model in one band, a Method asks for evaluations and answers with the next
// model, a Preconditioner weights and smooths gradients. A misfit of one's own is made known with RegisterMisfit.
//
// # Problem files
//
// A problem is an HDF5 file. It needs one velocity model, and without observed data that must be the true one; Prepare makes
// what else is missing and says how.
//
// Models are sections [nz, nx] or volumes [nz, ny, nx], positions accordingly (z, x) or (z, y, x) in m, n coordinates each:
//
//	/vp or /model/vp           [nz, nx], [nz, ny, nx]    the true velocity in m/s: data are modelled in it, results compared with it
//	/rho or /model/rho         alike                     density in kg/m³, known and held fixed; absent: constant
//	/start/vp                  alike                     the model to start from
//	/update_mask               alike                     0 holds a cell, 1 frees it, between them it follows in part; absent: the
//	                                                     water layer is held
//	/survey/source_position    [shots, n]                position of each
//	/survey/receiver_position  [receivers, n]            the same for all shots, or
//	                           [shots, receivers, n]     for each its own
//	/survey/wavelet            [nt] or [shots, nt]       attribute dt: sampling interval of wavelet and data in s
//	/data/observed             [shots, receivers, nt]    recorded pressure; absent: modelled in the true model, on a finer grid with
//	                                                     another order in space than the inversion uses
//
// Arrays may be stored in any numeric type. Cells are dz by dx metres, or dz by dy by dx, the first at the position origin, zero if absent: attributes
// of the model or of the file. Positions and origin share one coordinate system. The file's attributes title, source and
// licence are texts for people; its attribute configuration, YAML as Config.Merge reads it, is what the command fwi run
// starts from.
//
// # Stages
//
// Misfits of high frequencies and far offsets have many minima, those of low frequencies and near offsets few. A schedule therefore
// inverts in stages, the latter first; a Stage is a row of it: a band, a number of iterations, and optionally fewer shots, a largest offset and another misfit.
// Each stage works on a grid of its own, as coarse as its highest frequency allows (Config.PointsPerWavelength). The model is
// restricted to that grid at the stage's beginning; what the stage changes is interpolated back and added to the model on the
// user's grid, so that detail which the stage cannot see survives it. A stage may leave out the traces that the model at its beginning predicts badly
// (Stage.MinCorrelation), and some stages may be attempts, of which the best goes on (Stage.Attempt). Data and wavelets are filtered to the band and resampled to the
// solver's time step once. Traces within a few cells of the source are left out.
//
// # Cost
//
// Cost is counted in wave solves per shot: simulating one shot through its whole record once. A misfit takes one, a misfit with
// its gradient two, and where its storage steps the forward field again as many more as that takes (wave.Plan.Recomputed), whether or not the line search keeps the model; a mini-batch of a quarter of the shots takes a quarter of that. The
// estimate of the wavelet takes one, the choice of traces another.
// The solves are those of the stage's grid, so one in an early stage takes less time than one in a late stage. Modelling the
// data and the two misfits that Summarise reports are not counted.
package fwi
