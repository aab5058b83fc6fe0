package eventloop_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/journal"
)

// A codec that ends the goroutine which writes a batch costs an end in the same
// batch nothing.
func TestGoexitBehindAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine()
		m.Input = unlucky()
		mem := new(journal.Memory)
		log := &heldLog{Log: mem}
		l := start(t, always(log, worker("a", m), worker("b", m)))
		a, b := refTo(t, l, "a"), refTo(t, l, "b")
		log.hold()
		inBackground(func() error { _, err := b.Call(context.Background(), input{}); return err })
		crashed := inBackground(func() error { _, err := a.Call(t.Context(), input{Get: true, Crash: "custom"}); return err })
		inBackground(func() error { _, err := b.Call(context.Background(), input{Add: 13}); return err })
		log.release()
		if err := <-crashed; err == nil {
			t.Error("a read that crashes has no error")
		}
		synctest.Wait()
		if got := call(t, a, input{Add: 1}); got.Sum != 1 || got.Inits != 2 {
			t.Errorf("%+v, want a sum of 1 in the second life", got)
		}
		wantSum(t, always(mem.Reopen(), worker("a", m), worker("b", m)), "a", 1)
	})
}
