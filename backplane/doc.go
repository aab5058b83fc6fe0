// Package backplane ties goroutines to the processes of an application, and to
// each other: who ends is heard of, and can take others along.
//
//	d := backplane.New("listener")
//	session := backplane.Process(loop, "session")
//	if err := d.Link(session, backplane.Peer); err != nil {
//		return err // there is no such process: statemachine.ErrNoProcess
//	}
//	err := d.Manage(ctx, func(ctx context.Context) error {
//		return serve(ctx, conn) // ctx is cancelled when the session ends
//	}) // if serve fails or panics, the session ends too
//
// A [Device] is a goroutine's place on the backplane, what a pid is to a process.
// A [Line] is a handle on a device, or on a process or supervisor of an
// application; it can be copied, compared, and given to anyone. Devices and
// processes are linked, in any topology, in one of three modes. Seen from a in
// a.Link(b, mode):
//
//   - [Monitor]: a is told when b disconnects. OTP: monitor.
//   - [Notify]: b is told when a disconnects.
//   - [Peer]: both. OTP: link.
//
// A device disconnects when it says so, [Device.Disconnect], or when the function
// that it manages returns; a process when its life ends. The reason is OTP's exit
// reason; any but normal is a fault.
//
// # What who is told does
//
//   - A device that manages a function, [Device.Manage]: a fault cancels the
//     function's context, and when it has returned the device disconnects for the
//     same reason, which its own links are told. That something ended normally
//     changes nothing.
//   - Any other device gets a [Disconnected], of a normal end too, which
//     [Device.Next] or [Device.Watch] returns; as an error it is a *Disconnected.
//     Nothing comes of it if neither is called. To apply some logic then, and start
//     the other again, is to be a supervisor.
//   - A process that traps exits gets a statemachine.Exit with the device's name, a
//     message; any other one ends for the same reason, if that is a fault, and its
//     supervisor does what its restart type says. So do supervisors, which in OTP
//     would not listen to strangers.
//
// Whoever is not told goes on: after a.Link(b, Monitor) b does, whatever becomes
// of a.
//
// # Lives
//
// The line of a process is by name, and its links are with the life that the
// process has when Link is called. They end with that, and the next life can be
// linked with when it has begun, which a call to the process waits for. A process
// that is between two lives is as gone as one that was never there: Link returns
// statemachine.ErrNoProcess. It returns either that, or nil, and then the end of
// the process will be told, however the two race. A device that has disconnected
// stays so.
//
// Links are not journaled, and not there after a restart of the program, in which
// goroutines end too. That a process ends because of one is journaled, where its
// application has a journal, as any other reason for which it ends.
//
// # Goroutines
//
// No goroutine is started for a device: who disconnects tells its links. (The
// end of a process to which many are linked is told on a goroutine of its own,
// so that the loop need not wait.) All of [Line]'s and most of [Device]'s methods
// may be called by any goroutine, inside Manage and OnEvent too, and wait for
// nobody, not even for the loop. [Device.Next], [Device.Watch] and [Device.Manage]
// wait, and are the device's own goroutine's: one at a time. A machine must call
// none of this; it has effects for it.
//
// A device that is not used any more must disconnect, so that its links are told
// and forget it: defer d.Disconnect(reason) where there is no Manage.
//
// # Differences from OTP
//
// To link with, or monitor, who is gone is an error of Link; no message comes of
// it. A function cannot be killed: it is cancelled for the reason killed too, and
// its device is on the backplane until it has returned. A device is no process: there
// is no receive but for a [Disconnected], and channels serve for all else.
//
// # Differences from async-backplane
//
// The words are those of the Rust crate, except where OTP has one: a Fault is an
// exit reason, a Device's id is its Line. A cascade keeps its reason, as in OTP:
// what is told further is not that a cascade arrived, but why it began. A request
// to shut down is an exit signal with the reason shutdown ([Device.Exit]), and so
// a fault to those linked, as in OTP. A future can be dropped; a function is
// cancelled by its context and then waited for. A device that becomes garbage has
// not disconnected. Devices are linked by their lines only, and unlinked as they
// were linked or otherwise.
package backplane
