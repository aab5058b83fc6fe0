package httpapi

import (
	"io"
	"log/slog"
	"time"
)

// Config is what a [Server] may be told. The zero value of each field is its
// default, as is a negative one.
type Config struct {
	// MaxBodyBytes is how long the body of a request may be, in bytes. Zero
	// means DefaultMaxBodyBytes.
	MaxBodyBytes int

	// ReadBufferBytes is how long the request line and the headers of a request
	// may be together, in bytes. Every open connection has a buffer of that
	// size. Zero means DefaultReadBufferBytes.
	ReadBufferBytes int

	// ReadTimeout is how long a request may take to arrive, from its first byte
	// to its last. Zero means DefaultReadTimeout.
	ReadTimeout time.Duration

	// WriteTimeout is how long a client may take to receive an answer, from
	// when it is known: how long it took to become known does not count, so
	// that MaxCallTimeout may be longer. Zero means DefaultWriteTimeout.
	WriteTimeout time.Duration

	// IdleTimeout is how long a connection is kept between two requests. Zero
	// means DefaultIdleTimeout.
	IdleTimeout time.Duration

	// MaxConns is how many connections are served at a time. A client beyond it
	// is told so (503) and let go. Zero means DefaultMaxConns.
	MaxConns int

	// CallTimeout is how long a call or cast may take whose request has no
	// Request-Timeout. Zero means DefaultCallTimeout, gen_server:call's own.
	CallTimeout time.Duration

	// MaxCallTimeout is the longest that a call or cast may take: who asks for
	// more gets this. Zero means DefaultMaxCallTimeout.
	MaxCallTimeout time.Duration

	// Sys is what /v1/sys looks into processes and changes them through: the same
	// Loop. Who can connect can then read, and overwrite, every state. Nil: those
	// endpoints are off, and answer 403.
	Sys Sys

	// Backup, if set, is what GET /v1/backup answers with: it writes a copy of all
	// that the application keeps to w, as *boltlog.Log's Backup does. It ends when
	// w returns an error, and is not called again before. Nil: there is no backup.
	//
	// Who can connect can then have everything at once, also what was deleted and
	// is still in the file; and who reads slowly keeps the file growing meanwhile.
	Backup func(w io.Writer) error

	// DrainGrace is how long Shutdown keeps a connection that has no request,
	// for one that may be on its way. Zero means DefaultDrainGrace.
	DrainGrace time.Duration

	// Logger is told, at level Warn, when connections cannot be accepted and,
	// at level Debug, what went wrong with single ones. Nil means slog.Default().
	Logger *slog.Logger

	_ struct{}
}

// Defaults of Config.
const (
	DefaultMaxBodyBytes    = 1 << 20
	DefaultReadBufferBytes = 16 << 10
	DefaultReadTimeout     = 10 * time.Second
	DefaultWriteTimeout    = 10 * time.Second
	DefaultIdleTimeout     = 60 * time.Second
	DefaultMaxConns        = 4096
	DefaultCallTimeout     = 5 * time.Second
	DefaultMaxCallTimeout  = 60 * time.Second
	DefaultDrainGrace      = 100 * time.Millisecond
)

// withDefaults returns c completed.
func (c Config) withDefaults() Config {
	orDefault(&c.MaxBodyBytes, DefaultMaxBodyBytes)
	orDefault(&c.ReadBufferBytes, DefaultReadBufferBytes)
	orDefault(&c.ReadTimeout, DefaultReadTimeout)
	orDefault(&c.WriteTimeout, DefaultWriteTimeout)
	orDefault(&c.IdleTimeout, DefaultIdleTimeout)
	orDefault(&c.MaxConns, DefaultMaxConns)
	orDefault(&c.CallTimeout, DefaultCallTimeout)
	orDefault(&c.MaxCallTimeout, DefaultMaxCallTimeout)
	orDefault(&c.DrainGrace, DefaultDrainGrace)
	c.CallTimeout = min(c.CallTimeout, c.MaxCallTimeout)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func orDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
