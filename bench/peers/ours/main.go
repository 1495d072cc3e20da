// Command ours is this project's side of the comparison with other codes. It speaks the language of ../peer.py:
//
//	ours [-whole-grid] FOLDER
//
// reads FOLDER/problem.json and its arrays, then one command per line, and answers each with one line of JSON.
// With -whole-grid it steps also the cells that the wave has not reached.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gofwi/wave"
)

type description struct {
	Shape     []int
	Spacing   float64
	DT        float64
	NT        int
	Layer     int
	VMax      float64
	Sources   [][]int
	Receivers [][]int
	Threads   int
}

type problem struct {
	description
	folder      string
	wholeGrid   bool
	grid        wave.Grid
	survey      *wave.Survey
	propagators map[[2]int]*wave.Propagator // by order and snapshot interval
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ours:", err)
		os.Exit(1)
	}
}

func run() error {
	wholeGrid := flag.Bool("whole-grid", false, "step all cells at every step")
	flag.Parse()
	if flag.NArg() != 1 {
		return fmt.Errorf("usage: ours [-whole-grid] FOLDER")
	}
	p, err := load(flag.Arg(0))
	if err != nil {
		return err
	}
	p.wholeGrid = *wholeGrid
	answers := json.NewEncoder(os.Stdout)
	if err := answers.Encode(map[string]any{"code": "gofwi", "threads": p.Threads}); err != nil {
		return err
	}
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		seconds, err := p.execute(strings.Fields(commands.Text()))
		if err != nil {
			return fmt.Errorf("%s: %w", commands.Text(), err)
		}
		if err := answers.Encode(map[string]float64{"seconds": seconds}); err != nil {
			return err
		}
	}
	return commands.Err()
}

func load(folder string) (*problem, error) {
	text, err := os.ReadFile(filepath.Join(folder, "problem.json"))
	if err != nil {
		return nil, err
	}
	p := &problem{folder: folder, propagators: map[[2]int]*wave.Propagator{}}
	if err := json.Unmarshal(text, &p.description); err != nil {
		return nil, err
	}
	if p.grid = wave.NewGrid2D(p.Shape[0], p.Shape[len(p.Shape)-1], p.Spacing, p.Spacing); len(p.Shape) == 3 {
		p.grid = wave.NewGrid3D(p.Shape[0], p.Shape[1], p.Shape[2], p.Spacing, p.Spacing, p.Spacing)
	}
	wavelet, err := p.read("wavelet", p.NT)
	if err != nil {
		return nil, err
	}
	p.survey = wave.FixedSpread(p.positions(p.Sources), p.positions(p.Receivers), wavelet, p.DT)
	return p, nil
}

func (p *problem) positions(cells [][]int) []wave.Position {
	at := make([]wave.Position, len(cells))
	for i, c := range cells {
		for _, cell := range c {
			at[i] = append(at[i], float64(cell)*p.Spacing)
		}
	}
	return at
}

func (p *problem) read(name string, n int) ([]float32, error) {
	f, err := os.Open(filepath.Join(p.folder, name+".f32"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	array := make([]float32, n)
	return array, binary.Read(bufio.NewReader(f), binary.LittleEndian, array)
}

func (p *problem) write(name string, arrays ...[]float32) error {
	f, err := os.Create(filepath.Join(p.folder, name+".f32"))
	if err != nil {
		return err
	}
	defer f.Close()
	for _, a := range arrays {
		if err := binary.Write(f, binary.LittleEndian, a); err != nil {
			return err
		}
	}
	return f.Close()
}

// execute returns the seconds that a command's calculation took.
func (p *problem) execute(words []string) (float64, error) {
	switch {
	case len(words) >= 3 && words[0] == "forward":
		order, err := strconv.Atoi(words[2])
		if err != nil {
			return 0, err
		}
		return p.forward(words[1], order, words[3:])
	case len(words) >= 3 && words[0] == "gradient":
		order, err := strconv.Atoi(words[1])
		if err != nil {
			return 0, err
		}
		interval, err := strconv.Atoi(words[2])
		if err != nil {
			return 0, err
		}
		return p.gradient(order, interval, words[3:])
	}
	return 0, fmt.Errorf("unknown command")
}

// propagator returns one that is kept from call to call, as an inversion keeps it.
func (p *problem) propagator(order, interval int) (*wave.Propagator, error) {
	key := [2]int{order, interval}
	if known := p.propagators[key]; known != nil {
		return known, nil
	}
	made, err := wave.NewPropagator(p.grid, p.survey, wave.Options{MaxVelocity: p.VMax, Order: order, DT: p.DT, Layer: p.Layer,
		SnapshotInterval: interval, Threads: p.Threads, WholeGrid: p.wholeGrid})
	if err == nil {
		p.propagators[key] = made
	}
	return made, err
}

func (p *problem) forward(model string, order int, save []string) (float64, error) {
	velocity, err := p.read(model, p.grid.Cells())
	if err != nil {
		return 0, err
	}
	propagator, err := p.propagator(order, 0)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	gathers, err := propagator.Forward(context.Background(), velocity, p.survey.AllShots())
	seconds := time.Since(begin).Seconds()
	if err == nil && len(save) > 0 {
		err = p.write(save[0], gathers...)
	}
	return seconds, err
}

func (p *problem) gradient(order, interval int, save []string) (float64, error) {
	velocity, err := p.read("start", p.grid.Cells())
	if err != nil {
		return 0, err
	}
	gather := p.NT * len(p.Receivers)
	observed, err := p.read("observed", gather*len(p.Sources))
	if err != nil {
		return 0, err
	}
	taper, err := p.read("taper", p.NT)
	if err != nil {
		return 0, err
	}
	propagator, err := p.propagator(order, interval)
	if err != nil {
		return 0, err
	}
	misfit := func(shot int, synthetic, adjoint []float32) (float64, error) {
		var sum float64
		for i, d := range observed[shot*gather : (shot+1)*gather] {
			r := synthetic[i] - d
			adjoint[i] = taper[i%p.NT] * r
			sum += 0.5 * float64(adjoint[i]) * float64(r)
		}
		return sum, nil
	}
	begin := time.Now()
	g, err := propagator.Gradient(context.Background(), velocity, p.survey.AllShots(), misfit)
	seconds := time.Since(begin).Seconds()
	if err == nil && len(save) > 0 {
		err = p.write(save[0], g.VP)
	}
	return seconds, err
}
