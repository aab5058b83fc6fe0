package backplane_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// moody returns a machine that ends as it is told, or says what it was told when
// it traps exits. Its state is what it was told so far.
func moody() *statemachine.Machine[string, string, string] {
	return &statemachine.Machine[string, string, string]{
		Init: func(s statemachine.Start[string]) (string, error) {
			if strings.HasPrefix(string(s.Name), "trap") {
				s.Fx.TrapExits(true)
			}
			if s.Saved != nil {
				return *s.Saved, nil
			}
			return "", nil
		},
		Step: func(in, s string, fx *statemachine.Effects[string]) (string, string) {
			word, rest, _ := strings.Cut(in, " ")
			switch word {
			case "crash":
				panic("crash")
			case "normal":
				fx.Stop(statemachine.Normal)
			case "shutdown":
				fx.Stop(statemachine.Shutdown)
			case "shutdown_t":
				fx.Stop(statemachine.ShutdownWith(errors.New("enough")))
			case "fail":
				fx.Stop(statemachine.Crash(errFault))
			case "told":
				s += rest + ";"
			}
			return s, s
		},
		Message: func(m statemachine.Message) string {
			if m, ok := m.(statemachine.Exit); ok {
				return fmt.Sprintf("told exit %s %v", m.Name, m.Reason)
			}
			return "told " + fmt.Sprintf("%T", m)
		},
		Input:  codec.Of[string](),
		Output: codec.Of[string](),
		State:  codec.Of[string](),
	}
}

// app is a running application under test.
type app struct {
	*eventloop.Loop
	t testing.TB

	mu     sync.Mutex
	events []string
}

// start starts an application of transient workers of these names, and stops it
// when the test is over.
func start(t testing.TB, cfg eventloop.Config, names ...statemachine.Name) *app {
	t.Helper()
	a := &app{t: t}
	cfg.OnEvent = func(e eventloop.Event) {
		a.mu.Lock()
		defer a.mu.Unlock()
		switch e := e.(type) {
		case eventloop.Started:
			if !e.Supervisor {
				a.events = append(a.events, fmt.Sprint("start ", e.Name))
			}
		case eventloop.Exited:
			if !e.Supervisor {
				a.events = append(a.events, fmt.Sprint("exit ", e.Name, " ", e.Reason))
			}
		}
	}
	if cfg.Root.Name == "" {
		cfg.Root.Name = "root"
	}
	if cfg.Root.Intensity == 0 {
		cfg.Root.Intensity = 1000
	}
	for _, name := range names {
		cfg.Root.Children = append(cfg.Root.Children, supervisor.Worker{Name: name, Machine: moody(), Restart: supervisor.Transient})
	}
	l, err := eventloop.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	a.Loop = l
	t.Cleanup(func() { l.Stop(context.Background()) })
	return a
}

// tell calls a process.
func (a *app) tell(name statemachine.Name, in string) (string, error) {
	ref, err := eventloop.RefTo[string, string](a.Loop, name)
	if err != nil {
		a.t.Error(err)
		return "", err
	}
	return ref.Call(context.Background(), in)
}

// happened returns the events so far, and forgets them.
func (a *app) happened() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := strings.Join(a.events, ", ")
	a.events = nil
	return s
}
