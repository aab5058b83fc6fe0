package genevent

import (
	"github.com/lineshaft/lineshaft/statemachine"
)

// Handler is the name of a handler: its kind, and an id that tells it from
// others of its kind, "" if there is one only. Two of the same name are
// possible: a request then means the newer one, until that has gone.
type Handler struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
}

// String returns the kind, and the id after a slash, as "file/audit".
func (h Handler) String() string {
	if h.ID == "" {
		return h.Kind
	}
	return h.Kind + "/" + h.ID
}

// Input is what a manager of events E is told: one of Notify, SyncNotify,
// AddHandler, DeleteHandler, SwapHandler, Call, WhichHandlers, Stop and Info.
type Input[E any] interface{ input(E) }

// Notify gives an event to every handler, the newest first. It is meant to be
// cast; called, it is a SyncNotify.
type Notify[E any] struct{ Event E }

// SyncNotify is Notify, to be called: the output, Ok, comes when all handlers
// have run.
type SyncNotify[E any] struct{ Event E }

// AddHandler adds a handler, in front of the others: Kind.Add and Kind.AddSup
// make it. The output is Ok or Failed. OTP: add_handler, or with a Client
// add_sup_handler.
type AddHandler[E any] struct {
	Handler Handler
	// Client is the process that supervises the handler, "" if none does.
	Client statemachine.Name

	args any
}

// DeleteHandler takes a handler away, whose Terminate is told Args. The output
// is what that returns, a Reply, or Failed.
type DeleteHandler[E any] struct {
	Handler Handler
	Args    string
}

// SwapHandler takes a handler away, whose Terminate is told Args, and adds New,
// whose Init is given what that has returned. If there is no such handler, New
// is added all the same, if its Init accepts that; if its Init fails, both are
// gone. Unless New has a Client, the old one's remains. The output is Ok or
// Failed. OTP: swap_handler, or with a New.Client swap_sup_handler.
type SwapHandler[E any] struct {
	Handler Handler
	Args    string
	New     AddHandler[E]
}

// Call asks a handler: Kind.Call makes it. The output is a Reply, or Failed.
type Call[E any] struct {
	Handler Handler

	query any
}

// WhichHandlers asks for the handlers. The output is Handlers. It is read-only.
type WhichHandlers[E any] struct{}

// Stop takes all handlers away, whose Terminate is told Stopped, and ends the
// manager because of Reason. The output is Ok. Only with it, not if the manager
// is ended from outside, does Config.Exited hear of the handlers.
type Stop[E any] struct{ Reason statemachine.Reason }

// Info gives a message to every handler. The loop's messages come so. It cannot
// be encoded, and so is not for the outside where inputs are journaled.
type Info[E any] struct{ Message statemachine.Message }

func (Notify[E]) input(E)        {}
func (SyncNotify[E]) input(E)    {}
func (AddHandler[E]) input(E)    {}
func (DeleteHandler[E]) input(E) {}
func (SwapHandler[E]) input(E)   {}
func (Call[E]) input(E)          {}
func (WhichHandlers[E]) input(E) {}
func (Stop[E]) input(E)          {}
func (Info[E]) input(E)          {}
