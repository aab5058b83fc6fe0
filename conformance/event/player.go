package event

import (
	"fmt"
	"strings"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/conformance/scenario"
	"github.com/lineshaft/lineshaft/genevent"
	"github.com/lineshaft/lineshaft/statemachine"
)

type (
	input   = genevent.Input[string]
	manager = statemachine.Machine[genevent.State, input, genevent.Output]
)

// runner runs a manager and its clients, and carries out their effects.
type runner interface {
	// start starts the manager.
	start(m *manager)
	// runs reports whether the manager runs.
	runs() bool
	// client sees to it that a client of that name runs.
	client(name statemachine.Name)
	// send sends all of mail, in that order, before the manager handles any of
	// it, and returns, once it has handled all, the outputs: nil of what is no call.
	send(mail []mail) []genevent.Output
	// end ends the manager from outside.
	end(r statemachine.Reason)
}

// mail is something that is sent: an input, cast or called, or, if client is
// not "", the exit of that client, which the manager learns of if it monitors it.
type mail struct {
	in     input
	call   bool
	client statemachine.Name
	reason statemachine.Reason
}

// told is the input of a client.
type told struct {
	Exit genevent.Exit `json:"exit"`
}

// Play plays a scenario, without a loop, and returns the trace.
func Play(s Scenario) string {
	p := newPlayer(&s)
	p.runner = &direct{p: p}
	p.play()
	return p.out.String()
}

// player plays one scenario.
type player struct {
	scn      *Scenario
	handlers *handlerKind
	runner   runner
	out      strings.Builder
	events   []string // of the present operation

	machine     *manager
	last        genevent.State // of the manager, if it runs
	plans       scenario.Plans
	alive       map[statemachine.Name]bool // clients
	owed        map[statemachine.Name][]string
	inPlace     bool   // a handler has asked to be swapped
	unspecified string // why the scenario is not valid, as far as is known
}

func newPlayer(s *Scenario) *player {
	p := &player{scn: s, plans: scenario.Plans{}, alive: map[statemachine.Name]bool{}, owed: map[statemachine.Name][]string{}}
	p.handlers = p.kind()
	fmt.Fprintf(&p.out, "scenario %s\n", s.Name)
	return p
}

func (p *player) play() {
	for _, op := range p.scn.Ops {
		p.do(op)
	}
	if p.runner.runs() {
		p.echo("end")
		p.runner.send([]mail{{in: genevent.Stop[string]{Reason: statemachine.Shutdown}, call: true}})
		p.finish(nil)
	}
	p.out.WriteString("end\n")
}

// event notes what has happened.
func (p *player) event(text string) { p.events = append(p.events, text) }

func (p *player) echo(op string) { fmt.Fprintf(&p.out, "> %s\n", op) }

// do carries out one operation.
func (p *player) do(op string) {
	p.echo(op)
	f := strings.Fields(op)
	running := p.runner.runs()
	switch {
	case f[0] == "plan":
		p.plans.Set(f)
	case f[0] == "start" && running:
		p.finish([]string{"badop"})
	case f[0] == "start":
		p.start()
		p.finish([]string{"ok"})
	case f[0] == "client_exit" && !running:
		p.finish(nil)
	case !running:
		p.finish([]string{"noproc"})
	case f[0] == "kill":
		p.runner.end(statemachine.Killed)
		p.finish(nil)
	case f[0] == "parent_exit":
		p.runner.end(scenario.Reason(f[1]))
		p.finish(nil)
	default:
		p.send(items(op))
	}
}

// start makes a manager, whose states are noted.
func (p *player) start() {
	p.machine = genevent.New(genevent.Config[string]{
		Event: codec.Of[string](), Kinds: []genevent.AnyKind[string]{p.handlers}, Exited: p.exited,
	})
	step := p.machine.Step
	p.machine.Step = func(in input, s genevent.State, fx *statemachine.Effects[genevent.Output]) (genevent.State, genevent.Output) {
		next, out := step(in, s, fx)
		p.last = next
		return next, out
	}
	p.last = genevent.State{}
	p.runner.start(p.machine)
}

// send sends what the operations say.
func (p *player) send(ops [][]string) {
	post := make([]mail, len(ops))
	for i, f := range ops {
		post[i] = p.mail(f)
	}
	outs := p.runner.send(post)
	var results []string
	for i, f := range ops {
		if outs[i] != nil {
			results = append(results, p.result(f[0], outs[i]))
		}
	}
	p.finish(results)
}

