package supervisor_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lineshaft/lineshaft/conformance/scenario"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// player plays a scenario as an event loop would, with workers that do at once
// what they are told, and writes the trace that OTP wrote for it.
type player struct {
	scn  *scenario.Scenario
	tree *supervisor.Tree
	out  *scenario.Trace

	plans   scenario.Plans
	latest  map[Name]supervisor.PID // the last process of that name that came up
	living  map[supervisor.PID]bool // workers
	retries []supervisor.Action     // the loop's queue of entries
	now     time.Duration           // virtual
	started bool                    // the root is up, as far as the trace has said
	initErr error                   // of the root's start
	starts  []string                // the PIDs of all Start actions, and their Restarts so far
	afterOp func()
	rootEnd *statemachine.Reason // of the root's Exit
	results []*result            // of the present op
}

// result is a result of an op; a request's is filled in when it is answered.
type result struct {
	text string
	op   string // of a request
	pool bool   // asked of a pool
}

// play returns the trace of s, after setup has seen the player.
func play(s *scenario.Scenario, setup func(*player)) string {
	p := &player{
		scn: s, out: scenario.NewTrace(s.Name), plans: scenario.Plans{}, latest: map[Name]supervisor.PID{},
		living: map[supervisor.PID]bool{}, afterOp: func() {},
	}
	setup(p)
	tree, err := supervisor.New(specs(s).Root())
	p.tree, p.initErr = tree, err
	for _, op := range s.Ops {
		p.do(op)
		p.afterOp()
	}
	if p.started {
		p.out.Echo("end")
		p.tree.Shutdown()
		p.finish()
	}
	return p.out.String()
}

// say notes an event of the trace.
func (p *player) say(what string, n Name, more string) { p.out.Event(what, string(n), more) }

// result adds a result of the present op.
func (p *player) result(text string) { p.results = append(p.results, &result{text: text}) }

// do carries out one line of the scenario.
func (p *player) do(op string) {
	p.out.Echo(op)
	f := strings.Fields(op)
	switch f[0] {
	case "plan":
		p.plans.Set(f)
		return
	case "start":
		p.start()
	case "tree":
		p.result(p.drawRoot())
	case "sleep":
		ms, _ := strconv.Atoi(f[1])
		p.now += time.Duration(ms) * time.Millisecond
		p.tree.SetNow(int64(p.now))
	case "batch":
		p.batch(scenario.BatchOps(f))
	default:
		p.one(f)
	}
	p.finish()
}

// start starts the root.
func (p *player) start() {
	switch {
	case p.started:
		p.result("badop")
		return
	case p.tree == nil:
		p.result("error start_spec " + scenario.ErrorText(p.initErr))
		return
	}
	p.initErr, p.rootEnd = nil, nil
	p.tree.Start()
	p.drain()
	switch {
	case p.tree.Root().Status() == statemachine.Up:
		p.started = true
		p.result("ok")
	case p.initErr != nil:
		p.result("error " + scenario.ErrorText(p.initErr))
	case p.rootEnd != nil:
		p.result("error " + scenario.ErrorText(p.rootEnd.Detail))
		p.rootEnd = nil
	default:
		p.result("ignore")
	}
}

// batch sends everything before the supervisor handles the first of it.
func (p *player) batch(sup string, ops []string) {
	s := p.node(sup)
	if s == nil {
		p.result("noproc")
		return
	}
	p.tree.Suspend(s)
	for _, op := range ops {
		f := strings.Fields(op)
		switch f[0] {
		case "call", "stop", "kill":
			if n := p.node(f[1]); n != nil && (n.Parent() != s || f[len(f)-1] == "ping") {
				p.result("badop")
				continue
			}
		default:
			if f[1] != sup {
				p.result("badop")
				continue
			}
		}
		p.one(f)
	}
	p.tree.Resume(s)
}

// node returns the node of a process that is alive.
func (p *player) node(name string) *supervisor.Node {
	if p.tree == nil {
		return nil
	}
	pid, ok := p.latest[Name(name)]
	if !ok || !pid.Alive() || (!pid.Node.IsSupervisor() && !p.living[pid]) {
		return nil
	}
	return pid.Node
}

// one carries out an op on one process.
func (p *player) one(f []string) {
	n := p.node(f[1])
	if n == nil {
		p.result("noproc")
		return
	}
	name := Name("")
	if len(f) > 2 {
		name = Name(f[2])
	}
	switch f[0] {
	case "call", "stop", "kill":
		p.worker(n, f[0], string(name))
		return
	}
	sup, _ := n.Supervisor()
	pool := sup.Strategy == supervisor.SimpleOneForOne
	token := &result{op: f[0], pool: pool}
	p.results = append(p.results, token)
	switch f[0] {
	case "which":
		p.tree.WhichChildren(n, token)
	case "count":
		p.tree.CountChildren(n, token)
	case "start_child":
		p.startChild(n, pool, token, name)
	case "terminate_child":
		if !pool {
			p.tree.TerminateChild(n, token, name)
		} else if pid, ok := p.latest[name]; ok {
			p.tree.TerminatePID(n, token, pid)
		} else {
			token.text = "noproc"
		}
	case "terminate_child_id":
		p.tree.TerminateChild(n, token, name)
	case "restart_child":
		p.tree.RestartChild(n, token, name)
	case "delete_child":
		p.tree.DeleteChild(n, token, name)
	}
}

