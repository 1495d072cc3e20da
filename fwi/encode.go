package fwi

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"gofwi/wave"
)

// separate is what a level of encoded shots is made of.
type separate struct {
	survey   *wave.Survey
	observed [][]float32
	scale    float64
}

// encode replaces the shots of a level by sums of all of them with random signs, count of them, each as costly as one shot (Krebs et al. 2009, Geophysics 74,
// WCC177). Summed over the signs, the products of different shots cancel: on average the misfit and its gradient are those of the separate shots.
func (l *level) encode(count int, seed, draw uint64) error {
	if l.separate == nil {
		l.separate = &separate{l.survey, l.observed, l.scale}
	}
	full := l.separate
	receivers := full.survey.Shots[0].Receivers
	for i, s := range full.survey.Shots {
		if &s.Receivers[0] != &receivers[0] {
			return fmt.Errorf("shot %d has receivers of its own: shots can be encoded only where all are heard by the same receivers", i)
		}
	}
	rng := rand.New(rand.NewPCG(seed, draw))
	survey := &wave.Survey{DT: full.survey.DT, NT: full.survey.NT}
	observed := make([][]float32, count)
	for k := range observed {
		sum := wave.Shot{Receivers: receivers}
		observed[k] = make([]float32, len(full.observed[0]))
		for i, s := range full.survey.Shots {
			sign := float32(2*rng.IntN(2) - 1)
			for j, position := range s.Sources {
				w := make([]float32, survey.NT)
				for n, v := range s.Wavelets[min(j, len(s.Wavelets)-1)] {
					w[n] = sign * v
				}
				sum.Sources, sum.Wavelets = append(sum.Sources, position), append(sum.Wavelets, w)
			}
			for n, v := range full.observed[i] {
				observed[k][n] += sign * v
			}
		}
		survey.Shots = append(survey.Shots, sum)
	}
	propagator, err := wave.NewPropagator(l.grid, survey, l.options)
	if err != nil {
		return err
	}
	l.propagator.Close()
	l.propagator, l.survey, l.observed = propagator, survey, observed
	l.weights, l.scale = make([][]float32, count), full.scale/float64(count)
	return nil
}

// checkEncoded refuses what encoded shots cannot have: whatever tells the traces of one shot from those of another.
func (s Stage) checkEncoded(c Config, misfit string) error {
	if s.Encoded < 0 {
		return fmt.Errorf("%d encoded shots", s.Encoded)
	}
	if s.Encoded > 0 && (s.Shots > 0 || s.MinOffset > 0 || s.MaxOffset > 0 || s.Damping > 0 || s.Window.any() || s.MinCorrelation > 0 || c.EstimateWavelet || c.RejectTraces > 0 || misfit != "least-squares") {
		return errors.New("encoded shots take all shots and offsets at all times, least-squares, and neither rejected traces nor estimated wavelets: what tells shots apart is lost in their sum")
	}
	return nil
}
