package conformance

import (
	"errors"
	"slices"
	"strings"

	"github.com/lineshaft/lineshaft/conformance/scenario"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// one carries out an operation on one process, and returns its result.
func (p *player) one(f []string) string {
	if p.loop == nil {
		return "noproc"
	}
	name := statemachine.Name(f[1])
	switch f[0] {
	case "call":
		return p.call(name, f[2])
	case "kill":
		return outcome(p.loop.Kill(p.ctx, name), "ok")
	case "stop":
		return p.stop(f[1], scenario.Reason(f[2]))
	case "which":
		children, err := p.loop.WhichChildren(p.ctx, name)
		return outcome(err, scenario.WhichText(children, p.scn.Pool(f[1])))
	case "count":
		c, err := p.loop.CountChildren(p.ctx, name)
		return outcome(err, scenario.CountText(c))
	}
	return p.child(f[0], f[1], f[2])
}

// call makes a call of a worker.
func (p *player) call(name statemachine.Name, how string) string {
	ref, err := eventloop.RefTo[string, string](p.loop, name)
	if err != nil {
		return outcome(err, "")
	}
	p.watch(string(name))
	answer, err := ref.Call(p.ctx, how)
	if _, ok := errors.AsType[*statemachine.CrashError](err); ok {
		return "exit crash"
	}
	if exit, ok := errors.AsType[*statemachine.ExitError](err); ok {
		if want := scenario.Reason(strings.TrimPrefix(how, "noreply_")); exit.Reason != want {
			return "exit " + exit.Reason.String() + ", not " + want.String()
		}
		return "exit " + p.end(string(name)).Class.String()
	}
	return outcome(err, answer)
}

// stop ends a worker or a supervisor.
func (p *player) stop(name string, reason statemachine.Reason) string {
	p.mu.Lock()
	p.own[name] = true
	delete(p.ended, name)
	p.mu.Unlock()
	err := p.loop.StopProcess(p.ctx, statemachine.Name(name), reason)
	if _, ok := errors.AsType[*statemachine.ExitError](err); ok || err == nil && p.end(name) != reason {
		return "exit"
	}
	return outcome(err, "ok")
}

// child carries out a request to sup about a child.
func (p *player) child(op, sup, child string) string {
	s, c := statemachine.Name(sup), statemachine.Name(child)
	switch op {
	case "start_child":
		return p.startChild(sup, child)
	case "terminate_child":
		if p.scn.Pool(sup) && p.runs(sup) && !p.hasRun(child) {
			return "noproc" // there is no pid that could be sent
		}
		return outcome(p.loop.TerminateChild(p.ctx, s, c), "ok")
	case "terminate_child_id":
		if !p.scn.Pool(sup) {
			return outcome(p.loop.TerminateChild(p.ctx, s, c), "ok")
		}
		_, err := p.loop.RestartChild(p.ctx, s, c)
		return outcome(err, "ok")
	case "restart_child":
		running, err := p.loop.RestartChild(p.ctx, s, c)
		return started(running, err)
	case "delete_child":
		return outcome(p.loop.DeleteChild(p.ctx, s, c), "ok")
	}
	return "badop"
}

func (p *player) startChild(sup, child string) string {
	var spec supervisor.Child = supervisor.Worker{Name: statemachine.Name(child)}
	if !p.scn.Pool(sup) {
		d, ok := p.scn.Find(child)
		if !ok && p.runs(sup) {
			return "badop"
		} else if ok {
			spec = p.specs().Child(d)
		}
	}
	p.mu.Lock()
	p.parents[child] = sup
	p.mu.Unlock()
	running, err := p.loop.StartChild(p.ctx, statemachine.Name(sup), spec)
	return started(running, err)
}

func (p *player) hasRun(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[name]
}

// started writes the result of a start_child or restart_child.
func started(running bool, err error) string {
	if err == nil && !running {
		return "ok undefined"
	}
	return outcome(err, "ok")
}

// outcome writes a result: ok if err is nil.
func outcome(err error, ok string) string {
	exit, exited := errors.AsType[*supervisor.ExitError](err)
	switch {
	case err == nil:
		return ok
	case exited:
		return "exit " + exit.Reason.Class.String()
	case errors.Is(err, supervisor.ErrNotFound):
	case errors.Is(err, statemachine.ErrNoProcess) || errors.Is(err, statemachine.ErrStopping):
		return "noproc"
	}
	return "error " + scenario.ErrorText(err)
}

// tree writes the whole tree, as its supervisors say that it is.
func (p *player) tree() string {
	if p.loop == nil {
		return "noproc"
	}
	i := slices.IndexFunc(p.scn.Defs, func(d scenario.Def) bool { return d.Parent == "-" })
	return p.draw(p.scn.Defs[i].Name)
}

func (p *player) draw(sup string) string {
	children, err := p.loop.WhichChildren(p.ctx, statemachine.Name(sup))
	if err != nil {
		return err.Error()
	}
	var words []string
	for _, c := range slices.Backward(children) {
		switch {
		case c.Status == statemachine.Down:
			words = append(words, string(c.Name)+"!")
		case c.Status == statemachine.Restarting:
			words = append(words, string(c.Name)+"?")
		case c.Supervisor:
			words = append(words, p.draw(string(c.Name)))
		default:
			words = append(words, string(c.Name))
		}
	}
	if p.scn.Pool(sup) {
		slices.Sort(words)
	}
	return sup + "(" + strings.Join(words, " ") + ")"
}
