package genevent

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// What is typed per kind, and the events, are values of any shape in here: of
// what shape says the kind that stands beside them.

type wireAdd struct {
	Kind   string            `json:"kind"`
	ID     string            `json:"id,omitempty"`
	Args   codec.Raw         `json:"args"`
	Client statemachine.Name `json:"client,omitempty"`
}

type wireDelete struct {
	Kind string `json:"kind"`
	ID   string `json:"id,omitempty"`
	Args string `json:"args"`
}

type wireSwap struct {
	Kind string  `json:"kind"`
	ID   string  `json:"id,omitempty"`
	Args string  `json:"args"`
	New  wireAdd `json:"new"`
}

type wireCall struct {
	Kind  string    `json:"kind"`
	ID    string    `json:"id,omitempty"`
	Query codec.Raw `json:"query"`
}

type wireStop struct {
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
}

type (
	wireNotify     struct{ codec.Raw }
	wireSyncNotify struct{ codec.Raw }
	wireWhich      struct{}
)

type wireReply struct {
	Kind  string    `json:"kind"`
	Value codec.Raw `json:"value"`
}

type wireState struct {
	Handlers []wireInstance `json:"handlers"`
	Stopped  bool           `json:"stopped,omitempty"`
}

type wireInstance struct {
	Kind   string            `json:"kind"`
	ID     string            `json:"id,omitempty"`
	Client statemachine.Name `json:"client,omitempty"`
	State  codec.Raw         `json:"state"`
}

var wireInputs = codec.Union[any](
	codec.Case[wireNotify]("notify"), codec.Case[wireSyncNotify]("sync_notify"), codec.Case[wireAdd]("add_handler"),
	codec.Case[wireDelete]("delete_handler"), codec.Case[wireSwap]("swap_handler"), codec.Case[wireCall]("call"),
	codec.Case[wireWhich]("which_handlers"), codec.Case[wireStop]("stop"))

var wireOutputs = codec.Union[any](codec.Case[Ok]("ok"), codec.Case[wireReply]("reply"),
	codec.Case[Handlers]("handlers"), codec.Case[Failed]("error"))

var wireStates = codec.Of[wireState]()

// form encodes values of one type, by way of JSON.
type form interface {
	raw(v any) (codec.Raw, error)
	value(r codec.Raw) (any, error)
}

type typedForm[T any] struct{ codec codec.Codec[T] }

// formOf returns the form of T; a nil codec is codec.Of.
func formOf[T any](c codec.Codec[T]) form {
	if c == nil {
		c = codec.Of[T]()
	}
	return typedForm[T]{c}
}

func (f typedForm[T]) raw(v any) (codec.Raw, error) {
	t, ok := as[T](v)
	if !ok {
		return codec.Raw{}, errors.New("genevent: two kinds have one name")
	}
	text, err := f.codec.Append(nil, codec.JSON, t)
	if err != nil {
		return codec.Raw{}, err
	}
	return codec.ParseRaw(text)
}

func (f typedForm[T]) value(r codec.Raw) (any, error) {
	t, err := f.codec.Decode(codec.JSON, []byte(r.String()))
	if err != nil {
		return nil, err
	}
	return t, nil
}

// reader makes values of what was decoded, until the first error.
type reader[E any] struct {
	m      *machine[E]
	format codec.Format
	err    error
}

// fail notes an error about the value at path.
func (r *reader[E]) fail(path string, err error) {
	if r.err != nil {
		return
	}
	refused := &codec.Error{Kind: codec.Meaningless, Err: err}
	if own := new(codec.Error); errors.As(err, &own) {
		*refused = *own
		if own.Path != "" && own.Path[0] != '[' {
			path += "."
		}
		path += own.Path
	}
	refused.Format, refused.Path, refused.Offset = r.format, path, -1
	r.err = refused
}

// kind returns how the values of the kind are encoded that stands at path.
func (r *reader[E]) kind(path, name string) *forms {
	if k := r.m.kinds[name]; k != nil {
		return k.forms()
	}
	r.fail(path, &codec.Error{
		Kind:     codec.Meaningless,
		Expected: "one of the kinds " + strings.Join(slices.Sorted(maps.Keys(r.m.kinds)), ", "),
		Found:    strconv.Quote(text(name)),
	})
	return nil
}

func (r *reader[E]) value(path string, f form, raw codec.Raw) any {
	if r.err != nil {
		return nil
	}
	v, err := f.value(raw)
	if err != nil {
		r.fail(path, err)
	}
	return v
}

// raws makes what is encoded of values, until the first error.
type raws[E any] struct {
	m   *machine[E]
	err error
}

func (w *raws[E]) of(kind string, which func(*forms) form, v any) (raw codec.Raw) {
	k := w.m.kinds[kind]
	switch {
	case w.err != nil:
	case k == nil:
		w.err = errors.New("genevent: there is no kind " + strconv.Quote(text(kind)))
	default:
		raw, w.err = which(k.forms()).raw(v)
	}
	return raw
}

func argsForm(f *forms) form  { return f.args }
func queryForm(f *forms) form { return f.query }
func replyForm(f *forms) form { return f.reply }
func stateForm(f *forms) form { return f.state }
