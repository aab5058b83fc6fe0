package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lineshaft/lineshaft/statemachine"
)

// call is a client of one request.
type call struct {
	Addr    string            `help:"Address of the server." default:"127.0.0.1:8080"`
	Timeout time.Duration     `help:"How long to wait for the answer." default:"5s"`
	Key     string            `help:"An idempotency key: the same input sent again under it is applied once."`
	Name    statemachine.Name `arg:"" help:"The process to call."`
	JSON    string            `arg:"" name:"json" help:"The input, such as {\"lookup\":{\"key\":\"x\"}}."`
}

// Validate checks the flags beyond their types.
func (c *call) Validate() error {
	if c.Timeout <= 0 {
		return fmt.Errorf("--timeout=%v: must be more than 0", c.Timeout)
	}
	return checkAddr(c.Addr)
}

// checkAddr refuses what is no address of a server, such as a whole URL, before
// anybody is asked what it means.
func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("--addr=%s: must be a host and the number of a port, as 127.0.0.1:8080", addr)
	}
	return nil
}

// Run sends the input and prints the output. A failure's error says what the
// server said, and whether the input was applied.
func (c *call) Run(std *streams) error {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	req.Header.Set("Request-Timeout", c.Timeout.String())
	if c.Key != "" {
		req.Header.Set("Idempotency-Key", c.Key)
	}
	req.SetRequestURI("http://" + c.Addr + "/v1/call/" + url.PathEscape(string(c.Name)))
	req.SetBodyString(c.JSON)
	client := fasthttp.Client{MaxIdemponentCallAttempts: 1, DisablePathNormalizing: true, DialDualStack: true}
	if err := client.DoTimeout(req, res, c.Timeout+time.Second); err != nil {
		return fmt.Errorf("calling %s at %s: %w", c.Name, c.Addr, err)
	}
	if res.StatusCode() == fasthttp.StatusOK {
		if _, err := fmt.Fprintf(std.out, "%s\n", res.Body()); err != nil {
			return fmt.Errorf("%s at %s has answered, but it cannot be printed: %w (applied)", c.Name, c.Addr, err)
		}
		return nil
	}
	var problem struct{ Title, Detail, Outcome string }
	if err := json.Unmarshal(res.Body(), &problem); err != nil || problem.Title == "" {
		return fmt.Errorf("%s at %s answered status %d", c.Name, c.Addr, res.StatusCode())
	}
	return fmt.Errorf("%s at %s: %s (%s)", c.Name, c.Addr, problem.Detail, problem.Outcome)
}
