package event

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lineshaft/lineshaft/genevent"
	"github.com/lineshaft/lineshaft/statemachine"
)

// This file makes handlers of the tables.

// state is that of a handler.
type state struct {
	H string `json:"h"`
	D int    `json:"d"`
}

type (
	handlerKind = genevent.Kind[string, state, string, string, string]
	handlerFx   = genevent.Fx[string]
)

// kind returns the kind that all handlers are of. Its functions are not pure:
// they write the trace.
func (p *player) kind() *handlerKind {
	return &handlerKind{
		Name: "h",
		Init: p.init,
		HandleEvent: func(e string, s state, fx *handlerFx) state {
			s, _ = p.callback("event", e, s, fx)
			return s
		},
		HandleCall: func(q string, s state, fx *handlerFx) (state, string) { return p.callback("call", q, s, fx) },
		HandleInfo: func(m statemachine.Message, s state, fx *handlerFx) state {
			s, _ = p.callback("info", messageText(m), s, fx)
			return s
		},
		Terminate: p.terminate,
	}
}

func messageText(m statemachine.Message) string {
	switch m := m.(type) {
	case statemachine.Timeout: // stands for any other message
		return m.Timer
	case statemachine.MonitorDown:
		return fmt.Sprintf("exit:%s:%s", m.Name, m.Reason.Class)
	}
	return fmt.Sprintf("%T", m)
}

func (p *player) init(s genevent.Start[string]) (state, error) {
	h := s.Handler.ID
	text := fmt.Sprintf("init %s %s", h, s.Args)
	if s.Old != nil {
		text += " from " + p.oldText(s.Old)
	}
	outcome := p.plans.Next(h)
	if outcome != "ok" {
		text += " " + outcome
	}
	p.event(text)
	inPlace := p.inPlace
	p.inPlace = false
	switch {
	case !inPlace:
	case outcome == "hibernate":
		p.unspecified = "OTP 25 takes it for a failure"
	case s.Client != "" && outcome != "ok" && outcome != "throw":
		p.unspecified = "OTP 25 tells the client something else"
	}
	switch outcome {
	case "ok", "hibernate", "throw":
		return state{H: h}, nil
	case "error":
		return state{}, errors.New("error refused")
	case "other":
		return state{}, errors.New("refused")
	case "crash":
		panic("EXIT boom")
	}
	panic("unknown outcome " + outcome)
}

// oldText writes what the handler has answered in whose place another comes.
func (p *player) oldText(old genevent.Output) string {
	value, err := genevent.Result[string](old)
	if errors.Is(err, genevent.ErrModuleNotFound) {
		return "error"
	} else if err != nil {
		return old.(genevent.Failed).Detail
	}
	return value
}

// callback does what the rules say.
func (p *player) callback(what, content string, s state, fx *handlerFx) (state, string) {
	p.event(fmt.Sprintf("%s %s %s d=%d", what, s.H, content, s.D))
	result := p.scn.find(what, s.H, content, s.D)
	if result == nil {
		return s, "none"
	}
	reply, args := "", result[1:]
	if what == "call" && result[0] != "crash" && result[0] != "exit" && result[0] != "badret" {
		reply, args = args[0], args[1:]
	}
	switch result[0] {
	case "ok", "reply", "hibernate":
		s.D = data(args, s.D)
	case "remove":
		fx.Remove()
	case "swap":
		s.D = data(args[3:], s.D)
		p.inPlace = true
		fx.Swap(args[0], p.handlers.Add(args[1], args[2]))
	case "crash":
		panic("EXIT boom")
	case "exit":
		panic("EXIT " + args[0])
	case "badret":
		panic("badret") // Go has one way to fail
	default:
		panic("unknown result " + result[0])
	}
	return s, reply
}

// data returns the number that a callback's words leave behind.
func data(words []string, d int) int {
	switch {
	case len(words) == 0:
		return d
	case words[0] == "d+":
		return d + 1
	}
	n, err := strconv.Atoi(strings.TrimPrefix(words[0], "d="))
	if err != nil {
		panic("no data: " + words[0])
	}
	return n
}

func (p *player) terminate(why genevent.Why, s state, _ *statemachine.Fx) string {
	p.event(fmt.Sprintf("terminate %s %s d=%d", s.H, whyText(why), s.D))
	switch p.scn.term(s.H) {
	case "crash":
		panic("EXIT term_boom")
	case "throw":
		return "thrown"
	}
	return fmt.Sprintf("bye:%s:%d", s.H, s.D)
}

func whyText(why genevent.Why) string {
	switch why.Cause {
	case genevent.Deleted, genevent.Swapped:
		return why.Args
	case genevent.Crashed:
		return "error " + why.Reason
	case genevent.ClientExited:
		class, _, _ := strings.Cut(why.Reason, ":")
		return "stop " + class
	}
	return string(why.Cause)
}

// toldText writes what a client is told.
func toldText(x genevent.Exit) string {
	switch x.Why.Cause {
	case genevent.Deleted, genevent.Removed:
		return "normal"
	case genevent.Swapped:
		client := string(x.NewClient)
		if client == "" {
			client = "-"
		}
		return "swapped " + x.New.ID + " " + client
	case genevent.Crashed:
		return x.Why.Reason
	}
	return "shutdown"
}
