package httpapi

import (
	"bufio"
	"io"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lineshaft/lineshaft/statemachine"
)

// backupType is the type of a backup, whose format is the application's.
const backupType = "application/octet-stream"

// backupBuffer is how much of a backup is read at a time, in bytes.
const backupBuffer = 64 << 10

// backup answers with all that Config.Backup writes. If that fails before its
// first byte the answer is a problem; later the connection is closed without
// the last chunk, which a client takes for what it is.
func (s *Server) backup(ctx *fasthttp.RequestCtx) {
	if ctx.IsHead() {
		ctx.Response.Header.SetContentType(backupType)
		return
	}
	if !ctx.Request.Header.IsHTTP11() { // what such a client would keep are the chunks, too
		notApplied(malformedRequest, "a backup has no length, and is sent in chunks: ask for it by HTTP/1.1").send(ctx)
		return
	}
	select {
	case s.copying <- struct{}{}:
	default:
		notApplied(backupRuns, "another backup is being made: there is one at a time").send(ctx)
		return
	}
	r, w := io.Pipe()
	go func() {
		err := s.cfg.Backup(w)
		<-s.copying
		w.CloseWithError(err)
	}()
	b := &backupBody{pipe: r, from: bufio.NewReaderSize(r, backupBuffer), timeout: s.cfg.WriteTimeout}
	b.conn, _ = ctx.Conn().(*conn)
	if _, err := b.from.Peek(1); err != nil {
		problem{kind: internal, detail: "the backup failed: " + err.Error(), outcome: statemachine.NotApplied}.send(ctx)
		return
	}
	ctx.Response.Header.Set("Cache-Control", "no-store")
	ctx.Response.Header.SetContentType(backupType)
	ctx.Response.SetBodyStream(b, -1)
}

// backupBody is the body of a backup. The client has its time anew for each part
// of it.
type backupBody struct {
	pipe    *io.PipeReader
	from    *bufio.Reader
	conn    *conn // nil if it is not one of ours
	timeout time.Duration
}

func (b *backupBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if b.conn != nil {
		b.conn.SetWriteDeadline(time.Now().Add(b.timeout))
	}
	return n, err
}

// Close is for fasthttp: when all was sent, or the client has gone. It ends the
// backup.
func (b *backupBody) Close() error { return b.pipe.Close() }
