package backplane

import (
	"context"
	"errors"
	"fmt"

	"github.com/lineshaft/lineshaft/statemachine"
)

// Device is a goroutine's place on the backplane. [New] makes one.
type Device struct{ node node }

// New returns a device that is linked with nobody. Once it is, it must be
// disconnected some time. The name is for error texts, and for processes that trap
// exits; it need not be unique, and "" gets a number.
func New(name statemachine.Name) *Device {
	return &Device{node{id: ids.Add(1), name: name}}
}

// Line returns the device's line. Any goroutine may call it.
func (d *Device) Line() Line { return Line{node: &d.node} }

// Name returns the device's name. Any goroutine may call it.
func (d *Device) Name() statemachine.Name { return d.node.called() }

// Link is d.Line().Link. Any goroutine may call it.
func (d *Device) Link(to Line, m Mode) error { return d.Line().Link(to, m) }

// Unlink is d.Line().Unlink. Any goroutine may call it.
func (d *Device) Unlink(to Line, m Mode) { d.Line().Unlink(to, m) }

// Exit sends an exit signal: who is at the end of to is told what it would be if
// d was linked with it and disconnected because of r, but d does not. It fails
// with statemachine.ErrNoProcess if that has disconnected. To ask a device, or a
// process, to shut down is d.Exit(to, statemachine.Shutdown). OTP: exit/2. Any
// goroutine may call it.
func (d *Device) Exit(to Line, r statemachine.Reason) error {
	n, err := to.open()
	if err != nil {
		return err
	}
	n.mu.Lock()
	gone, cancelled := n.gone, n.tell(Disconnected{d.Line(), r})
	n.mu.Unlock()
	cancelled.stop()
	if gone {
		return noProcess(n.called())
	}
	return nil
}

// Disconnect takes the device off the backplane for good, and tells its links
// why. A second one does nothing. What it has been told and not taken is gone;
// Next and Link fail from now on, and the context of a function that it runs is
// cancelled. Any goroutine may call it.
func (d *Device) Disconnect(r statemachine.Reason) { d.node.disconnect(r) }

// Next returns the next Disconnected, in the order in which they came. It waits
// for one until ctx ends, and then returns context.Cause(ctx), or until the
// device itself is disconnected: statemachine.ErrNoProcess. That it is linked with
// nobody any more does not end the wait: somebody may link with it. With a ctx that
// has ended it returns what has come already. Not for two goroutines at once, nor
// inside Watch or Manage of the same device, where it panics.
func (d *Device) Next(ctx context.Context) (Disconnected, error) {
	n := &d.node
	for {
		n.mu.Lock()
		n.idle()
		if len(n.inbox) > 0 {
			m := n.pop()
			n.mu.Unlock()
			return m, nil
		}
		gone := n.gone
		if n.wake == nil {
			n.wake = make(chan struct{}, 1)
		}
		n.mu.Unlock()
		if gone {
			return Disconnected{}, noProcess(n.called())
		}
		select {
		case <-n.wake:
		case <-ctx.Done():
			return Disconnected{}, context.Cause(ctx)
		}
	}
}

// Watch runs f on this goroutine and returns the first of two things: what f
// returns, or the next Disconnected, a normal one too, as the error, a
// *Disconnected. One that comes while f runs cancels f's context, and is returned
// when f has returned, which must be soon, whatever that was; if f fails with more
// than that it was cancelled, that is in the error too. If one has come before, f
// is not called. Those that come later are for the next Watch or Next. The device
// stays on the backplane.
//
// A panic of f is returned as a *statemachine.CrashError. If the device is
// disconnected f is not called: statemachine.ErrNoProcess. Not for two goroutines
// at once, nor inside Watch or Manage of the same device, where it panics.
func (d *Device) Watch(ctx context.Context, f func(context.Context) error) error {
	cause, err := d.run(ctx, f, &run{})
	return because(cause, err)
}

// Manage runs f on this goroutine as one that shares its fate with those that the
// device is linked with, as OTP's processes do, and then disconnects the device:
// normally if f returned nil, with a fault (statemachine.Crash) if it returned an
// error or panicked. A fault that the device is told cancels f's context, with
// the *Disconnected as its cause; when f has returned, which must be soon, the
// device disconnects for that reason, whatever f returned. That others end
// normally is ignored. The end of ctx is f's affair: nil is a normal end then too.
//
// Manage returns what f did, a panic as a *statemachine.CrashError; or the
// *Disconnected that it ended for, with what else f says, if it was more than
// that it was cancelled. If a fault has come before, f is not called. If the device
// is disconnected, neither: statemachine.ErrNoProcess. If f calls Disconnect its
// reason counts. Not for two goroutines at once, nor inside Watch or Manage of the
// same device, where it panics.
func (d *Device) Manage(ctx context.Context, f func(context.Context) error) error {
	reason := statemachine.Crash(errors.New("the function called runtime.Goexit"))
	defer func() { d.Disconnect(reason) }()
	cause, err := d.run(ctx, f, &run{managed: true})
	switch {
	case cause != nil:
		reason = cause.Reason
	case err != nil:
		reason = statemachine.Crash(err)
	default:
		reason = statemachine.Normal
	}
	return because(cause, err)
}

// run runs f unless something has come that it would be cancelled for, and
// returns what that was, before f or meanwhile.
func (d *Device) run(ctx context.Context, f func(context.Context) error, r *run) (cause *Disconnected, err error) {
	ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	n, in := &d.node, "watch"
	if r.managed {
		in = "manage"
	}
	n.mu.Lock()
	n.idle()
	for r.cause == nil && len(n.inbox) > 0 {
		if m := n.pop(); !r.managed || m.fault() {
			r.cause = &m
		}
	}
	if n.gone || r.cause != nil {
		defer n.mu.Unlock()
		if n.gone {
			err = noProcess(n.called())
		}
		return r.cause, err
	}
	n.run = r
	n.mu.Unlock()
	defer func() { // f may call runtime.Goexit
		n.mu.Lock()
		n.run, cause = nil, r.cause
		n.mu.Unlock()
	}()
	return nil, statemachine.Guard(n.called(), in, func() error { return f(ctx) })
}

// because is the error of a function that was cancelled because of cause, if
// there is one.
func because(cause *Disconnected, err error) error {
	switch {
	case cause == nil:
		return err
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, cause):
		return cause
	}
	return fmt.Errorf("%w; then %w", cause, err)
}

// idle panics if a function runs: the device is its own then.
func (n *node) idle() {
	if n.run != nil {
		n.mu.Unlock()
		panic("backplane: " + string(n.called()) + " runs a function already")
	}
}

// pop takes what came first.
func (n *node) pop() Disconnected {
	m := n.inbox[0]
	n.inbox[0] = Disconnected{}
	if n.inbox = n.inbox[1:]; len(n.inbox) == 0 {
		n.inbox = nil
	}
	return m
}
