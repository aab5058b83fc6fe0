package eventloop_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/journal"
)

// A codec that ends the goroutine which journals its input costs that input
// only; and, if that was another caller's goroutine, that one its answer.
func TestGoexitWhileJournaling(t *testing.T) {
	m := newMachine()
	m.Input = codec.Convert(codec.Of[input](), func(in input) input {
		if in.Add == 13 {
			runtime.Goexit()
		}
		return in
	}, func(in input) (input, error) { return in, nil })
	log := new(journal.Memory)
	l := start(t, always(log, worker("a", m)))
	a := refTo(t, l, "a")
	results := make(chan error, 20)
	for i := range 20 {
		go func() {
			err := errors.New("the caller's goroutine was ended") // where it journals its input itself
			defer func() { results <- err }()
			_, err = a.Call(context.Background(), input{Add: 10 + i})
		}()
	}
	failed := 0
	for range 20 {
		if err := <-results; err != nil {
			failed++
		}
	}
	// What is still queued for a caller that was ended comes before this.
	if got := call(t, a, input{Add: 1}); got.Sum != 20*10+190-13+1 || failed < 1 || failed > 2 {
		t.Errorf("%+v, and %d calls failed; want a sum of %d, and one or two", got, failed, 20*10+190-13+1)
	}
}
