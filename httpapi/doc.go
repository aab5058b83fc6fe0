// Package httpapi lets every process of an application be called over HTTP,
// without a line of code for any of them.
//
//	loop, err := eventloop.Start(eventloop.Config{Root: tree})
//	// …
//	ln, err := net.Listen("tcp", "127.0.0.1:8080")
//	// …
//	api := httpapi.New(loop, httpapi.Config{})
//	go api.Serve(ln)
//	<-stop
//	api.Shutdown(ctx) // first what comes in,
//	loop.Stop(ctx)    // then what it is for
//
// And then:
//
//	curl --json '{"store":{"key":"x","value":1}}' localhost:8080/v1/call/kv
//
// # Endpoints
//
//	POST /v1/call/{name}       steps the input in the body; 200 and the output
//	POST /v1/cast/{name}       sends the input in the body; 202 and no body
//	GET  /v1/tree              the supervision tree, as statemachine.Info; one of more than 250
//	                           levels is too deep to be encoded: 500
//	GET  /v1/processes/{name}  one process or supervisor of it, likewise
//	GET  /livez                200 until the application has ended
//	GET  /readyz               200 while it takes calls; 503 once Shutdown has begun
//
// Children of a supervisor can be looked at, added and taken away, below
// /v1/supervisors/{name}:
//
//	GET    …/children                    an array of them in start order, as statemachine.Info
//	POST   …/children                    adds one; 201, its Info and its Location, in /v1/processes
//	POST   …/children/{child}/restart    starts one that is down; 200 and its Info
//	POST   …/children/{child}/terminate  ends one; 200 and its Info
//	DELETE …/children/{child}            forgets one that is down; 204
//
// A process can be looked into, and changed, below /v1/sys/{name}, where
// [Config].Sys is set (kv serve --sys):
//
//	GET  …             its status, as statemachine.SysStatus: whether it is suspended, its statistics
//	GET  …/state       its state, as its State codec writes it
//	PUT  …/state       makes the body its state; 204
//	POST …/suspend     has it do nothing until it is resumed; 204
//	POST …/resume      ends that; 204
//	PUT  …/code        has another machine take over, as {"machine":"kv2"}; 204
//	PUT  …/statistics  begins or ends to count what it does, as {"on":true}; 204
//	PUT  …/log         has the last of its events kept, as {"last":100}, or {"last":0}; 204
//	GET  …/log         an array of those, as statemachine.SysRecord
//
// Where [Config].Backup is set (kv serve --backup), there is
//
//	GET /v1/backup             a copy of all that the application keeps
//
// in its own format, one at a time. It has no length, so that it needs HTTP/1.1: a body that ends without
// the last chunk is not whole.
//
// HEAD is answered where GET is. A name is the rest of the path as it was sent,
// percent-decoded once: it may contain slashes, and a//b, a/./b and a/b are
// three names. Below /v1/supervisors and /v1/sys, where something may follow a
// name, it is one segment, and its slashes are written %2F. The query is ignored.
//
// # Children
//
// The body of the POST that adds a child is its spec, as eventloop's
// Config.Machines describes it:
//
//	curl --json '{"worker":{"name":"kv4","machine":"kv"}}' localhost:8080/v1/supervisors/root/children
//	curl --json '{}' localhost:8080/v1/supervisors/root/children/kv4/terminate
//	curl -X DELETE localhost:8080/v1/supervisors/root/children/kv4
//
// To a simple_one_for_one supervisor a worker is added with only a name. The
// spec of a supervisor may have children: a whole subtree is added at once.
//
// A child whose Init gives ignore is added and has the status down. Where the
// supervisor has forgotten the child before it can be shown, 204 stands for 201
// and 200: that is what terminate does to a temporary child, or one of a
// simple_one_for_one supervisor; a temporary one may also end by itself, or give
// ignore. To terminate what is down, or has ended in a simple_one_for_one
// supervisor, is no error. The Info is that of the moment after: by then the
// child may have been changed by somebody else.
//
// # Sys
//
// These are the functions of OTP's module sys, for workers; a supervisor can only
// be suspended and resumed. What they do, and what of it is kept, is said by
// eventloop's methods of those names. To change the code of a process:
//
//	curl --json '{}' localhost:8080/v1/sys/kv1/suspend
//	curl -X PUT --json '{"machine":"kv2"}' localhost:8080/v1/sys/kv1/code
//	curl --json '{}' localhost:8080/v1/sys/kv1/resume
//
// A call to a suspended process waits; after its deadline its outcome is unknown,
// since it will be stepped when the process is resumed. Where Config.Sys is not
// set everything below /v1/sys is 403, whether there is such a process or not.
//
// # Formats
//
// The Content-Type says what the input is: application/json, or
// application/msgpack (also x-msgpack and vnd.msgpack), with any parameters.
// There is no default and no guessing: anything else is 415. A child's spec is
// JSON, and so is what is put below /v1/sys, but for a state. The body of restart,
// terminate, suspend and resume is empty, or {}, and is declared as JSON all the
// same (see Security). The body must not be compressed.
//
// The output is JSON unless Accept likes msgpack better (by q-values; the more
// precise range decides). An Accept header that names neither gets JSON, not
// 406: by then it is no use to refuse what would otherwise be done. Problems
// are JSON always.
//
// # Deadlines
//
// A request that is not answered within Config.CallTimeout is given up, with 504.
// The header Request-Timeout asks for another time, as 250ms, 1m30s or, in
// seconds, 1.5; no more than Config.MaxCallTimeout is granted. A client that
// goes away is not noticed: its call ends with its deadline. A child that is
// being started or terminated when the time is over will be all the same.
//
// # Sending again
//
// A call or cast with the header Idempotency-Key, 1 to 255 bytes chosen by the
// client, is applied once however often it is sent: after an outcome of unknown,
// or no answer at all, send the same again, and the answer is that of the first
// time. The application remembers the keys of each process for a while (see
// eventloop.Config.KeyBytes), across restarts of the program where durability
// keeps the state.
//
// # Problems
//
// Every error is an application/problem+json object (RFC 9457). Its type is
// stable and meant for programs; its outcome, one of applied, not_applied and
// unknown, says what became of the input; process, where there is one, is the
// name of the process. All types begin with urn:lineshaft:error: and continue
//
//	400  malformed-request             not well-formed HTTP/1, or its body ends early
//	400  malformed-path                a bad percent-encoding
//	400  malformed-timeout             Request-Timeout is no positive duration
//	400  malformed-idempotency-key     Idempotency-Key is empty, too long or there twice
//	400  malformed-input               the body is not JSON, or not msgpack; it is empty, or, where
//	                                   nothing is to be said, not
//	403  foreign-host                  see Security
//	403  sys-off                       see Sys
//	403  backup-off                    there is no Config.Backup
//	404  no-endpoint                   no such path
//	404  no-process                    no process, supervisor, or child of that name
//	405  method-not-allowed            Allow has those that are
//	408  request-timeout               the request took longer than ReadTimeout to arrive
//	409  conflict                      what a child is now does not allow it; the detail is OTP's
//	                                   reason, as already started, already present, running,
//	                                   restarting, simple one for one; or the process is not
//	                                   suspended, or its state has no codec
//	413  body-too-large                longer than MaxBodyBytes
//	414  target-too-long               the request line is longer than ReadBufferBytes
//	415  unsupported-media-type        see Formats
//	415  unsupported-content-encoding  the body is compressed
//	422  meaningless-input             not an input of the process, or not a state
//	422  idempotency-key-reused        the key was used for another input of the process
//	422  wrong-spec                    JSON, but not the spec of a child, or a wrong one
//	422  not-started                   the child did not start; the detail is what its Init returned
//	422  not-changed                   the new machine could not take over the state; the old one stays
//	431  headers-too-large             with the request line, longer than ReadBufferBytes
//	500  crash                         the input crashed the process; it was not applied
//	500  process-ended                 applied, but the process, or the program, ended before its reply
//	500  bad-output                    applied, but the output cannot be encoded
//	500  internal                      any other error
//	503  overloaded                    the queue stayed full until the deadline
//	503  stopping                      the application is stopping, or has stopped
//	503  journal-failed                outcome unknown
//	503  backup-runs                   there is one backup at a time
//	503  too-many-connections          more than MaxConns
//	504  deadline                      outcome not_applied or unknown; applied, if the machine keeps the
//	                                   caller waiting (NoReply), or if only the child's Info did not
//	                                   become known in time
//
// Every 503 has a Retry-After. Status 429 is kept for limits by client, which
// there are none of yet. What is refused without its body having been read
// closes the connection; after all other problems it can be used again.
//
// # Limits
//
// Each is a field of [Config]. A client that sends half a request, or nothing at
// all on a new connection, is let go after ReadTimeout, one that does not read its
// answer, or a part of a backup, after WriteTimeout, one that says nothing more
// after IdleTimeout. A body that is too large is refused before it is read, and with
// Expect: 100-continue before it is sent; one that is not has its memory as soon as
// its length is announced, so that MaxConns clients, who need not send it, take
// MaxConns times MaxBodyBytes: 4 GiB by the defaults. There is no goroutine for a
// request, only one for a connection.
//
// # Security
//
// There is no authentication: who can connect can call. On a loopback address
// that is every program of the computer, and would be every web page open in
// its browser, if it were not for three things. A request whose Host is not
// localhost, 127.0.0.0/8 or [::1] is refused, whatever it asks for (a page may
// point its own host name to 127.0.0.1: DNS rebinding); a proxy in front must
// therefore set Host. A POST, even one without a body, needs a Content-Type that
// a page may not send to another origin unasked, and PUT and DELETE are methods
// that it may not; and the answer to who asks, an OPTIONS request, is 405 without a CORS
// header, as no answer has one.
//
// Names and bodies of strangers are repeated, in problems, only up to a bound,
// and the stack of a crash is not. TLS is the listener's: pass Serve one that
// tls.NewListener made.
//
// # Differences from OTP
//
// OTP has no HTTP interface. What gen_server:call answers with an exit (noproc,
// timeout, the crash's reason) is a problem here, and says more. A child of a
// simple_one_for_one supervisor is terminated by its name, not its pid.
package httpapi
