package statemachine

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"github.com/lineshaft/lineshaft/codec"
)

// This file is where S, I and O disappear: above it a loop sees names, bytes
// and opaque values.

// Server is a machine whose types are hidden. Only *Machine implements it.
type Server interface {
	// New returns a process of the machine, not initialised; moment is that of
	// the loop that will step it.
	New(name Name, m *Moment) Process
	// Validate reports what the machine lacks, if anything.
	Validate() error
}

// Process is one process of a machine, as a loop sees it. Methods are for the
// loop alone, except where they say "any goroutine".
type Process interface {
	Managed

	// Init begins a life: the state is Init's result, given what was saved. It
	// returns Init's error, or a *CrashError. What Init asked for is in the
	// Moment, as after a Step.
	Init() error
	// Step applies the input of the exchange x and leaves the output in it.
	// After a crash the state is what it was, and nothing is asked for.
	Step(x any) *CrashError
	// FromMessage returns a new exchange for the input that the machine makes
	// of m; false if it takes no messages. A crash, In "message", is to be taken
	// as that of the step.
	FromMessage(m Message) (x any, ok bool, crash *CrashError)
	// Terminator returns the machine's Terminate, bound to the state as it is
	// now and to the reason: to be run once, on any goroutine. Nil if the
	// machine has none.
	Terminator(Reason) func() *CrashError
	// End ends a life: the state is gone, and with it what readers see.
	End()
	// Hide stops reads by callers' goroutines until the next Init.
	Hide()

	// Durable reports whether the machine's states can be saved. Any goroutine.
	Durable() bool
	// Keep makes the state what the next Init is given as saved, if the
	// machine's states can be saved.
	Keep()
	// Load makes the state that data encodes (msgpack) the one that the next
	// Init is given as saved. A state of an older version goes through the
	// machine's Migrate, which may be a *CrashError, In "migrate"; one that cannot
	// be read in this version is an ErrVersion.
	Load(data []byte) error
	// Resume begins a life with the kept state itself, without Init.
	Resume()
	// Kept returns the state kept for the next Init, to be encoded on any
	// goroutine at any later time; false if there is none.
	Kept() (Encoder, bool)
	// Current returns the present state, likewise.
	Current() Encoder

	// Decode returns a new exchange for the input that body encodes. A panic of
	// a codec, here and elsewhere, becomes an error: a *CrashError. Any goroutine.
	Decode(f codec.Format, body []byte) (x any, err error)
	// AppendInput appends the input of x in msgpack. Any goroutine.
	AppendInput(dst []byte, x any) ([]byte, error)
	// AppendOutput appends the output of x. Any goroutine.
	AppendOutput(dst []byte, f codec.Format, x any) ([]byte, error)
	// Accept returns an exchange for what another machine has sent, the Value of an
	// EffectCast or EffectCall, which is not to be used any more; false if it is not
	// of the type of the inputs.
	Accept(in any) (x any, ok bool)
	// Blank returns an exchange that has no input, for an output to come. Any goroutine.
	Blank() any
	// Output returns the output of x. Any goroutine.
	Output(x any) any
	// SetOutput makes out the output of x; false, and x is as it was, if it is
	// not of the type of the outputs. Any goroutine.
	SetOutput(x, out any) bool
	// AppendOutputValue appends an output, such as that of an EffectReply. A value of
	// another type is an error. Any goroutine.
	AppendOutputValue(dst []byte, f codec.Format, out any) ([]byte, error)
	// DecodeOutput returns the output that data encodes in msgpack. Any goroutine.
	DecodeOutput(data []byte) (out any, err error)
	// Task returns the machine's task of that name, nil if there is none. Any goroutine.
	Task(name string) AnyTask
	// IsReadOnly reports whether the machine says so of the input of x; a panic
	// counts as no. Any goroutine.
	IsReadOnly(x any) bool
	// Describe returns the names of the input's and the output's type. Any goroutine.
	Describe() (in, out string)
	// Free takes x back for another input. Any goroutine.
	Free(x any)
	// Reuse is Free for the loop: what machines send, and messages, take it again.
	Reuse(x any)
	// Read steps the input of x against the published state if it is read-only
	// and a state is published; false if not. Any goroutine: one that the step
	// ends, by runtime.Goexit, takes the crash with it.
	Read(x any) (bool, *CrashError)
}

