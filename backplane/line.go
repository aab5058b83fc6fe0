package backplane

import (
	"fmt"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
)

// Mode says which ends of a link are told that the other disconnects.
type Mode uint8

// The modes of a.Link(b, mode).
const (
	Monitor Mode = 1 << iota // a is told of b's end
	Notify                   // b is told of a's end

	Peer = Monitor | Notify
)

// Line is a handle on a device, or by name on a process or supervisor. Lines are
// equal if they are of the same device, or of the same name in the same
// application. The zero Line is that of nobody, who is always gone. Any goroutine
// may use it.
type Line struct {
	node *node // of a device
	loop *eventloop.Loop
	name statemachine.Name
}

// Process returns the line of the process, or the supervisor, called name. There
// need not be one: Link says so.
func Process(l *eventloop.Loop, name statemachine.Name) Line { return Line{loop: l, name: name} }

// Name returns the name of the device or process, "" for nobody.
func (l Line) Name() statemachine.Name {
	if l.node != nil {
		return l.node.called()
	}
	return l.name
}

// String returns the name.
func (l Line) String() string { return string(l.Name()) }

// Link links who is at the end of l with who is at the end of to: see Mode. Modes
// add up over several calls. It fails, and nothing has changed, if one of the two
// has disconnected: with a *statemachine.CallError that names it and wraps
// statemachine.ErrNoProcess. Otherwise, whoever is to be told will be, once. A
// link with oneself is none.
func (l Line) Link(to Line, m Mode) error {
	if m == 0 || m > Peer {
		return fmt.Errorf("backplane: no mode: %d", m)
	}
	a, err := l.open()
	if err != nil {
		return err
	}
	b, err := to.open()
	if err != nil {
		return err
	}
	return connect(a, b, m)
}

// Unlink takes back what Link has done, or that part of it that m says, whichever
// end it was done from: a.Unlink(b, Monitor) is b.Unlink(a, Notify). That there is
// no link is no error. A Disconnected that a device has got already stays.
func (l Line) Unlink(to Line, m Mode) {
	a, err := l.open()
	if err != nil {
		return
	}
	b, err := to.open()
	if err != nil {
		return
	}
	separate(a, b, m)
}

// open returns the node at the end of the line.
func (l Line) open() (*node, error) {
	switch {
	case l.node != nil:
		return l.node, nil
	case l.loop == nil:
		return nil, noProcess("")
	}
	n, err := l.loop.Attach(l.name, attach)
	if err != nil {
		return nil, err
	}
	return n.(*node), nil
}

func attach(life *eventloop.Life) eventloop.Attached {
	return &node{id: ids.Add(1), name: life.Name, life: life}
}

// Disconnected says that a process or device has ended its part in a link, or
// has sent an exit signal. It is also the error of a function that ended because
// of that.
type Disconnected struct {
	Line   Line
	Reason statemachine.Reason
}

// Error names who disconnected, and the reason.
func (m *Disconnected) Error() string { return fmt.Sprintf("%v disconnected: %v", m.Line, m.Reason) }

// Unwrap returns the reason's detail.
func (m *Disconnected) Unwrap() error { return m.Reason.Detail }

// fault reports whether the reason is one to end for too.
func (m *Disconnected) fault() bool { return m.Reason.Class != statemachine.ClassNormal }

func noProcess(name statemachine.Name) error {
	return &statemachine.CallError{Name: name, Outcome: statemachine.NotApplied, Err: statemachine.ErrNoProcess}
}
