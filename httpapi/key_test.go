package httpapi

import (
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/eventloop"
)

// TestKeys sends keys of which none is applied twice, and what is no key.
func TestKeys(t *testing.T) {
	f := serve(t, Config{}, eventloop.Config{})
	const store, other = `{"store":{"key":"x","value":1}}`, `{"store":{"key":"x","value":2}}`
	const remove = `{"delete":{"key":"x"}}`
	f.call("kv", store).is(t, 200, `{"ok":{}}`)
	longest := strings.Repeat("k", 255)
	for range 2 {
		f.call("kv", remove, "Idempotency-Key: "+longest).is(t, 200, `{"deleted":{"found":true}}`)
		f.call("kv", remove, `Idempotency-Key: "`+longest+`"`).is(t, 200, `{"deleted":{"found":true}}`)
	}
	f.call("kv", other, "Idempotency-Key: "+longest).refused(t, 422, "idempotency-key-reused", "not_applied")
	for _, bad := range [][]string{{""}, {`""`}, {longest + "k"}, {"a", "b"}, {"a", "a"}} {
		var headers []string
		for _, key := range bad {
			headers = append(headers, "Idempotency-Key: "+key)
		}
		f.call("kv", store, headers...).refused(t, 400, "malformed-idempotency-key", "not_applied")
	}
	f.call("kv", `{"lookup":{"key":"x"}}`).is(t, 200, `{"result":{"found":false,"value":null}}`)
}
