package bench

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// BenchmarkDurableWrites writes 8-byte values under 10,000 keys, each write
// acknowledged when it is on disk: to kv over HTTP, to etcd through its JSON
// gateway, to Redis with appendfsync always, all on the loopback and one disk.
// What is not installed is skipped. The ceiling is fasthttp alone, which keeps
// nothing and answers at once: what the clients, the sockets and the server leave
// of the machine.
//
//	apt-get install --no-install-recommends etcd-server redis-server
//	cd bench && GOLANG_PROTOBUF_REGISTRATION_CONFLICT=warn go test -run '^$' -bench DurableWrites .
func BenchmarkDurableWrites(b *testing.B) {
	for _, s := range []struct {
		name  string
		start func(b *testing.B) (connect func() (put func(key, value int) error))
	}{{"kv", startKV}, {"etcd", startEtcd}, {"redis", startRedis}, {"ceiling", startCeiling}} {
		b.Run(s.name, func(b *testing.B) {
			connect := s.start(b)
			for _, clients := range []int{1, 128} {
				b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) { putAll(b, clients, connect) })
			}
		})
	}
}

// putAll shares b.N writes out among clients.
func putAll(b *testing.B, clients int, connect func() func(key, value int) error) {
	puts := make([]func(int, int) error, clients)
	for i := range puts {
		puts[i] = connect()
		if err := puts[i](i, 0); err != nil {
			b.Fatal(err)
		}
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for _, put := range puts {
		wg.Go(func() {
			for n := int(next.Add(1)); n <= b.N; n = int(next.Add(1)) {
				if err := put(n%10_000, n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}

// freeAddr returns a loopback address that nobody listens on.
func freeAddr(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run starts a server, which ends with b, and waits until it listens.
func run(b *testing.B, addr, program string, args ...string) {
	b.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		b.Skipf("%s is not installed", program)
	}
	cmd := exec.Command(path, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	})
	for range 200 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Fatalf("%s does not listen:\n%s", program, &out)
}

func startKV(b *testing.B) func() func(key, value int) error {
	bin, addr := filepath.Join(b.TempDir(), "kv"), freeAddr(b)
	build := exec.Command("go", "build", "-o", bin, "./cmd/kv")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	run(b, addr, bin, "serve", "--addr="+addr, "--data="+filepath.Join(b.TempDir(), "kv.db"))
	return func() func(int, int) error {
		post := poster(b, addr, "/v1/call/kv2")
		return func(key, value int) error {
			return post(fmt.Appendf(nil, `{"store":{"key":"k%d","value":%d}}`, key, value))
		}
	}
}

// ceilingAddr tells the test's program that it is the ceiling, and where.
const ceilingAddr = "BENCH_CEILING_ADDR"

func TestMain(m *testing.M) {
	if addr := os.Getenv(ceilingAddr); addr != "" {
		err := fasthttp.ListenAndServe(addr, func(ctx *fasthttp.RequestCtx) {
			ctx.Response.Header.SetContentType("application/json")
			ctx.WriteString(`{"stored":{"previous":null}}`)
		})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func startCeiling(b *testing.B) func() func(key, value int) error {
	addr := freeAddr(b)
	b.Setenv(ceilingAddr, addr)
	run(b, addr, os.Args[0])
	return func() func(int, int) error {
		post := poster(b, addr, "/")
		return func(key, value int) error {
			return post(fmt.Appendf(nil, `{"store":{"key":"k%d","value":%d}}`, key, value))
		}
	}
}

func startEtcd(b *testing.B) func() func(key, value int) error {
	addr, peers := freeAddr(b), freeAddr(b)
	run(b, addr, "etcd", "--data-dir="+b.TempDir(), "--listen-client-urls=http://"+addr, "--advertise-client-urls=http://"+addr,
		"--listen-peer-urls=http://"+peers, "--initial-advertise-peer-urls=http://"+peers, "--initial-cluster=default=http://"+peers, "--log-level=error")
	text := func(format string, n int) string {
		return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, format, n))
	}
	return func() func(int, int) error {
		post := poster(b, addr, "/v3/kv/put")
		return func(key, value int) error {
			return post(fmt.Appendf(nil, `{"key":%q,"value":%q}`, text("k%d", key), text("%d", value)))
		}
	}
}

// poster returns a function that posts JSON on a connection of its own. It
// writes and reads the bytes itself, so that the client costs little.
func poster(b *testing.B, addr, path string) func(body []byte) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	r := bufio.NewReader(c)
	var buf []byte
	return func(body []byte) error {
		buf = fmt.Appendf(buf[:0], "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, addr, len(body), body)
		if _, err := c.Write(buf); err != nil {
			return err
		}
		return readOK(r)
	}
}

// readOK reads a response whose length is declared, and wants status 200.
func readOK(r *bufio.Reader) error {
	status, length := "", -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimSuffix(line, []byte("\r\n"))
		name, value, header := bytes.Cut(line, []byte(": "))
		switch {
		case status == "":
			status = string(line)
		case header && bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
		if len(line) == 0 {
			break
		}
	}
	if length < 0 || !strings.HasPrefix(status, "HTTP/1.1 200") {
		return fmt.Errorf("%s, %d bytes", status, length)
	}
	_, err := r.Discard(length)
	return err
}

func startRedis(b *testing.B) func() func(key, value int) error {
	addr := freeAddr(b)
	_, port, _ := net.SplitHostPort(addr)
	run(b, addr, "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", b.TempDir(), "--appendonly", "yes", "--appendfsync", "always", "--save", "")
	return func() func(int, int) error {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		r := bufio.NewReader(c)
		return func(key, value int) error {
			k, v := fmt.Sprintf("k%d", key), fmt.Sprint(value)
			if _, err := fmt.Fprintf(c, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(k), k, len(v), v); err != nil {
				return err
			}
			line, err := r.ReadString('\n')
			if err == nil && line != "+OK\r\n" {
				err = fmt.Errorf("redis: %q", line)
			}
			return err
		}
	}
}
