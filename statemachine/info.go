package statemachine

import "fmt"

// Status is what a process, or a child that has none now, is doing.
type Status uint8

const (
	// Down: the spec is kept, no process runs.
	Down Status = iota
	// Starting: Init has not returned, or a supervisor's children are not all up.
	Starting
	// Up: it steps inputs, or supervises.
	Up
	// Restarting: its last Init failed; its supervisor will try again.
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
	// Children are a supervisor's, in start order.
	Children []Info `json:"children,omitempty"`
}
