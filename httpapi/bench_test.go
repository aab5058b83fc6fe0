package httpapi

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/lineshaft/lineshaft/eventloop"
)

const benchStore = `{"store":{"key":"x","value":12345}}`

func post(body string) []byte {
	return []byte(strings.ReplaceAll("POST /v1/call/kv HTTP/1.1\nHost: localhost\nContent-Type: application/json\nAccept: */*\n", "\n", "\r\n") +
		"Content-Length: " + itoa(len(body)) + "\r\n\r\n" + body)
}

func itoa(n int) string { return string(fasthttp.AppendUint(nil, n)) }

// bare is what fasthttp costs by itself.
func bare(ctx *fasthttp.RequestCtx) {
	ctx.SetContentType("application/json")
	ctx.SetBodyString(`{"result":{"found":true,"value":12345}}`)
}

// BenchmarkOverTCP compares calls with a handler that does nothing, on the
// loopback interface, by 32 connections.
func BenchmarkOverTCP(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		ln := benchListener(b)
		s := &fasthttp.Server{Handler: bare, NoDefaultServerHeader: true, ReadTimeout: DefaultReadTimeout,
			WriteTimeout: DefaultWriteTimeout, IdleTimeout: DefaultIdleTimeout, ReadBufferSize: DefaultReadBufferBytes}
		go s.Serve(ln)
		defer ln.Close()
		exchange(b, ln.Addr(), post(benchStore))
	})
	for _, input := range []string{"lookup", "store"} {
		b.Run(input, func(b *testing.B) {
			f := serve(b, Config{}, eventloop.Config{})
			f.call("kv", benchStore).is(b, 200, `{"ok":{}}`)
			body := map[string]string{"lookup": lookupBody, "store": benchStore}[input]
			exchange(b, f.api.ln.Addr(), post(body))
		})
	}
}

func benchListener(b *testing.B) net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return ln
}

// exchange sends request b.N times, and reads as many answers, all equally long.
func exchange(b *testing.B, addr net.Addr, request []byte) {
	var todo atomic.Int64
	todo.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ReportAllocs()
	cpu := cpuTime()
	for range 32 {
		c, err := net.Dial(addr.Network(), addr.String())
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		wg.Go(func() {
			r := bufio.NewReader(c)
			answer := make([]byte, 0, 4096)
			for todo.Add(-1) >= 0 {
				if _, err := c.Write(request); err != nil {
					b.Error(err)
					return
				}
				if len(answer) == 0 {
					n, err := r.Read(answer[:cap(answer)])
					if err != nil {
						b.Error(err)
						return
					}
					answer = answer[:n]
				} else if _, err := io.ReadFull(r, answer); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N), "cpu-ns/op")
}

// cpuTime returns what this process has used, clients and server together, in
// nanoseconds. On a busy computer it is steadier than the time that passes.
func cpuTime() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkHandler is what is between fasthttp and the application.
func BenchmarkHandler(b *testing.B) {
	api := New(startLoop(b, newToy(), eventloop.Config{}), Config{Logger: quiet})
	for name, body := range map[string]string{"lookup": lookupBody, "store": benchStore} {
		b.Run(name, func(b *testing.B) { handleAll(b, api.handle, body) })
		b.Run(name+" without HTTP", func(b *testing.B) {
			var dst []byte
			b.ReportAllocs()
			for range b.N {
				var err error
				if dst, err = api.app.CallOnce(context.Background(), "kv", "", 0, []byte(body), 0, dst[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("bare", func(b *testing.B) { handleAll(b, bare, lookupBody) })
}

func handleAll(b *testing.B, handle fasthttp.RequestHandler, body string) {
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.Header.SetRequestURI("/v1/call/kv")
	ctx.Request.Header.SetContentType("application/json")
	ctx.Request.Header.SetHost("localhost")
	ctx.Request.Header.Set("Accept", "*/*")
	ctx.Request.SetBodyString(body)
	b.ReportAllocs()
	for range b.N {
		ctx.Response.Reset()
		handle(&ctx)
		if ctx.Response.StatusCode() != 200 {
			b.Fatal(string(ctx.Response.Body()))
		}
	}
}
