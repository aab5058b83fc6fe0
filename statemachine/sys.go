package statemachine

import (
	"fmt"
	"time"

	"github.com/lineshaft/lineshaft/codec"
)

// This file is what a process is looked at and changed by from outside, beside
// its inputs: OTP's module sys.

// Managed is the part of a [Process] that sys needs. Methods are for the loop
// alone, except where they say "any goroutine".
type Managed interface {
	// Version returns the machine's Version. Any goroutine.
	Version() int
	// State returns the present state, which must not be changed.
	State() any
	// Replace makes state the present one; false, and it stays as it was, if that
	// is not of the type of the states.
	Replace(state any) bool
	// AppendState appends the encoding of a state, without a version. A value of
	// another type is an error, and so is a machine without a State codec, an
	// ErrConflict. Any goroutine.
	AppendState(dst []byte, f codec.Format, state any) ([]byte, error)
	// DecodeState returns the state that data encodes. Any goroutine.
	DecodeState(f codec.Format, data []byte) (state any, err error)
	// TakeOver begins a life with the state of old, which is a process of another
	// machine and lives, without Init; what old keeps for its next Init is taken
	// over too. What is of this type and Version is taken as it is, anything else
	// as bytes, through the codecs and Migrate. An error says why that cannot be.
	// Readers do not see the state before Show.
	TakeOver(old Process) error
	// Private says whether readers are not to see the states of this life: they
	// see those that follow if it is off, and Show shows the present one.
	Private(on bool)
	// Show has readers see the present state, unless that is private.
	Show()

	// Input returns the input of the exchange x. Any goroutine.
	Input(x any) any
	// AppendInputValue appends an input. A value of another type is an error. Any
	// goroutine.
	AppendInputValue(dst []byte, f codec.Format, in any) ([]byte, error)
}

func (p *process[S, I, O]) Version() int { return p.m.Version }

func (p *process[S, I, O]) State() any { return p.state }

func (p *process[S, I, O]) Replace(state any) bool {
	s, ok := as[S](state)
	if !ok {
		return false
	}
	p.state = s
	if p.view.Load() != nil {
		p.live(s)
	}
	return true
}

func (p *process[S, I, O]) AppendState(dst []byte, f codec.Format, state any) ([]byte, error) {
	if p.m.State == nil {
		return dst, p.noCodec()
	}
	return encodeAny(p.fx.name, p.m.State, dst, f, state)
}

func (p *process[S, I, O]) DecodeState(f codec.Format, data []byte) (any, error) {
	if p.m.State == nil {
		return nil, p.noCodec()
	}
	return decodeAny(p.fx.name, p.m.State, f, data)
}

func (p *process[S, I, O]) noCodec() error {
	return fmt.Errorf("%w: the machine has no State codec", ErrConflict)
}

func (p *process[S, I, O]) TakeOver(old Process) error {
	if _, ok := old.(Port[I, O]); !ok {
		in, out := old.Describe()
		return fmt.Errorf("%w: it takes %s and answers %s, the new machine %s and %s", ErrConflict, in, out, typeName[I](), typeName[O]())
	}
	if same, ok := old.(*process[S, I, O]); ok && same.m.Version == p.m.Version {
		p.state, p.kept, p.private = same.state, same.kept, true
		return nil
	}
	if !old.Durable() || !p.Durable() {
		return fmt.Errorf("%w: a state of another type or version is taken over by State codecs, which one of the machines lacks", ErrConflict)
	}
	s, err := p.migrated(old.Current())
	if err != nil {
		return err
	}
	if kept, ok := old.Kept(); ok {
		k, err := p.migrated(kept)
		if err != nil {
			return err
		}
		p.kept = &k
	}
	p.state, p.private = s, true
	return nil
}

// migrated returns the state of another machine that encode encodes.
func (p *process[S, I, O]) migrated(encode Encoder) (s S, err error) {
	data, err := encode(nil)
	if err != nil {
		return s, err
	}
	return p.restored(data)
}

func (p *process[S, I, O]) Private(on bool) {
	p.private = on
	if on {
		p.Hide()
	}
}

func (p *process[S, I, O]) Show() { p.live(p.state) }

func (p *process[S, I, O]) Input(x any) any { return x.(*Exchange[I, O]).In }

func (p *process[S, I, O]) AppendInputValue(dst []byte, f codec.Format, in any) ([]byte, error) {
	return encodeAny(p.fx.name, p.m.Input, dst, f, in)
}

// SysEvent is something that a process does, as who traces it is told (OTP: a
// system event). Its values must not be changed.
type SysEvent struct {
	Kind SysEventKind
	Name Name // the process
	// Value is the input, or the output.
	Value any
	// Message is what the loop has told the process, where the input of a SysIn
	// was made of that.
	Message Message
	// From is who waits for the output, or has got it; zero: nobody.
	From From
	// To is the process that the value of a SysOut was sent to, by a cast or a
	// call; empty: it is an output.
	To Name
}

// SysEventKind is what a process does.
type SysEventKind uint8

const (
	// SysIn: an input is about to be stepped. OTP: {in, Msg}.
	SysIn SysEventKind = 1 + iota
	// SysOut: an output is given to a caller, or an input is sent to another
	// process. OTP: {out, Msg, To, State}.
	SysOut
	// SysNoReply: a step has ended without an output for anyone. OTP: {noreply,
	// State}.
	SysNoReply
)

// String returns OTP's word for the kind.
func (k SysEventKind) String() string {
	switch k {
	case SysIn:
		return "in"
	case SysOut:
		return "out"
	case SysNoReply:
		return "noreply"
	}
	return fmt.Sprintf("sys_event(%d)", uint8(k))
}

// SysRecord is a SysEvent as others than Go programs see it.
type SysRecord struct {
	Event   string     `json:"event"` // SysEventKind.String
	At      time.Time  `json:"at"`    // UTC
	From    From       `json:"from,omitempty"`
	To      Name       `json:"to,omitempty"`
	Message string     `json:"message,omitempty"` // the kind of the loop's message that the input was made of
	Value   *codec.Raw `json:"value,omitempty"`   // the input or output; nil: there is none
	Error   string     `json:"error,omitempty"`   // why the value cannot be shown
}

// Statistics are the numbers of a process since they were turned on.
type Statistics struct {
	Start time.Time `json:"start_time"`   // UTC
	Now   time.Time `json:"current_time"` // UTC
	// In counts the inputs and messages that it began to step.
	In int64 `json:"messages_in"`
	// Out counts the outputs that it gave, and the casts and calls that it sent.
	Out int64 `json:"messages_out"`
}

// SysStatus is what sys knows of a process (OTP: sys:get_status).
type SysStatus struct {
	Name      Name `json:"name"`
	Suspended bool `json:"suspended"`
	// Machine is the key under which the loop knows its machine, empty if it has
	// none.
	Machine string `json:"machine,omitempty"`
	// Version is that of the machine.
	Version int `json:"version"`
	// Statistics are nil while they are off.
	Statistics *Statistics `json:"statistics,omitempty"`
	// Log is how many of its last events are kept; 0: it is off.
	Log int `json:"log"`
}
