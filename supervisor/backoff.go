package supervisor

import (
	"fmt"
	"math"
	"math/bits"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// Backoff makes a supervisor wait before it starts a child again. The zero
// value is OTP's behaviour: no wait. It is about restarts only, not about the
// first start, nor about StartChild and RestartChild.
//
// With it a restart decision is counted (Intensity, MaxRestarts) when it is
// made, and carried out after a delay. Meanwhile the child is Restarting, and
// all others go on, those that the Strategy restarts with it too: they are
// ended when the delay is over. TerminateChild cancels the restart; a group
// restart because of another child includes it. A start that fails in a restart
// is the next such decision.
//
// The delay of a child's first try is Initial, that of each further one Factor
// times the one before, at most Max. A child that was up for Reset or longer
// begins anew, and so do all children when their supervisor is started again.
type Backoff struct {
	// Initial is the delay of the first try. Zero: no backoff; then no other
	// field may be set.
	Initial time.Duration

	// Max is the longest delay, at least Initial. Zero means DefaultMaxBackoff,
	// or Initial if that is longer.
	Max time.Duration

	// Factor is what the delay grows by from try to try, at least 1. Zero means
	// DefaultBackoffFactor.
	Factor float64

	// Jitter is the part of the delay that is random, from 0 to 1: the delay is
	// shortened by at most that part of it.
	Jitter float64

	// Reset is how long a child must have been up for its delay to begin anew.
	// Zero means Max.
	Reset time.Duration

	// Seed makes the randomness of one application differ from another's. The
	// delay is a function of Seed, the child's name and the number of the try.
	Seed uint64

	_ struct{}
}

// Defaults of Backoff's fields.
const (
	// DefaultMaxBackoff is a Backoff's Max.
	DefaultMaxBackoff = time.Minute
	// DefaultBackoffFactor is a Backoff's Factor.
	DefaultBackoffFactor = 2
)

// on reports whether there is a delay.
func (b *Backoff) on() bool { return b.Initial > 0 }

func (b *Backoff) max() time.Duration { return or(b.Max, max(b.Initial, DefaultMaxBackoff)) }

func (b *Backoff) reset() time.Duration { return or(b.Reset, b.max()) }

// delay returns how long to wait before the try-th try, from 1, to start the
// child of that name. It is never zero. Every machine computes the same: no
// product is fused with a sum, and no function of package math is used.
func (b *Backoff) delay(name statemachine.Name, try uint32) time.Duration {
	d := b.max()
	if f := float64(float64(b.Initial) * power(or(b.Factor, DefaultBackoffFactor), try-1)); f < float64(d) {
		d = time.Duration(f)
	}
	if b.Jitter > 0 {
		part := float64(float64(d) * b.Jitter)
		d -= time.Duration(part * unit(hash(b.Seed, name, try)))
	}
	return max(d, 1)
}

// power returns f to the n-th, by squaring.
func power(f float64, n uint32) float64 {
	p := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			p = float64(p * f)
		}
		f = float64(f * f)
	}
	return p
}

// hash mixes what a delay's randomness depends on: FNV-1a of the name, then
// splitmix64.
func hash(seed uint64, name statemachine.Name, try uint32) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	return splitmix(splitmix(seed^bits.RotateLeft64(h, 32)) + uint64(try))
}

// splitmix returns the first output of a splitmix64 generator with that state.
func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit returns a number from 0 to below 1.
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }

// wrong returns the first wrong field of b.
func (b *Backoff) wrong() (field string, err error) {
	switch none := (Backoff{Initial: b.Initial}); {
	case b.Initial < 0:
		return "Initial", fmt.Errorf("%w %v: negative", ErrInvalidBackoff, b.Initial)
	case b.Initial == 0 && *b != none:
		return "Initial", fmt.Errorf("%w: zero means none, but other fields are set", ErrInvalidBackoff)
	case b.Max != 0 && b.Max < b.Initial:
		return "Max", fmt.Errorf("%w %v: less than Initial, %v", ErrInvalidBackoff, b.Max, b.Initial)
	case b.Factor != 0 && !(b.Factor >= 1 && b.Factor <= math.MaxFloat64):
		return "Factor", fmt.Errorf("%w %v: must be at least 1", ErrInvalidBackoff, b.Factor)
	case !(b.Jitter >= 0 && b.Jitter <= 1):
		return "Jitter", fmt.Errorf("%w %v: must be from 0 to 1", ErrInvalidBackoff, b.Jitter)
	case b.Reset < 0:
		return "Reset", fmt.Errorf("%w %v: negative", ErrInvalidBackoff, b.Reset)
	}
	return "", nil
}
