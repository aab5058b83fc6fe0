package statemachine

import (
	"fmt"
	"time"
)

// Status is what a process, or a child that has none now, is doing.
type Status uint8

const (
	// Down: the spec is kept, no process runs.
	Down Status = iota
	// Starting: Init has not returned, or a supervisor's children are not all up.
	Starting
	// Up: it steps inputs, or supervises.
	Up
	// Restarting: its supervisor will start it again: its last Init failed, or
	// there is a backoff whose delay is not over.
	Restarting
	// Terminating: it is ending; its Terminate may be running.
	Terminating
)

// String returns the status in lower case.
func (s Status) String() string {
	words := [...]string{"down", "starting", "up", "restarting", "terminating"}
	if int(s) < len(words) {
		return words[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// MarshalText returns String.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Info is what can be seen of a process, or of a child that is down, from
// outside, at one moment.
type Info struct {
	Name     Name   `json:"name"`
	Type     string `json:"type"` // "worker" or "supervisor"
	Status   Status `json:"status"`
	Restart  string `json:"restart"`            // permanent, transient or temporary
	Strategy string `json:"strategy,omitempty"` // of a supervisor
	// Restarts counts how often it was started again since the application began.
	Restarts int `json:"restarts"`
	// Steps counts the inputs of a worker that were stepped without a crash
	// since the application began, read-only ones among them.
	Steps int64 `json:"steps"`

	// The following are of a listing in full (supervisor.Node.Details).

	Shutdown    string `json:"shutdown,omitempty"`    // grace, such as "5s", or "infinity" or "brutal_kill"
	Significant bool   `json:"significant,omitempty"` // its end counts for its supervisor's auto shutdown
	Intensity   *int   `json:"intensity,omitempty"`   // of a supervisor: restarts allowed within Period
	Period      string `json:"period,omitempty"`      // of a supervisor, such as "5s"
	MaxRestarts int    `json:"max_restarts,omitempty"`
	// Crashes counts how often it was killed or crashed, by itself, since the
	// application began.
	Crashes int `json:"crashes,omitempty"`
	// LastExit is how its process ended the last time.
	LastExit *Ended `json:"last_exit,omitempty"`
	// LastFailure is the last start that failed; it has no class.
	LastFailure *Ended `json:"last_failure,omitempty"`
	// RestartedFor is the child, of the same supervisor, whose end or failed start
	// it was last started again for: itself, or a sibling.
	RestartedFor Name `json:"restarted_for,omitempty"`
	// Tries counts its consecutive restarts, where they back off.
	Tries int `json:"tries,omitempty"`
	// RetryAt is when it is to be started again, if it waits for that.
	RetryAt *time.Time `json:"retry_at,omitempty"`

	// Children are a supervisor's, in start order.
	Children []Info `json:"children,omitempty"`
}

// Ended is how and when a process ended, or its start failed.
type Ended struct {
	Class  string    `json:"class,omitempty"`  // normal, shutdown, shutdown_t, killed or crash
	Detail string    `json:"detail,omitempty"` // a text of little more than 1 KiB at most, without a stack
	At     time.Time `json:"at"`               // UTC, by the application's clock or, of replayed inputs, the journal's
}
