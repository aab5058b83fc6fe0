package bench

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	hollywoodactor "github.com/anthdm/hollywood/actor"
	protoactor "github.com/asynkron/protoactor-go/actor"
	goaktactor "github.com/tochemey/goakt/v3/actor"
	goaktlog "github.com/tochemey/goakt/v3/log"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const patience = time.Minute // for an answer

// hollywood: github.com/anthdm/hollywood.
func hollywood(t testing.TB) server {
	engine, err := hollywoodactor.NewEngine(hollywoodactor.NewEngineConfig())
	if err != nil {
		t.Fatal(err)
	}
	m := table()
	pid := engine.SpawnFunc(func(c *hollywoodactor.Context) {
		if key, ok := c.Message().(string); ok {
			_, out := lookup(key, m)
			if c.Sender() != nil {
				c.Respond(out)
			}
		}
	}, "kv")
	return server{
		name: "hollywood",
		call: func(key string) int {
			out, err := engine.Request(pid, key, patience).Result()
			if err != nil {
				t.Fatal(err)
			}
			return out.(int)
		},
		cast: func(key string) { engine.Send(pid, key) },
		stop: func() { <-engine.Stop(pid).Done() },
	}
}

// protoActor: github.com/asynkron/protoactor-go.
func protoActor(t testing.TB) server {
	quiet := func(*protoactor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
	system := protoactor.NewActorSystem(protoactor.WithLoggerFactory(quiet))
	m := table()
	pid := system.Root.Spawn(protoactor.PropsFromFunc(func(c protoactor.Context) {
		if key, ok := c.Message().(string); ok {
			_, out := lookup(key, m)
			if c.Sender() != nil {
				c.Respond(out)
			}
		}
	}))
	return server{
		name: "protoactor",
		call: func(key string) int {
			out, err := system.Root.RequestFuture(pid, key, patience).Result()
			if err != nil {
				t.Fatal(err)
			}
			return out.(int)
		},
		cast: func(key string) { system.Root.Send(pid, key) },
		stop: system.Shutdown,
	}
}

// goakt: github.com/tochemey/goakt. Its messages are protobuf's. Of v3.4.0 one
// caller at a time is all that can be measured: Ask reads its answer through a
// pooled context that may serve another by then, and returns nil.
func goakt(t testing.TB) server {
	ctx := context.Background()
	system, err := goaktactor.NewActorSystem("bench", goaktactor.WithLogger(goaktlog.DiscardLogger))
	if err != nil {
		t.Fatal(err)
	}
	if err := system.Start(ctx); err != nil {
		t.Fatal(err)
	}
	pid, err := system.Spawn(ctx, "kv", &goaktServer{m: table()})
	if err != nil {
		t.Fatal(err)
	}
	return server{
		name:      "goakt",
		oneCaller: true,
		call: func(key string) int {
			out, err := goaktactor.Ask(ctx, pid, wrapperspb.String(key), patience)
			if err != nil {
				t.Fatal(err)
			}
			return int(out.(*wrapperspb.Int64Value).Value)
		},
		cast: func(key string) {
			if err := goaktactor.Tell(ctx, pid, wrapperspb.Bytes([]byte(key))); err != nil {
				t.Fatal(err)
			}
		},
		stop: func() {
			if err := system.Stop(ctx); err != nil {
				t.Fatal(err)
			}
		},
	}
}

type goaktServer struct{ m map[string]int }

func (*goaktServer) PreStart(*goaktactor.Context) error { return nil }
func (*goaktServer) PostStop(*goaktactor.Context) error { return nil }

// Receive answers a StringValue. An answer to what was told, not asked, would
// block; so casts are of another type.
func (s *goaktServer) Receive(c *goaktactor.ReceiveContext) {
	switch msg := c.Message().(type) {
	case *wrapperspb.StringValue:
		_, out := lookup(msg.Value, s.m)
		c.Response(wrapperspb.Int64(int64(out)))
	case *wrapperspb.BytesValue:
		lookup(string(msg.Value), s.m)
	}
}
