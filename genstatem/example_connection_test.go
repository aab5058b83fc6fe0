package genstatem_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/genstatem"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// server stands for what a connection leads to. It fails a few times.
type server struct {
	mu       sync.Mutex
	failing  int // dials
	sessions int
}

func (s *server) dial(context.Context, statemachine.TaskID, string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing--; s.failing >= 0 {
		return 0, errors.New("connection refused")
	}
	s.sessions++
	return s.sessions, nil
}

func (s *server) send(_ context.Context, _ statemachine.TaskID, text string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if text == "bye" {
		s.failing = 2
		return "", errors.New("connection reset")
	}
	return "got " + text, nil
}

// The blocking work of a connection, done beside the loop.
var (
	far  = &server{failing: 2}
	dial = statemachine.NewTask("dial", codec.Of[string](), codec.Of[int](), far.dial)
	send = statemachine.NewTask("send", codec.Of[string](), codec.Of[string](), far.send)
)

// The events of a connection.
type (
	linkEvent interface{ linkEvent() }
	toSend    struct{ Text string } // called
	redial    struct{}              // a timeout
	dialed    struct {
		Session int
		Failed  string
	}
	sent struct {
		To     statemachine.From
		Answer string
		Failed string
	}
)

func (toSend) linkEvent() {}
func (redial) linkEvent() {}
func (dialed) linkEvent() {}
func (sent) linkEvent()   {}

// link is what is known of a connection.
type link struct{ Session, Tries int }

// backoff is how long a connection waits between two tries.
func (l link) backoff() time.Duration { return min(time.Millisecond<<l.Tries, time.Minute) }

type linkEffects = genstatem.Effects[linkEvent, string]

// connection answers what the server answers. What it is called with while it
// is not connected waits until it is.
var connection = genstatem.New(genstatem.Machine[string, link, linkEvent, string]{
	Init: func(*linkEffects) (string, link, error) { return "dialing", link{}, nil },
	Enter: func(_, now string, l link, fx *linkEffects) link {
		switch now {
		case "dialing":
			dial.Start(fx, "", "server:7000", statemachine.Retry{})
		case "waiting":
			fx.SetTimeout(genstatem.StateTimeout, l.backoff(), redial{})
		}
		return l
	},
	HandleEvent: func(ev genstatem.Event[linkEvent], now string, l link, fx *linkEffects) (string, link) {
		switch e := ev.Content.(type) {
		case toSend:
			if now != "connected" {
				fx.Postpone()
				return now, l
			}
			send.Start(fx, strconv.FormatUint(uint64(ev.From), 10), e.Text, statemachine.Retry{})
		case redial:
			return "dialing", l
		case dialed:
			if e.Failed != "" {
				return "waiting", link{Tries: l.Tries + 1}
			}
			return "connected", link{Session: e.Session}
		case sent:
			if e.Failed != "" {
				fx.Reply(e.To, "not sent: "+e.Failed)
				return "waiting", link{}
			}
			fx.Reply(e.To, fmt.Sprintf("session %d: %s", l.Session, e.Answer))
		}
		return now, l
	},
	// A connection does not outlive its process, even where its state does.
	Resume: func(_ string, _ link, fx *linkEffects) (string, link) {
		fx.Repeat()
		return "dialing", link{}
	},
	Message: func(m statemachine.Message) linkEvent {
		done, _ := m.(statemachine.TaskDone)
		failed := ""
		if done.Err != nil {
			failed = done.Err.Error()
		}
		if done.Task == "dial" {
			session, _ := dial.Result(done)
			return dialed{session, failed}
		}
		to, _ := strconv.ParseUint(done.Tag, 10, 64)
		answer, _ := send.Result(done)
		return sent{statemachine.From(to), answer, failed}
	},
	Tasks: []statemachine.AnyTask{dial, send},
	Event: codec.Union[linkEvent](codec.Case[toSend]("send"), codec.Case[redial]("redial"), codec.Case[dialed]("dialed"), codec.Case[sent]("sent")),
	Reply: codec.Of[string](),
	State: codec.Of[string](),
	Data:  codec.Of[link](),
})

func Example_connection() {
	loop, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{
		Name:     "root",
		Children: []supervisor.Child{supervisor.Worker{Name: "connection", Machine: connection}},
	}})
	if err != nil {
		panic(err)
	}
	there, err := eventloop.RefTo[linkEvent, string](loop, "connection")
	if err != nil {
		panic(err)
	}
	for _, text := range []string{"hello", "again", "bye", "hello"} {
		fmt.Println(there.Call(context.Background(), toSend{text}))
	}
	loop.Stop(context.Background())
	// Output:
	// session 1: got hello <nil>
	// session 1: got again <nil>
	// not sent: connection reset <nil>
	// session 2: got hello <nil>
}
