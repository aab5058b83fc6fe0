package statem

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lineshaft/lineshaft/statemachine"
)

// world runs a player's machine. What it makes happen is handled by run; the
// player is told by its methods replied and exited.
type world interface {
	// start begins a life of the machine. Returns Init's error.
	start(*statemachine.Machine[state, content, string]) error
	alive() bool
	call(caller, what string)
	cast(what string)
	// info sends the message that tables make the info event what of.
	info(what string)
	// suspend has the machine handle nothing until run.
	suspend()
	// strangerExit and parentExit are exit signals.
	strangerExit(statemachine.Reason)
	parentExit(statemachine.Reason)
	stop(statemachine.Reason)
	kill()
	// advance lets time pass. Unless batch is set, what happens meanwhile is handled.
	advance(d time.Duration, batch bool)
	run()
	// state returns the state of the machine, which is at rest; replace changes
	// it.
	state() state
	replace(state)
}

// player plays one scenario.
type player struct {
	s      *Scenario
	tables *tables
	trace  *trace
	world  world
	calls  int
	exit   string // how the machine ended the last time

	mu   sync.Mutex // a loop tells it on a goroutine of its own
	lost []string   // who waits in vain since then
}

// Play plays a scenario in virtual time, and returns the trace. If restore is
// set, the machine's state is encoded and decoded again after each operation,
// which must change nothing.
func Play(s *Scenario, restore bool) string {
	trace, _ := play(s, restore)
	return trace
}

// play is Play; valid is false if OTP's trace may be another: see Check.
func play(s *Scenario, restore bool) (trace string, valid bool) {
	p := newPlayer(s)
	w := &virtualWorld{p: p}
	p.world = w
	for _, op := range s.Ops {
		p.do(op)
		if restore && p.world.alive() {
			w.v.Replace(w.v.Saved())
		}
	}
	return p.end(), !w.tie() && !p.trace.lost
}

func newPlayer(s *Scenario) *player {
	t := &trace{zero: map[string]bool{}, postponed: map[string]bool{}}
	return &player{s: s, trace: t, tables: &tables{s: s, trace: t}}
}

// end ends the scenario, and returns the trace.
func (p *player) end() string {
	if p.world.alive() {
		p.trace.echo("end")
		p.world.stop(statemachine.Shutdown)
		p.finish(nil)
	}
	return "scenario " + p.s.Name + "\n" + p.trace.out.String() + "end\n"
}

// do carries out one line of the scenario.
func (p *player) do(op string) {
	p.trace.echo(op)
	f := strings.Fields(op)
	switch {
	case f[0] == "start":
		p.finish([]string{p.start()})
	case f[0] == "advance":
		p.advance(f, false)
		p.finish(nil)
	case !p.world.alive():
		p.finish([]string{"noproc"})
	case f[0] == "batch":
		items := splitWords(f[1:])
		if slices.ContainsFunc(items, func(f []string) bool { return !isMessage(f[0]) }) {
			p.world.suspend()
		}
		var results []string
		for _, item := range items {
			results = append(results, p.item(item, true)...)
		}
		p.world.run()
		p.finish(results)
	default:
		results := p.item(f, false)
		if p.world.alive() {
			p.world.run()
		}
		p.finish(results)
	}
}

// isMessage reports whether the operation sends something: a world that gets
// several in a row has all of them in the mailbox before the first is handled.
func isMessage(op string) bool { return op == "call" || op == "cast" || op == "info" }

// item carries out an operation on a machine that lives, or did when a batch
// began, and returns its results.
func (p *player) item(f []string, batch bool) []string {
	switch f[0] {
	case "call":
		p.calls++
		caller := "c" + strconv.Itoa(p.calls)
		p.world.call(caller, f[1])
		return []string{caller}
	case "cast":
		p.world.cast(f[1])
	case "info":
		p.world.info(f[1])
	case "advance":
		p.advance(f, batch)
	case "stranger_exit":
		p.world.strangerExit(reason(f[1]))
	case "parent_exit":
		p.world.parentExit(reason(f[1]))
	case "kill":
		p.world.kill()
	case "stop":
		p.world.stop(reason(f[1]))
		if p.exit != f[1] {
			return []string{"exit"}
		}
		return []string{"ok"}
	case "replace":
		s := p.world.state()
		s.State, s.Data = f[1], s.Data.change(f[2:])
		p.world.replace(s)
		return []string{"ok"}
	default:
		return []string{"badop"}
	}
	return nil
}

func (p *player) start() string {
	if p.world.alive() {
		return "badop"
	}
	err := p.world.start(p.tables.machine())
	switch {
	case err == nil:
		p.world.run()
		return "ok"
	case errors.Is(err, statemachine.ErrIgnore):
		return "ignore"
	}
	return "error " + whyError(err)
}

func (p *player) advance(f []string, batch bool) {
	ms, err := strconv.Atoi(f[1])
	if err != nil {
		panic(fmt.Sprintf("%q is no time", f[1]))
	}
	p.world.advance(time.Duration(ms)*time.Millisecond, batch)
}

// finish ends an operation.
func (p *player) finish(results []string) {
	p.mu.Lock()
	slices.SortFunc(p.lost, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	for _, caller := range p.lost {
		p.trace.line("lost %s %s", caller, p.exit)
	}
	p.lost = nil
	p.mu.Unlock()
	if !p.world.alive() {
		p.trace.finish(results, "dead")
		return
	}
	s := p.world.state()
	text := fmt.Sprintf("state %s d=%d", s.State, s.Data.D)
	var labels []string
	for _, h := range s.Data.Held {
		labels = append(labels, h.Caller)
	}
	if len(labels) > 0 {
		text += " held=" + strings.Join(labels, ",")
	}
	p.trace.finish(results, text)
}

// exited notes that the machine has ended.
func (p *player) exited(why string) {
	p.exit = why
	p.trace.line("exit %s", why)
}

// waitsInVain notes that a caller will have no reply.
func (p *player) waitsInVain(caller string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = append(p.lost, caller)
}
