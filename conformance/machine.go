package conformance

import (
	"errors"
	"strings"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/conformance/scenario"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
)

// specs makes the specs of the scenario. Their Inits are not pure: they go by
// what is planned.
func (p *player) specs() scenario.Specs {
	return scenario.Specs{Scenario: p.scn, Machine: p.machine, Init: func(d scenario.Def) func() error {
		return func() error { return p.init(d.Name, true) }
	}}
}

// machine returns what a worker, or the children of a pool, run: a machine
// without a state that ends as it is told to.
func (p *player) machine(d scenario.Def) statemachine.Server {
	type none struct{}
	m := &statemachine.Machine[none, string, string]{
		Init: func(s statemachine.Start[none]) (none, error) { return none{}, p.init(string(s.Name), false) },
		Step: func(how string, s none, fx *statemachine.Effects[string]) (none, string) {
			return s, p.step(how, fx)
		},
		Terminate: func(statemachine.Name, none, statemachine.Reason) {},
		Input:     codec.Of[string](),
		Output:    codec.Of[string](),
	}
	switch {
	case d.Attrs["trap"] == "false":
		m.Terminate = nil
	case d.Attrs["term"] == "crash":
		m.Terminate = func(statemachine.Name, none, statemachine.Reason) { panic("terminate crashes") }
	case d.Attrs["term"] == "hang":
		m.Terminate = func(statemachine.Name, none, statemachine.Reason) { <-p.never }
	}
	return m
}

// init is the Init of all.
func (p *player) init(name string, sup bool) error {
	p.mu.Lock()
	outcome := p.plans.Next(name)
	p.mu.Unlock()
	switch outcome {
	case "ok":
		return nil
	case "ignore":
		return statemachine.ErrIgnore
	case "crash":
		panic(scenario.InitError(outcome, sup))
	}
	return scenario.InitError(outcome, sup)
}

func (p *player) step(how string, fx *statemachine.Effects[string]) string {
	if how == "ping" {
		return "pong"
	}
	p.mu.Lock()
	p.own[string(fx.Self())] = true
	p.mu.Unlock()
	if reason, ok := strings.CutPrefix(how, "exit_"); ok {
		fx.Stop(scenario.Reason(reason))
		return "ok"
	}
	if reason, ok := strings.CutPrefix(how, "noreply_"); ok {
		fx.StopNoReply(scenario.Reason(reason))
		return ""
	}
	panic("step crashes")
}

// event writes an event of the loop into the trace.
func (p *player) event(e eventloop.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := e.(type) {
	case eventloop.Started:
		p.alive[string(e.Name)], p.known[string(e.Name)] = true, true
		delete(p.own, string(e.Name))
		p.out.Event("init", string(e.Name), "")
	case eventloop.StartFailed:
		how := "ignore"
		if !errors.Is(e.Err, statemachine.ErrIgnore) {
			how = scenario.Outcome(e.Err)
		}
		p.out.Event("init", string(e.Name), how)
	case eventloop.Terminating:
		name := string(e.Name)
		if e.Reason.Class == statemachine.ClassShutdown && !p.own[name] && !p.traps(name) {
			return // its supervisor ends it, and it does not notice
		}
		p.told[name] = e.Reason.Class
		p.out.Event("terminate", name, e.Reason.Class.String())
	case eventloop.Exited:
		name := string(e.Name)
		if told, ok := p.told[name]; !ok || told != e.Reason.Class {
			p.out.Event("exit", name, e.Reason.Class.String())
		}
		if _, again := p.ended[name]; !again {
			p.ended[name] = e.Reason
		}
		delete(p.alive, name)
		delete(p.told, name)
		delete(p.own, name)
		if d, _ := p.scn.Find(name); d.Parent == "-" {
			p.rootExit = e.Reason.Class.String()
		}
	}
}

// traps reports whether a worker traps exits.
func (p *player) traps(name string) bool {
	d, _ := p.scn.Find(name)
	if pool := p.pool(name); pool != "" {
		d, _ = p.scn.Template(pool)
	}
	return d.Attrs["trap"] != "false"
}
