package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lineshaft/lineshaft/conformance/scenario"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// patience is how long an operation may take, in the scenario's time, until
// the trace says that it hangs.
const patience = time.Hour

// Play plays a scenario on an event loop and returns the trace. wait returns
// when nothing goes on any more but what waits for time to pass: call Play in a
// bubble of testing/synctest, where that is synctest.Wait, and the trace is the
// same every time.
func Play(s *scenario.Scenario, wait func()) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p := &player{
		scn: s, out: scenario.NewTrace(s.Name), wait: wait, ctx: ctx, never: make(chan struct{}),
		plans: scenario.Plans{}, parents: map[string]string{}, known: map[string]bool{},
		alive: map[string]bool{}, told: map[string]statemachine.Class{}, own: map[string]bool{},
		ended: map[string]statemachine.Reason{},
	}
	defer close(p.never)
	for _, op := range s.Ops {
		p.do(op)
	}
	if p.loop != nil {
		p.out.Echo("end")
		p.loop.Stop(ctx)
		p.finish()
	}
	return p.out.String()
}

// player plays one scenario.
type player struct {
	scn   *scenario.Scenario
	out   *scenario.Trace
	wait  func()
	ctx   context.Context
	loop  *eventloop.Loop // nil while the root does not run
	never chan struct{}   // what a terminate that hangs waits for

	parents map[string]string // of those that start_child has named

	mu       sync.Mutex // guards what follows, and out: machines and events have their own goroutines
	plans    scenario.Plans
	known    map[string]bool                // has come up at some time
	alive    map[string]bool                // has come up and not ended
	told     map[string]statemachine.Class  // what its terminate was called with
	own      map[string]bool                // it ends because of an operation on itself
	ended    map[string]statemachine.Reason // why it ended first since the operation on it
	rootExit string
}

// do carries out one line of the scenario.
func (p *player) do(op string) {
	p.out.Echo(op)
	f := strings.Fields(op)
	switch f[0] {
	case "plan":
		p.mu.Lock()
		p.plans.Set(f)
		p.mu.Unlock()
	case "start":
		p.finish(p.start())
	case "tree":
		p.finish(p.tree())
	case "sleep":
		ms, err := strconv.Atoi(f[1])
		if err != nil {
			panic(err)
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
		p.finish()
	case "batch":
		p.finish(p.batch(scenario.BatchOps(f))...)
	default:
		p.finish(p.one(f))
	}
}

// finish writes down what has happened.
func (p *player) finish(results ...string) {
	for p.wait(); p.loop != nil && busy(p.loop.Tree()) && p.ctx.Err() == nil; p.wait() {
		time.Sleep(time.Millisecond) // something terminates, and takes its time
	}
	rootExit := p.rootEnded()
	p.mu.Lock()
	defer p.mu.Unlock()
	alive := slices.Sorted(maps.Keys(p.alive))
	if p.loop != nil {
		if running := up(p.loop.Tree(), nil); !slices.Equal(running, alive) {
			results = append(results, fmt.Sprintf("the loop says that these run: %s", running))
		}
	}
	p.out.Finish(results, rootExit, alive, p.pool)
}

// rootEnded returns the class of the root's exit if it has come up and ended.
func (p *player) rootEnded() string {
	p.mu.Lock()
	class := p.rootExit
	p.rootExit = ""
	p.mu.Unlock()
	if p.loop == nil || class == "" {
		return ""
	}
	<-p.loop.Done()
	p.loop = nil
	return class
}

// busy reports whether anything in the tree is on its way up or down.
func busy(i statemachine.Info) bool {
	return i.Status != statemachine.Up && i.Status != statemachine.Down || slices.ContainsFunc(i.Children, busy)
}

// up adds the names of all that are up to names, and sorts them.
func up(i statemachine.Info, names []string) []string {
	if i.Status != statemachine.Down {
		name := string(i.Name)
		if i.Status != statemachine.Up {
			name += " is " + i.Status.String()
		}
		names = append(names, name)
	}
	for _, c := range i.Children {
		names = up(c, names)
	}
	slices.Sort(names)
	return names
}

// start starts the application.
func (p *player) start() string {
	if p.loop != nil {
		return "badop"
	}
	loop, err := eventloop.Start(eventloop.Config{Root: p.specs().Root(), OnEvent: p.event})
	var spec *supervisor.SpecError
	switch {
	case err == nil:
		p.loop = loop
		return "ok"
	case errors.Is(err, statemachine.ErrIgnore):
		return "ignore"
	case errors.As(err, &spec):
		return "error start_spec " + scenario.ErrorText(err)
	}
	return "error " + scenario.ErrorText(err)
}

// batch sends all operations to a supervisor before it handles the first.
func (p *player) batch(sup string, ops []string) []string {
	if !p.runs(sup) {
		return []string{"noproc"}
	}
	if err := p.loop.Suspend(context.Background(), statemachine.Name(sup)); err != nil {
		return []string{err.Error()}
	}
	results := make([]string, len(ops))
	for i, op := range ops {
		f := strings.Fields(op)
		switch f[0] {
		case "call", "stop", "kill":
			switch {
			case !p.runs(f[1]):
				results[i] = "noproc"
			case p.parent(f[1]) != sup || f[len(f)-1] == "ping":
				results[i] = "badop"
			default:
				results[i] = p.one(f)
			}
		default:
			if f[1] != sup {
				results[i] = "badop"
				continue
			}
			go func() {
				r := p.one(f)
				p.mu.Lock()
				defer p.mu.Unlock()
				results[i] = r
			}()
		}
		p.wait() // until the request, or the exit, has been sent
	}
	if err := p.loop.Resume(context.Background(), statemachine.Name(sup)); err != nil {
		results = append(results, err.Error())
	}
	for p.wait(); slices.Contains(p.copied(results), "") && p.ctx.Err() == nil; p.wait() {
		time.Sleep(time.Millisecond)
	}
	return results
}

func (p *player) copied(results []string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(results)
}

// watch begins an operation that ends a process.
func (p *player) watch(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.ended, name)
}

// end returns why the process that was watched ended, once it has.
func (p *player) end(name string) statemachine.Reason {
	p.wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended[name]
}

// runs reports whether a process of that name runs.
func (p *player) runs(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.alive[name]
}

// parent returns the supervisor of a child.
func (p *player) parent(name string) string {
	if s, ok := p.parents[name]; ok {
		return s
	}
	d, _ := p.scn.Find(name)
	return d.Parent
}

// pool returns the pool of a child, "" if its supervisor is none.
func (p *player) pool(name string) string {
	if s := p.parent(name); p.scn.Pool(s) {
		return s
	}
	return ""
}