// Encoder appends the msgpack encoding of a state that is kept for it.
type Encoder func(dst []byte) ([]byte, error)

// Port is a Process whose input and output types are known: what lets a typed
// call neither encode nor allocate.
type Port[I, O any] interface {
	Process
	// StepIn is Step without an exchange.
	StepIn(in I) (O, *CrashError)
	// ReadIn is Read without an exchange. Any goroutine.
	ReadIn(in I) (O, bool, *CrashError)
	// NewExchange returns an exchange for in. Any goroutine.
	NewExchange(in I) *Exchange[I, O]
}

// Validate reports what the machine lacks.
func (m *Machine[S, I, O]) Validate() error {
	switch {
	case m == nil:
		return errors.New("the machine is nil")
	case m.Step == nil:
		return errors.New("the machine has no Step")
	case m.Input == nil:
		return errors.New("the machine has no Input codec")
	case m.Output == nil:
		return errors.New("the machine has no Output codec")
	case m.Version < 0 || m.Version > versionMax:
		return fmt.Errorf("the machine's Version is %d, not 0 to %d", m.Version, versionMax)
	}
	return validateTasks(m.Tasks)
}

// New returns a process of the machine.
func (m *Machine[S, I, O]) New(name Name, moment *Moment) Process {
	return &process[S, I, O]{m: m, fx: Effects[O]{Fx{moment: moment, name: name, tasks: &m.Tasks}}}
}

type process[S, I, O any] struct {
	m     *Machine[S, I, O]
	fx    Effects[O]
	state S
	kept  *S                // what the next Init is given
	view  atomic.Pointer[S] // what readers see; nil unless up and m.ReadOnly is set

	private bool // nothing becomes the view
}

func (p *process[S, I, O]) Init() (err error) {
	state := *new(S)
	p.fx.moment.drop()
	crash := guard(p.fx.name, "init", p.goexit, func() {
		switch {
		case p.m.Init != nil:
			state, err = p.m.Init(Start[S]{Name: p.fx.name, Saved: p.kept, Fx: &p.fx.Fx})
			p.fx.moment.mustStart()
		case p.kept != nil:
			state = *p.kept
		}
	})
	if crash != nil {
		err = crash
	}
	if err != nil {
		p.fx.moment.drop()
		return err
	}
	p.live(state)
	return nil
}

// goexit is the end of a function that does not return.
func (p *process[S, I, O]) goexit(crash *CrashError) {
	p.fx.moment.drop()
	if p.fx.moment.goexit != nil {
		p.fx.moment.goexit(crash)
	}
}

func (p *process[S, I, O]) Resume() { p.live(*p.kept) }

// live makes s the state that is stepped and, where inputs can be read-only,
// the one that readers see. That costs an allocation, so that readers need no lock.
func (p *process[S, I, O]) live(s S) {
	p.state = s
	if p.m.ReadOnly != nil && !p.private {
		if p.fx.moment.hide && p.m.Message != nil {
			p.Hide()
			return
		}
		view := s
		p.view.Store(&view)
	}
}

func (p *process[S, I, O]) End() {
	p.Hide()
	p.state, p.private = *new(S), false
}

func (p *process[S, I, O]) Hide() { p.view.Store(nil) }

func (p *process[S, I, O]) Step(x any) *CrashError {
	ex := x.(*Exchange[I, O])
	if ex.message != nil {
		p.fx.moment.message, p.fx.moment.touched = ex.message, true
	}
	var crash *CrashError
	ex.Out, crash = p.StepIn(ex.In)
	return crash
}