func (p *player) startChild(n *supervisor.Node, pool bool, token *result, name Name) {
	if pool {
		p.tree.StartChild(n, token, supervisor.Worker{Name: name})
	} else if d, ok := p.scn.Find(string(name)); ok {
		p.tree.StartChild(n, token, specs(p.scn).Child(d))
	} else {
		token.text = "badop"
	}
}

// worker carries out a call, stop or kill; stop also of a supervisor.
func (p *player) worker(n *supervisor.Node, op, how string) {
	switch {
	case op == "kill":
		p.ended(n.PID(), statemachine.Killed, false)
		p.result("ok")
	case op == "stop" && n.IsSupervisor():
		p.tree.Stop(n, scenario.Reason(how))
		p.result("ok")
	case op == "stop":
		p.terminate(n.PID(), scenario.Reason(how))
		if p.attr(n, "term") == "crash" {
			p.result("exit")
		} else {
			p.result("ok")
		}
	case how == "ping":
		p.result("pong")
	default:
		word := strings.TrimPrefix(strings.TrimPrefix(how, "exit_"), "noreply_")
		final := p.terminate(n.PID(), scenario.Reason(word))
		if strings.HasPrefix(how, "exit_") {
			p.result("ok")
		} else {
			p.result("exit " + final.Class.String())
		}
	}
}

var errCrash = errors.New("crash")

// terminate runs a worker's terminate callback; the reason it ends with.
func (p *player) terminate(pid supervisor.PID, r statemachine.Reason) statemachine.Reason {
	n := pid.Node
	p.say("terminate", n.Name(), r.Class.String())
	final := r
	switch p.attr(n, "term") {
	case "crash":
		final = statemachine.Crash(errCrash)
	case "hang":
		final = statemachine.Killed
	}
	p.ended(pid, final, final.Class == r.Class)
	return final
}

// ended: a worker's process ends, which the trace may have said already.
func (p *player) ended(pid supervisor.PID, r statemachine.Reason, said bool) {
	if !said {
		p.say("exit", pid.Node.Name(), r.Class.String())
	}
	delete(p.living, pid)
	p.tree.Exited(pid, r)
}

// attr returns an attribute of n's definition, of the template's for a pool's child.
func (p *player) attr(n *supervisor.Node, key string) string {
	if n.Parent() != nil {
		if s, _ := n.Parent().Supervisor(); s.Strategy == supervisor.SimpleOneForOne {
			d, _ := p.scn.Template(string(s.Name))
			return d.Attrs[key]
		}
	}
	d, _ := p.scn.Find(string(n.Name()))
	return d.Attrs[key]
}

// drain runs the loop until nothing is left to do.
func (p *player) drain() {
	for p.tree != nil {
		for a, ok := p.tree.Next(); ok; a, ok = p.tree.Next() {
			p.act(a)
		}
		if len(p.retries) == 0 {
			return
		}
		a := p.retries[0]
		p.retries = p.retries[1:]
		p.tree.Retry(a.PID, a.Child)
	}
}

// act carries out one action.
func (p *player) act(a supervisor.Action) {
	switch a.Kind {
	case supervisor.Start:
		p.init(a.PID)
	case supervisor.Terminate:
		if p.attr(a.PID.Node, "trap") == "false" {
			p.ended(a.PID, a.Reason, false)
		} else {
			p.terminate(a.PID, a.Reason)
		}
	case supervisor.Kill:
		p.ended(a.PID, statemachine.Killed, false)
	case supervisor.Retry:
		p.retries = append(p.retries, a)
	case supervisor.Exit:
		p.say("exit", a.PID.Node.Name(), a.Reason.Class.String())
		if a.PID.Node == p.tree.Root() {
			p.rootEnd = &a.Reason
		}
	case supervisor.Reply:
		r := a.Answer.Token.(*result)
		r.text = r.answer(a.Answer)
	}
}

// init plays the next planned outcome of a start.
func (p *player) init(pid supervisor.PID) {
	n := pid.Node
	p.starts = append(p.starts, fmt.Sprint(pid, n.Restarts()))
	outcome := p.plans.Next(string(n.Name()))
	if outcome == "ok" {
		p.say("init", n.Name(), "")
		p.latest[n.Name()] = pid
		if !n.IsSupervisor() {
			p.living[pid] = true
		}
		p.tree.Started(pid, nil)
		return
	}
	p.say("init", n.Name(), outcome)
	if outcome == "ignore" {
		p.tree.Ignored(pid)
		return
	}
	err := scenario.InitError(outcome, n.IsSupervisor())
	if n == p.tree.Root() {
		p.initErr = err
	}
	p.tree.Started(pid, err)
}
