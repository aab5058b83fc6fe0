package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	wordCount = flag.Int("words", 3000, "words that TestWords stores; 0 for the whole list")
	wordKills = flag.Int("kills", 2, "how often TestWords kills the server")
	wordList  = flag.String("wordlist", "/usr/share/dict/words", "the list (Debian: wamerican)")
	seed      = flag.Uint64("seed", 0, "seed of TestWords; 0 for a new one")
)

const clients = 64

// TestWords stores a list of words over HTTP from many clients at once, again
// and again, and kills the server in the middle: every word must be there with
// the value that was acknowledged last, or with one that was sent after it. A
// crash of a store in between must cost nothing either.
//
//	go test ./cmd/kv -run TestWords -words=0 -kills=10
func TestWords(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("-seed=%d", s)
	r := rand.New(rand.NewPCG(s, 0))
	run := &wordRun{t: t, c: client(t), words: words(t)}
	run.sent = make([]int, len(run.words))
	run.acked = make([]int, len(run.words))
	args := []string{"--data=" + filepath.Join(t.TempDir(), "kv.db")}
	// Only the first server has the bug: "crash" is a word, and will be looked up.
	p := serving(t, append(args, "--deliberate-bug")...)
	run.pass(p, -1, r.IntN(len(run.words)))
	for range *wordKills {
		run.pass(p, r.IntN(len(run.words)), -1)
		p = serving(t, args...)
		run.verify(p)
	}
	if status := p.end(t); status != 0 {
		t.Errorf("exit status %d\n%s", status, p.stderr)
	}
	run.verify(serving(t, args...))
}

// words returns the list, a sample of it spread over the whole.
func words(t *testing.T) []string {
	text, err := os.ReadFile(*wordList)
	if errors.Is(err, os.ErrNotExist) {
		t.Logf("%s is not installed (Debian's wamerican): storing words that are made up", *wordList)
		var b strings.Builder
		for i := range 100_000 {
			fmt.Fprintf(&b, "wörd%x's\n", i*i)
		}
		text, err = []byte(b.String()), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(text))
	if *wordCount == 0 || *wordCount >= len(all) {
		return all
	}
	some := make([]string, *wordCount)
	for i := range some {
		some[i] = all[i*len(all)/len(some)]
	}
	return some
}

// wordRun knows of each word the number of the value that was sent last, and
// of the one that was acknowledged last. A word belongs to one client.
type wordRun struct {
	t           *testing.T
	c           *http.Client
	words       []string
	sent, acked []int
}

// value is what is stored of a word, for the n-th time.
type value struct {
	Word  string   `json:"word"`
	N     int      `json:"n"`
	Runes []string `json:"runes"`
}

func valueOf(word string, n int) value { return value{word, n, strings.Split(word, "")} }

// store is the process that keeps the i-th word.
func store(i int) string { return fmt.Sprintf("kv%d", 1+i%3) }

// pass stores every word once more. After killAt acknowledgements the server is
// killed, after crashAt a store is crashed; negative: never.
func (run *wordRun) pass(p *program, killAt, crashAt int) {
	var done atomic.Int64
	var killed atomic.Bool
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			for i := client; i < len(run.words) && !killed.Load(); i += clients {
				run.sent[i]++
				input, err := json.Marshal(map[string]any{"store": map[string]any{
					"key": run.words[i], "value": valueOf(run.words[i], run.sent[i])}})
				if err != nil {
					panic(err)
				}
				status, body, err := post(run.c, p.url, store(i), string(input))
				switch {
				case err != nil && killAt >= 0:
					return // killed: whether this one is there is open
				case err != nil || status != http.StatusOK || body != `{"ok":{}}`:
					run.t.Errorf("%s: %d %s %v", input, status, body, err)
					return
				}
				run.acked[i] = run.sent[i]
				switch n := int(done.Add(1)) - 1; n {
				case killAt:
					killed.Store(true)
					p.kill()
				case crashAt:
					if status, body, err := post(run.c, p.url, "kv2", `{"lookup":{"key":"crash"}}`); status != http.StatusInternalServerError {
						run.t.Errorf("the crash: %d %s %v", status, body, err)
					}
				}
			}
		})
	}
	wg.Wait()
	if killAt >= 0 {
		p.kill()
	}
	run.t.Logf("%d of %d words acknowledged", done.Load(), len(run.words))
}

// verify looks every word up.
func (run *wordRun) verify(p *program) {
	run.t.Helper()
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			for i := client; i < len(run.words); i += clients {
				key, err := json.Marshal(run.words[i])
				if err != nil {
					panic(err)
				}
				status, body, err := post(run.c, p.url, store(i), fmt.Sprintf(`{"lookup":{"key":%s}}`, key))
				if err != nil || status != http.StatusOK {
					run.t.Errorf("%s: %d %s %v", key, status, body, err)
					return
				}
				var out struct {
					Result struct {
						Found bool
						Value value
					}
				}
				if err := json.Unmarshal([]byte(body), &out); err != nil {
					run.t.Errorf("%s: %s: %v", key, body, err)
				}
				n := out.Result.Value.N
				if run.acked[i] > 0 && !out.Result.Found || n < run.acked[i] || n > run.sent[i] {
					run.t.Errorf("%s: %s, want number %d to %d", key, body, run.acked[i], run.sent[i])
				} else if want := valueOf(run.words[i], n); out.Result.Found && fmt.Sprint(out.Result.Value) != fmt.Sprint(want) {
					run.t.Errorf("%s is mangled: %s", key, body)
				}
			}
		})
	}
	wg.Wait()
}
