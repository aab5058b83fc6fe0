package backplane_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/lineshaft/lineshaft/backplane"
	"github.com/lineshaft/lineshaft/statemachine"
)

// Three goroutines in a ring: if one fails, all end.
func Example() {
	names := []statemachine.Name{"reader", "parser", "writer"}
	var ring []*backplane.Device
	for _, name := range names {
		ring = append(ring, backplane.New(name))
	}
	for i, d := range ring {
		if err := d.Link(ring[(i+1)%len(ring)].Line(), backplane.Peer); err != nil {
			fmt.Println(err)
		}
	}
	ended := make([]chan error, len(ring))
	for i, d := range ring {
		ended[i] = make(chan error, 1)
		go func() {
			ended[i] <- d.Manage(context.Background(), func(ctx context.Context) error {
				if d.Name() == "parser" {
					return errors.New("unexpected end of file")
				}
				<-ctx.Done() // others would read and write until then
				return ctx.Err()
			})
		}()
	}
	fmt.Println("parser:", <-ended[1])
	var why *backplane.Disconnected
	for _, i := range []int{0, 2} {
		err := <-ended[i]
		fmt.Println(names[i], "has ended too:", errors.As(err, &why) && why.Reason.Class == statemachine.ClassCrash)
	}
	// Output:
	// parser: unexpected end of file
	// reader has ended too: true
	// writer has ended too: true
}

// Next is what supervisors of goroutines are made of.
func ExampleDevice_Next() {
	task := func(attempt int) error {
		if attempt < 3 {
			return fmt.Errorf("attempt %d failed", attempt)
		}
		return nil
	}
	supervisor := backplane.New("supervisor")
	defer supervisor.Disconnect(statemachine.Shutdown) // its child would end too
	for attempt := 1; ; attempt++ {
		child := backplane.New("child")
		if err := supervisor.Link(child.Line(), backplane.Peer); err != nil {
			fmt.Println(err)
			return
		}
		go child.Manage(context.Background(), func(context.Context) error { return task(attempt) })
		m, err := supervisor.Next(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.Line, "ended:", m.Reason)
		if m.Reason.Class == statemachine.ClassNormal {
			return
		}
	}
	// Output:
	// child ended: crash: attempt 1 failed
	// child ended: crash: attempt 2 failed
	// child ended: normal
}

// Watch waits for a result only as long as who is to deliver it is there.
func ExampleDevice_Watch() {
	questions, results := make(chan string), make(chan string)
	worker := backplane.New("worker")
	me := backplane.New("me")
	defer me.Disconnect(statemachine.Normal)
	if err := me.Link(worker.Line(), backplane.Monitor); err != nil {
		fmt.Println(err)
		return
	}
	go worker.Manage(context.Background(), func(context.Context) error {
		for q := range questions {
			if q == "" {
				panic("no question")
			}
			results <- "42"
		}
		return nil
	})
	for _, question := range []string{"What is the answer?", ""} {
		questions <- question
		var answer string
		err := me.Watch(context.Background(), func(ctx context.Context) error {
			select {
			case answer = <-results:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		fmt.Printf("%q %v\n", answer, err)
	}
	// Output:
	// "42" <nil>
	// "" worker disconnected: crash: worker crashed in manage: no question
}

// A line can be given to others, who link with it when they like, or find that
// it is too late.
func ExampleLine_Link() {
	cache := backplane.New("cache")
	line := cache.Line()
	user := backplane.New("user")
	defer user.Disconnect(statemachine.Normal)
	fmt.Println(user.Link(line, backplane.Monitor))
	cache.Disconnect(statemachine.Crash(errors.New("disk full")))
	m, err := user.Next(context.Background())
	fmt.Println(m.Line == line, m.Reason, err)
	err = user.Link(line, backplane.Monitor)
	fmt.Println(errors.Is(err, statemachine.ErrNoProcess), err)
	// Output:
	// <nil>
	// true crash: disk full <nil>
	// true cache: no such process (not_applied)
}
