package eventloop_test

import (
	"testing"
	"testing/synctest"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// Whoever watches a process is told of its end when its Terminate is over, not
// when the loop has something else to do.
func TestWatcherIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan statemachine.Message, 1)
		watcher := &statemachine.Machine[int, int, int]{
			Init:    func(start statemachine.Start[int]) (int, error) { start.Fx.Monitor("watched"); return 0, nil },
			Step:    func(in, s int, fx *statemachine.Effects[int]) (int, int) { told <- fx.Message(); return s, 0 },
			Message: func(statemachine.Message) int { return 0 },
			Input:   codec.Of[int](),
			Output:  codec.Of[int](),
		}
		watched := &statemachine.Machine[int, int, int]{
			Step:      statemachine.Pure(func(in, s int) (int, int) { return s, 0 }),
			Terminate: func(statemachine.Name, int, statemachine.Reason) {},
			Input:     codec.Of[int](),
			Output:    codec.Of[int](),
		}
		l, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{Name: "root", Children: []supervisor.Child{
			supervisor.Worker{Name: "watched", Machine: watched, Restart: supervisor.Temporary},
			supervisor.Worker{Name: "watcher", Machine: watcher},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.StopProcess(t.Context(), "watched", statemachine.Shutdown); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		select {
		case m := <-told:
			if m != (statemachine.MonitorDown{Name: "watched", Reason: statemachine.Shutdown}) {
				t.Errorf("it is told %v", m)
			}
		default:
			t.Error("it is not told")
		}
		if err := l.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
