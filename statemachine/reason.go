package statemachine

import "fmt"

// Name is the name a process is registered under: unique in its tree, at most
// [MaxNameBytes] long, not empty.
type Name string

// MaxNameBytes is the longest name a process may have, in bytes.
const MaxNameBytes = 255

// Reason is why a process ended: OTP's exit reason. The zero value is
// [Normal]. Reasons are compared by their [Class]; Detail says more.
type Reason struct {
	// Class is the part of the reason that a supervisor decides by.
	Class Class
	// Detail is the term of ClassShutdownTerm, or the cause of ClassCrash
	// (a *CrashError where user code panicked); nil otherwise.
	Detail error
}

// Class is the kind of an exit reason. A supervisor restarts a transient
// child unless the class is clean.
type Class uint8

const (
	ClassNormal       Class = iota // normal
	ClassShutdown                  // shutdown
	ClassShutdownTerm              // {shutdown, Term}
	ClassKilled                    // killed: ended without terminate
	ClassCrash                     // anything else
)

// Clean reports whether a transient child that ended so stays down.
func (c Class) Clean() bool { return c <= ClassShutdownTerm }

// String returns OTP's word for the class.
func (c Class) String() string {
	switch c {
	case ClassNormal:
		return "normal"
	case ClassShutdown:
		return "shutdown"
	case ClassShutdownTerm:
		return "shutdown_t"
	case ClassKilled:
		return "killed"
	case ClassCrash:
		return "crash"
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// The reasons that need no detail.
var (
	Normal   = Reason{Class: ClassNormal}
	Shutdown = Reason{Class: ClassShutdown}
	Killed   = Reason{Class: ClassKilled}
)

// NoProcess is the reason that a process has ended for that was not there when
// it was asked for. OTP: noproc.
var NoProcess = Crash(ErrNoProcess)

// ShutdownWith returns OTP's {shutdown, Term}.
func ShutdownWith(term error) Reason { return Reason{Class: ClassShutdownTerm, Detail: term} }

// Crash returns the reason of a process that failed because of cause.
func Crash(cause error) Reason { return Reason{Class: ClassCrash, Detail: cause} }

// String returns the class, and the detail where there is one.
func (r Reason) String() string {
	if r.Detail == nil {
		return r.Class.String()
	}
	return r.Class.String() + ": " + r.Detail.Error()
}
