package wave

import (
	"context"

	"gofwi/kernels"
)

// history keeps the forward field of one shot for its adjoint: a storage strategy at work. Each worker has its own and uses it for one
// shot after the other.
type history[T float32 | float64] interface {
	// forward runs a shot from rest to its end in the model m = v² dt² on the solver's grid, recording at the receivers.
	forward(ctx context.Context, shot *kernels.Shot[T], m []T) error
	// backward calls adjoint for pieces of the steps, the last first, with the snapshots in them.
	backward(ctx context.Context, adjoint func(n0, n1 int, snap *kernels.Snapshots[T]) error) error
	close()
}

// newHistory returns the plan's strategy for a worker's solver.
func (p *PropagatorOf[T]) newHistory(solver kernels.Solver[T]) (history[T], error) {
	switch p.plan.Storage {
	case SixteenBit:
		return newNarrowHistory(p, solver)
	case Disk:
		return newDiskHistory(p, solver)
	case Boundary:
		return newBoundaryHistory(p, solver)
	case Revolve:
		return newRevolveHistory(p, solver)
	}
	return newMemoryHistory(p, solver)
}

// stepsPerCall bounds the time that the kernels do not look at the context.
const stepsPerCall = 128

// forwardChunks calls f for pieces of steps n0 … n1-1 of the range given, adjointChunks for the like, the last first.
func forwardChunks(ctx context.Context, begin, end int, f func(n0, n1 int) error) error {
	for n := begin; n < end; n += stepsPerCall {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(n, min(n+stepsPerCall, end)); err != nil {
			return err
		}
	}
	return nil
}

func adjointChunks(ctx context.Context, begin, end int, f func(n0, n1 int) error) error {
	for n := end; n > begin; n -= stepsPerCall {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f(max(begin, n-stepsPerCall), n); err != nil {
			return err
		}
	}
	return nil
}

// piece is a range of steps n0 … n1-1 with the snapshots s0 … s1-1.
type piece struct{ n0, n1, s0, s1 int }

// pieces divides a shot into pieces of the plan's number of snapshots.
func (p *Plan) pieces() []piece {
	var out []piece
	for s := 0; s < p.Snapshots; s += p.piece {
		end := min(s+p.piece, p.Snapshots)
		out = append(out, piece{s * p.SnapshotInterval, min(end*p.SnapshotInterval, p.Steps), s, end})
	}
	return out
}

// pieceSlots returns the number of snapshots that are stepped before they go elsewhere: as many as stay in the second cache until
// then, one at least, and no more than the context may wait for.
func pieceSlots(snapshotBytes, interval, snapshots int) int {
	const cached = 1 << 20
	return max(1, min(cached/snapshotBytes, stepsPerCall/interval, snapshots))
}