func (p *process[S, I, O]) StepIn(in I) (out O, crash *CrashError) {
	finished := false
	defer func() {
		if !finished {
			if crash = caught(p.fx.name, "step", recover()); crash.Value == errGoexit {
				p.goexit(crash)
			} else {
				p.fx.moment.drop()
			}
		}
	}()
	var s S
	s, out = p.m.Step(in, p.state, &p.fx)
	readOnly := p.readOnly(in)
	if readOnly {
		p.fx.moment.mustGoOn()
	}
	finished = true
	switch {
	case !readOnly:
		p.live(s)
	case p.view.Load() == nil:
		p.live(p.state) // it was hidden until this step
	}
	return out, nil
}

func (p *process[S, I, O]) Read(x any) (bool, *CrashError) {
	ex := x.(*Exchange[I, O])
	var ok bool
	var crash *CrashError
	ex.Out, ok, crash = p.ReadIn(ex.In)
	return ok, crash
}

func (p *process[S, I, O]) ReadIn(in I) (out O, ok bool, crash *CrashError) {
	view := p.view.Load()
	if view == nil {
		return out, false, nil
	}
	fx, _ := p.m.effects.Get().(*Effects[O])
	if fx == nil {
		fx = &Effects[O]{Fx{moment: &Moment{seed: ^p.m.readers.Add(1)}, tasks: &p.m.Tasks}} // far from the seeds of entries
	}
	finished := false
	defer func() {
		if !finished {
			ok, crash = true, caught(p.fx.name, "read_only", recover())
		}
	}()
	if p.m.ReadOnly(in) {
		fx.name, fx.moment.clock = p.fx.name, p.fx.moment.clock
		fx.moment.Set(0, fx.moment.seed)
		_, out = p.m.Step(in, *view, fx)
		fx.moment.mustGoOn()
		ok = true
	}
	finished = true
	p.m.effects.Put(fx)
	return out, ok, nil
}

func (p *process[S, I, O]) Terminator(r Reason) func() *CrashError {
	if p.m.Terminate == nil {
		return nil
	}
	name, state := p.fx.name, p.state
	return func() *CrashError {
		return guard(name, "terminate", nil, func() { p.m.Terminate(name, state, r) })
	}
}

func (p *process[S, I, O]) Durable() bool { return p.m.State != nil }

func (p *process[S, I, O]) Keep() {
	if p.Durable() {
		kept := p.state
		p.kept = &kept
	}
}

func (p *process[S, I, O]) Load(data []byte) error {
	s, err := p.restored(data)
	if err != nil {
		return err
	}
	p.kept = &s
	return nil
}

func (p *process[S, I, O]) Kept() (Encoder, bool) {
	if p.kept == nil {
		return nil, false
	}
	return p.encoder(*p.kept), true
}

func (p *process[S, I, O]) Current() Encoder { return p.encoder(p.state) }

func (p *process[S, I, O]) encoder(s S) Encoder {
	name, m := p.fx.name, p.m
	return func(dst []byte) ([]byte, error) {
		data, err := encode(name, m.State, appendVersion(dst, m.Version), codec.Msgpack, s)
		if err != nil {
			return dst, err
		}
		return data, nil
	}
}

func (p *process[S, I, O]) IsReadOnly(x any) (is bool) {
	guard(p.fx.name, "read_only", nil, func() { is = p.readOnly(x.(*Exchange[I, O]).In) })
	return is
}

func (p *process[S, I, O]) readOnly(in I) bool { return p.m.ReadOnly != nil && p.m.ReadOnly(in) }

func (p *process[S, I, O]) Decode(f codec.Format, body []byte) (any, error) {
	in, err := decode(p.fx.name, p.m.Input, f, body)
	if err != nil {
		return nil, err
	}
	return p.NewExchange(in), nil
}

