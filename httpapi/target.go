package httpapi

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/statemachine"
)

// endpoint is what a path leads to.
type endpoint uint8

const (
	nowhere endpoint = iota
	callProcess
	castProcess
	showTree
	showProcess
	allChildren // of a supervisor
	oneChild
	restartChild
	terminateChild
	sysStatus // of a process
	sysState
	sysSuspend
	sysResume
	sysCode
	sysStatistics
	sysLog
	makeBackup
	liveness
	readiness
)

// methods are those of each endpoint, as an Allow header has them.
var methods = [...]string{
	callProcess: "POST", castProcess: "POST",
	showTree: "GET, HEAD", showProcess: "GET, HEAD",
	allChildren: "GET, HEAD, POST", oneChild: "DELETE", restartChild: "POST", terminateChild: "POST",
	sysStatus: "GET, HEAD", sysState: "GET, HEAD, PUT", sysSuspend: "POST", sysResume: "POST",
	sysCode: "PUT", sysStatistics: "PUT", sysLog: "GET, HEAD, PUT",
	makeBackup: "GET, HEAD", liveness: "GET, HEAD", readiness: "GET, HEAD",
}

// isSys reports whether the endpoint is one of those that Config.Sys turns on.
func (e endpoint) isSys() bool { return sysStatus <= e && e <= sysLog }

// allows reports whether method is one of the endpoint's. Methods are
// case-sensitive.
func (e endpoint) allows(method []byte) bool {
	allowed, rest, more := strings.Cut(methods[e], ", ")
	for ; more && string(method) != allowed; allowed, rest, more = strings.Cut(rest, ", ") {
	}
	return string(method) == allowed
}

// takes reports whether what is posted or put to the endpoint may be in format f.
func (e endpoint) takes(f codec.Format) bool {
	return f == codec.JSON || e == callProcess || e == castProcess || e == sysState
}

// splitTarget takes a request's target apart: the path as it was sent, without
// the query, and the host of a target that is a whole URL. (fasthttp's path is
// normalised, which changes names: a//b, a/../b, and a%2Fb are three.)
func splitTarget(target []byte) (host, path []byte) {
	for _, end := range [...]byte{'?', '#'} { // IndexAny costs more
		if i := bytes.IndexByte(target, end); i >= 0 {
			target = target[:i]
		}
	}
	if len(target) > 0 && target[0] == '/' {
		return nil, target
	}
	scheme, rest, ok := bytes.Cut(target, []byte("://"))
	if !ok || !equalFold(scheme, "http") && !equalFold(scheme, "https") {
		return nil, target
	}
	if i := bytes.IndexByte(rest, '/'); i >= 0 {
		return rest[:i], rest[i:]
	}
	return rest, nil
}

var errEscape = errors.New("a % in the path is not followed by two hexadecimal digits")

// place is where a path leads.
type place struct {
	endpoint
	name  statemachine.Name // the process or supervisor; empty: none
	child statemachine.Name // of the supervisor; empty: none
}

// route returns where path leads. The error is errEscape.
func route(path []byte) (place, error) {
	switch string(path) {
	case "/v1/tree":
		return place{endpoint: showTree}, nil
	case "/v1/backup":
		return place{endpoint: makeBackup}, nil
	case "/livez":
		return place{endpoint: liveness}, nil
	case "/readyz":
		return place{endpoint: readiness}, nil
	}
	for _, e := range [...]struct {
		prefix string
		endpoint
	}{{"/v1/call/", callProcess}, {"/v1/cast/", castProcess}, {"/v1/processes/", showProcess}} {
		if len(path) > len(e.prefix) && string(path[:len(e.prefix)]) == e.prefix {
			name, err := unescape(path[len(e.prefix):])
			return place{endpoint: e.endpoint, name: statemachine.Name(name)}, err
		}
	}
	if rest, ok := bytes.CutPrefix(path, []byte("/v1/supervisors/")); ok {
		return routeChildren(rest)
	}
	if rest, ok := bytes.CutPrefix(path, []byte("/v1/sys/")); ok {
		return routeSys(rest)
	}
	return place{}, nil
}

// routeChildren is route for what follows /v1/supervisors/ in a path. There may
// be a name after a name, so that each is one segment.
func routeChildren(path []byte) (place, error) {
	segments := bytes.SplitN(path, []byte("/"), 5) // 4 are the most that lead somewhere
	for _, s := range segments {
		if len(s) == 0 {
			return place{}, nil
		}
	}
	var to place
	switch n := len(segments); {
	case n < 2 || string(segments[1]) != "children":
		return to, nil
	case n == 2:
		to.endpoint = allChildren
	case n == 3:
		to.endpoint = oneChild
	case n == 4 && string(segments[3]) == "restart":
		to.endpoint = restartChild
	case n == 4 && string(segments[3]) == "terminate":
		to.endpoint = terminateChild
	default:
		return to, nil
	}
	name, err := unescape(segments[0])
	if err != nil {
		return place{}, err
	}
	to.name = statemachine.Name(name)
	if len(segments) > 2 {
		if name, err = unescape(segments[2]); err != nil {
			return place{}, err
		}
		to.child = statemachine.Name(name)
	}
	return to, nil
}

// unescape decodes what is percent-encoded. The result is a copy.
func unescape(path []byte) (string, error) {
	i := bytes.IndexByte(path, '%')
	if i < 0 {
		return string(path), nil
	}
	name := append(make([]byte, 0, len(path)), path[:i]...)
	for ; i < len(path); i++ {
		c := path[i]
		if c == '%' {
			if i+2 >= len(path) {
				return "", errEscape
			}
			high, low := unhex(path[i+1]), unhex(path[i+2])
			if high > 15 || low > 15 {
				return "", errEscape
			}
			c = high<<4 | low
			i += 2
		}
		name = append(name, c)
	}
	return string(name), nil
}

// unhex returns the value of a hexadecimal digit, 255 if it is not one.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// isLoopback reports whether host, as a Host header has it, with or without a
// port, cannot but be this computer: localhost, or an address of 127.0.0.0/8
// or [::1].
func isLoopback(host []byte) bool {
	if len(host) == 0 {
		return false
	}
	if host[0] == '[' {
		end := bytes.IndexByte(host, ']')
		return end > 0 && isPort(host[end+1:]) && isLoopbackIP(host[1:end], true)
	}
	if i := bytes.IndexByte(host, ':'); i >= 0 {
		if !isPort(host[i:]) {
			return false
		}
		host = host[:i]
	}
	host = bytes.TrimSuffix(host, []byte("."))
	return equalFold(host, "localhost") || isLoopbackIP(host, false)
}

func isLoopbackIP(host []byte, v6 bool) bool {
	if string(host) == "127.0.0.1" { // without an allocation
		return !v6
	}
	ip, err := netip.ParseAddr(string(host))
	return err == nil && ip.Is6() == v6 && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

// isPort reports whether text is empty or a colon and digits, perhaps none.
func isPort(text []byte) bool {
	return len(text) == 0 || text[0] == ':' && len(bytes.Trim(text[1:], "0123456789")) == 0
}
