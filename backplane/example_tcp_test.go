package backplane_test

import (
	"bufio"
	"context"
	"fmt"
	"net"

	"github.com/lineshaft/lineshaft/backplane"
	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// session counts the lines of one client, and throws out who says "bye".
var session = &statemachine.Machine[int, string, string]{
	Step: func(in string, n int, fx *statemachine.Effects[string]) (int, string) {
		if in == "bye" {
			fx.StopNoReply(statemachine.Shutdown) // normal would not take the connection along
		}
		return n + 1, fmt.Sprintf("%d: %s", n+1, in)
	},
	Input:  codec.Of[string](),
	Output: codec.Of[string](),
}

// listen accepts connections until the application ends, or fails and then
// takes the application along.
func listen(loop *eventloop.Loop, ln net.Listener) error {
	d := backplane.New("listener")
	if err := d.Link(backplane.Process(loop, "root"), backplane.Peer); err != nil {
		d.Disconnect(statemachine.Normal)
		return err
	}
	return d.Manage(context.Background(), func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { ln.Close() })()
		for i := 1; ; i++ {
			conn, err := ln.Accept()
			if err != nil {
				return err
			}
			go serve(ctx, loop, conn, statemachine.Name(fmt.Sprint("session-", i)))
		}
	})
}

// serve is one connection, and the process that is its session: neither outlives
// the other, or the listener.
func serve(ctx context.Context, loop *eventloop.Loop, conn net.Conn, name statemachine.Name) error {
	defer conn.Close()
	d := backplane.New("conn")
	defer d.Disconnect(statemachine.Shutdown) // if there is no Manage
	w := supervisor.Worker{Name: name, Machine: session, Restart: supervisor.Temporary}
	if _, err := loop.StartChild(ctx, "root", w); err != nil {
		return err
	}
	if err := d.Link(backplane.Process(loop, name), backplane.Peer); err != nil {
		return err
	}
	return d.Manage(ctx, func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		process, err := eventloop.RefTo[string, string](loop, name)
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(conn)
		for lines.Scan() {
			answer, err := process.Call(ctx, lines.Text())
			if err != nil {
				return err
			}
			fmt.Fprintln(conn, answer)
		}
		d.Disconnect(statemachine.Shutdown) // the client has hung up
		return lines.Err()
	})
}

// A TCP server: a goroutine for the listener and for each connection, a process
// for each session. Whatever ends takes along what makes no sense without it.
func ExampleDevice_Manage() {
	ended := make(chan statemachine.Name, 10)
	loop, err := eventloop.Start(eventloop.Config{
		Root: supervisor.Supervisor{Name: "root"},
		OnEvent: func(e eventloop.Event) {
			if e, ok := e.(eventloop.Exited); ok {
				ended <- e.Name
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	listener := make(chan error, 1)
	go func() { listener <- listen(loop, ln) }()

	client := func() (conn net.Conn, in *bufio.Scanner) {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			panic(err)
		}
		in = bufio.NewScanner(conn)
		fmt.Fprintln(conn, "hello")
		in.Scan()
		fmt.Println(in.Text())
		return conn, in
	}
	conn, in := client()
	fmt.Fprintln(conn, "bye")
	fmt.Println("the server hangs up:", !in.Scan(), <-ended)
	conn, _ = client()
	conn.Close()
	fmt.Println("the client hangs up:", <-ended)
	_, in = client()
	loop.Stop(context.Background())
	fmt.Println("the application ends:", !in.Scan(), <-ended, <-ended)
	fmt.Println(<-listener != nil)
	// Output:
	// 1: hello
	// the server hangs up: true session-1
	// 1: hello
	// the client hangs up: session-2
	// 1: hello
	// the application ends: true session-3 root
	// true
}