func (p *process[S, I, O]) AppendInput(dst []byte, x any) ([]byte, error) {
	return encode(p.fx.name, p.m.Input, dst, codec.Msgpack, x.(*Exchange[I, O]).In)
}

func (p *process[S, I, O]) AppendOutput(dst []byte, f codec.Format, x any) ([]byte, error) {
	return encode(p.fx.name, p.m.Output, dst, f, x.(*Exchange[I, O]).Out)
}

func (p *process[S, I, O]) FromMessage(m Message) (x any, ok bool, crash *CrashError) {
	if p.m.Message == nil {
		return nil, false, nil
	}
	crash = guard(p.fx.name, "message", p.goexit, func() {
		m = lastingMessage(m)
		ex := exchangeOf[I, O](&p.fx.moment.spares, p.m.Message(m))
		ex.message = m
		x = ex
	})
	return x, crash == nil, crash
}

func (p *process[S, I, O]) AppendOutputValue(dst []byte, f codec.Format, out any) ([]byte, error) {
	return encodeAny(p.fx.name, p.m.Output, dst, f, out)
}

func (p *process[S, I, O]) DecodeOutput(data []byte) (any, error) {
	return decodeAny(p.fx.name, p.m.Output, codec.Msgpack, data)
}

func (p *process[S, I, O]) Task(name string) AnyTask { return findTask(p.m.Tasks, name) }

// Describe returns the names of the process's input and output types.
func (p *process[S, I, O]) Describe() (in, out string) {
	return typeName[I](), typeName[O]()
}

// encode is c.Append; a panic in it becomes its error.
func encode[T any](name Name, c codec.Codec[T], dst []byte, f codec.Format, v T) (out []byte, err error) {
	crash := guard(name, "encode", nil, func() { out, err = c.Append(dst, f, v) })
	if crash != nil {
		return dst, crash
	}
	return out, err
}

// decode is c.Decode; a panic in it becomes its error.
func decode[T any](name Name, c codec.Codec[T], f codec.Format, data []byte) (v T, err error) {
	crash := guard(name, "decode", nil, func() { v, err = c.Decode(f, data) })
	if crash != nil {
		return v, crash
	}
	return v, err
}

// encodeAny is encode of a value whose type is hidden.
func encodeAny[T any](name Name, c codec.Codec[T], dst []byte, f codec.Format, v any) ([]byte, error) {
	t, ok := as[T](v)
	if !ok {
		return dst, fmt.Errorf("%s: a %T is not a %s", short(name), v, typeName[T]())
	}
	return encode(name, c, dst, f, t)
}

// decodeAny is decode to such a value.
func decodeAny[T any](name Name, c codec.Codec[T], f codec.Format, data []byte) (any, error) {
	v, err := decode(name, c, f, data)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// errGoexit stands for the panic that runtime.Goexit is not.
var errGoexit = errors.New("the function called runtime.Goexit")

// Guard runs an Init that is not a machine's, that of a supervisor, and returns
// its error, or its panic as a *CrashError.
func Guard(name Name, in string, f func() error) (err error) {
	if crash := guard(name, in, nil, func() { err = f() }); crash != nil {
		return crash
	}
	return err
}

// guard runs f and returns its panic. If f calls runtime.Goexit, guard does not
// return; then goexit, unless nil, is called.
func guard(name Name, in string, goexit func(*CrashError), f func()) (crash *CrashError) {
	finished := false
	defer func() {
		if !finished {
			crash = caught(name, in, recover())
			if crash.Value == errGoexit && goexit != nil {
				goexit(crash)
			}
		}
	}()
	f()
	finished = true
	return nil
}

// caught makes a *CrashError of what recover returned in a function that did
// not finish. The zero recovered means Goexit: a panic of nil is a
// *runtime.PanicNilError.
func caught(name Name, in string, recovered any) *CrashError {
	if recovered == nil {
		recovered = errGoexit
	}
	return &CrashError{Name: name, In: in, Value: recovered, Stack: debug.Stack()}
}