func (p *player) mail(f []string) mail {
	h, kind := p.handlers.Handler, p.handlers
	switch f[0] {
	case "notify":
		return mail{in: genevent.Notify[string]{Event: f[1]}}
	case "info":
		return mail{in: genevent.Info[string]{Message: statemachine.Timeout{Timer: f[1]}}}
	case "client_exit":
		return mail{client: p.client(f[1]), reason: scenario.Reason(f[2])}
	case "sync_notify":
		return mail{call: true, in: genevent.SyncNotify[string]{Event: f[1]}}
	case "add":
		return mail{call: true, in: kind.Add(f[1], f[2])}
	case "add_sup":
		return mail{call: true, in: kind.AddSup(p.client(f[1]), f[2], f[3])}
	case "delete":
		return mail{call: true, in: genevent.DeleteHandler[string]{Handler: h(f[1]), Args: f[2]}}
	case "swap":
		return mail{call: true, in: genevent.SwapHandler[string]{Handler: h(f[1]), Args: f[2], New: kind.Add(f[3], f[4])}}
	case "swap_sup":
		return mail{call: true, in: genevent.SwapHandler[string]{
			Handler: h(f[2]), Args: f[3], New: kind.AddSup(p.client(f[1]), f[4], f[5])}}
	case "call":
		return mail{call: true, in: kind.Call(f[1], f[2])}
	case "which":
		return mail{call: true, in: genevent.WhichHandlers[string]{}}
	case "stop":
		return mail{call: true, in: genevent.Stop[string]{Reason: scenario.Reason(f[1])}}
	}
	panic("unknown operation " + f[0])
}

// client returns the name of a client that runs.
func (p *player) client(name string) statemachine.Name {
	n := statemachine.Name(name)
	p.runner.client(n)
	p.alive[n] = true
	return n
}

// result writes what an operation has answered.
func (p *player) result(op string, out genevent.Output) string {
	switch out := out.(type) {
	case genevent.Ok:
		return "ok"
	case genevent.Handlers:
		var ids []string
		for _, h := range out.Handlers {
			ids = append(ids, h.ID)
		}
		return "[" + strings.Join(ids, " ") + "]"
	case genevent.Failed:
		switch {
		case out.Detail == "":
			return "error " + out.Reason
		case op == "call" || op == "swap" || op == "swap_sup":
			return "error " + out.Detail
		}
		return out.Detail
	}
	value, err := genevent.Result[string](out)
	if err != nil {
		return err.Error()
	}
	return value
}

// exited tells the client of a handler that has gone.
func (p *player) exited(x genevent.Exit, fx *statemachine.Fx) {
	if x.Client == "" || !p.alive[x.Client] {
		return
	}
	text := fmt.Sprintf("told %s %s %s", x.Client, x.Handler.ID, toldText(x))
	p.event(text)
	p.owed[x.Client] = append(p.owed[x.Client], text)
	statemachine.To[told, bool](x.Client).Cast(fx, told{x})
}

// heard is called when a client steps its input.
func (p *player) heard(name statemachine.Name, in told) {
	text := fmt.Sprintf("told %s %s %s", name, in.Exit.Handler.ID, toldText(in.Exit))
	if owed := p.owed[name]; len(owed) > 0 && owed[0] == text {
		p.owed[name] = owed[1:]
		return
	}
	p.event("but what came is: " + text)
}

// gone is called when a client has exited.
func (p *player) gone(name statemachine.Name) {
	p.alive[name] = false
	delete(p.owed, name)
}

// ended is called when the manager has ended.
func (p *player) ended(r statemachine.Reason) { p.event("exit " + r.Class.String()) }

// finish writes down what has happened.
func (p *player) finish(results []string) {
	for name, owed := range p.owed {
		if len(owed) > 0 {
			p.event(fmt.Sprintf("but %s has not got: %s", name, owed))
			delete(p.owed, name)
		}
	}
	for _, e := range p.events {
		p.out.WriteString(e + "\n")
	}
	p.events = nil
	for _, r := range results {
		p.out.WriteString("result " + r + "\n")
	}
	if !p.runner.runs() {
		p.out.WriteString("dead\n")
		return
	}
	words := []string{"handlers"}
	for _, h := range p.current() {
		words = append(words, fmt.Sprintf("%s=%d", h.H, h.D))
	}
	if len(words) == 1 {
		words = append(words, "-")
	}
	p.out.WriteString(strings.Join(words, " ") + "\n")
}

// saved is what a manager's state is encoded as.
var saved = codec.Of[struct {
	Handlers []struct {
		Kind   string `json:"kind"`
		ID     string `json:"id"`
		Client string `json:"client"`
		State  state  `json:"state"`
	} `json:"handlers"`
	Stopped bool `json:"stopped"`
}]()

// current returns the states of the handlers, as they would be saved.
func (p *player) current() []state {
	data, err := p.machine.State.Append(nil, codec.Msgpack, p.last)
	if err != nil {
		panic(err)
	}
	s, err := saved.Decode(codec.Msgpack, data)
	if err != nil {
		panic(err)
	}
	var all []state
	for _, h := range s.Handlers {
		all = append(all, h.State)
	}
	return all
}
