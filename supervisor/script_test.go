package supervisor_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lineshaft/lineshaft/conformance/scenario"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

var update = flag.Bool("update", false, "write what the scripts of testdata print now")

// TestScripts plays the scripts testdata/*.txt: definitions as in a scenario,
// then commands, "> command", each with all that the tree answers to it. Starts
// and kills are answered at once, everything else only when a command says so.
// "> command ; command" are given before the tree is asked for actions.
//
//	start, shutdown, stop SUP REASON, suspend SUP, resume SUP, now SECONDS
//	exited NAME REASON, expire SUP     a worker ended; a timer
//	retry              the turn of the oldest retry has come
//	slow NAME...       starts of these are not answered, but by
//	started NAME, failed NAME, ignored NAME
//	fail NAME...       the next start of these fails
//	prompt NAME...     these end as soon as they are told
//	start_child SUP NAME, terminate_child, restart_child, delete_child, get_childspec
//	terminate_pid SUP NAME, which SUP, count SUP
//	tree, quiet        what the tree looks like; whether nothing is going on
//
// NAME#N is the Nth process of that name.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			want := open(t, f)
			got := playScript(t, want)
			if *update {
				if err := os.WriteFile(f, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if got != want {
				t.Errorf("%s", scenario.Diff(want, got))
			}
		})
	}
}

// script is an event loop that is told when to answer.
type script struct {
	tree    *supervisor.Tree
	scn     scenario.Scenario
	out     strings.Builder
	pids    map[string]supervisor.PID // of all Start actions: NAME#N, and the latest as NAME
	retries []supervisor.Action
	slow    []string
	fail    []string
	prompt  []string
}

// playScript returns text with the answers that the tree gives now.
func playScript(t *testing.T, text string) string {
	p := &script{pids: map[string]supervisor.PID{}}
	head, _, _ := strings.Cut(text, "\n> ")
	all, err := scenario.Read(strings.NewReader("scenario script\n" + head + "\nend\n"))
	if err != nil {
		t.Fatal(err)
	}
	p.scn = all[0]
	if p.tree, err = supervisor.New(specs(&p.scn).Root()); err != nil {
		t.Fatal(err)
	}
	before := true
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		cmd, ok := strings.CutPrefix(line, "> ")
		switch {
		case ok:
			before = false
			p.print("%s", line)
			for c := range strings.SplitSeq(cmd, " ; ") {
				p.do(strings.Fields(c))
			}
			p.drain()
		case before || strings.HasPrefix(line, "#") || line == "":
			p.print("%s", line)
		}
	}
	return p.out.String()
}

func (p *script) print(format string, args ...any) { fmt.Fprintf(&p.out, format+"\n", args...) }

// do carries out one command.
func (p *script) do(f []string) {
	arg := func(i int) string { return f[i] }
	node := func(i int) *supervisor.Node { return p.pids[f[i]].Node }
	switch f[0] {
	case "start":
		p.tree.Start()
	case "shutdown":
		p.tree.Shutdown()
	case "stop":
		p.tree.Stop(node(1), scenario.Reason(arg(2)))
	case "suspend":
		p.tree.Suspend(node(1))
	case "resume":
		p.tree.Resume(node(1))
	case "now":
		seconds, err := strconv.ParseInt(arg(1), 10, 64)
		if err != nil {
			panic(err)
		}
		p.tree.SetNow(seconds * int64(time.Second))
	case "exited":
		reason := statemachine.Killed
		if arg(2) != "killed" {
			reason = scenario.Reason(arg(2))
		}
		p.tree.Exited(p.pids[arg(1)], reason)
	case "expire":
		p.tree.Expire(p.pids[arg(1)])
	case "retry":
		a := p.retries[0]
		p.retries = p.retries[1:]
		p.tree.Retry(a.PID, a.Child)
	case "slow":
		p.slow = f[1:]
	case "fail":
		p.fail = f[1:]
	case "prompt":
		p.prompt = f[1:]
	case "started":
		p.tree.Started(p.pids[arg(1)], nil)
	case "failed":
		p.tree.Started(p.pids[arg(1)], errors.New("init_fail"))
	case "ignored":
		p.tree.Ignored(p.pids[arg(1)])
	case "tree":
		p.print("%s", p.draw(p.tree.Root()))
	case "quiet":
		p.print("%v", p.tree.Quiet())
	default:
		p.request(f, node(1))
	}
}

// request sends a request, whose token is the command.
func (p *script) request(f []string, s *supervisor.Node) {
	name, token := Name(""), strings.Join(f, " ")
	if len(f) > 2 {
		name = Name(f[2])
	}
	switch f[0] {
	case "start_child":
		var c supervisor.Child = supervisor.Worker{Name: name}
		if d, ok := p.scn.Find(string(name)); ok {
			c = specs(&p.scn).Child(d)
		}
		p.tree.StartChild(s, token, c)
	case "terminate_child":
		p.tree.TerminateChild(s, token, name)
	case "terminate_pid":
		p.tree.TerminatePID(s, token, p.pids[string(name)])
	case "restart_child":
		p.tree.RestartChild(s, token, name)
	case "delete_child":
		p.tree.DeleteChild(s, token, name)
	case "get_childspec":
		p.tree.GetChildSpec(s, token, name)
	case "which":
		p.tree.WhichChildren(s, token)
	case "count":
		p.tree.CountChildren(s, token)
	default:
		panic("unknown command " + token)
	}
}

// drain prints all actions, and gives the answers that come at once.
func (p *script) drain() {
	for a, ok := p.tree.Next(); ok; a, ok = p.tree.Next() {
		name := ""
		if a.PID.Node != nil {
			name = string(a.PID.Node.Name())
		}
		switch a.Kind {
		case supervisor.Start:
			p.start(a.PID, name)
		case supervisor.Terminate:
			p.print("terminate %s %v %v", name, a.Reason, a.Grace)
			if slices.Contains(p.prompt, name) {
				p.tree.Exited(a.PID, a.Reason)
			}
		case supervisor.Kill:
			p.print("kill %s", name)
			p.tree.Exited(a.PID, statemachine.Killed)
		case supervisor.Guard:
			p.print("guard %s %v", name, a.Grace)
		case supervisor.Retry:
			p.print("retry %s by %s", a.Child.Name(), name)
			p.retries = append(p.retries, a)
		case supervisor.Exit:
			p.print("exit %s %v", name, a.Reason)
		case supervisor.Reply:
			p.print("reply (%s) %s", a.Answer.Token, answerText(a.Answer))
		}
	}
}

func (p *script) start(pid supervisor.PID, name string) {
	p.pids[name], p.pids[pid.String()] = pid, pid
	if i := slices.Index(p.fail, name); i >= 0 {
		p.fail = slices.Delete(slices.Clone(p.fail), i, i+1)
		p.print("start %s: fails", name)
		p.tree.Started(pid, errors.New("init_fail"))
		return
	}
	p.print("start %s", name)
	if !slices.Contains(p.slow, name) {
		p.tree.Started(pid, nil)
	}
}

func answerText(a *supervisor.Answer) string {
	op, _, _ := strings.Cut(a.Token.(string), " ")
	switch {
	case a.Err != nil:
		return a.Err.Error()
	case op == "which":
		return scenario.WhichText(a.Children, false)
	case op == "count":
		return fmt.Sprintf("%+v", a.Count)
	case op == "get_childspec":
		w, ok := a.Spec.(supervisor.Worker)
		if !ok {
			return fmt.Sprintf("%T", a.Spec)
		}
		return fmt.Sprintf("worker %s %s", w.Name, w.Restart)
	case a.PID.Node != nil:
		return a.PID.String()
	}
	return "ok"
}

// draw writes n and all below it with their statuses.
func (p *script) draw(n *supervisor.Node) string {
	text := fmt.Sprintf("%s=%s", n.Name(), n.Status())
	if !n.IsSupervisor() {
		return text
	}
	var words []string
	for c := range n.Children() {
		words = append(words, p.draw(c))
	}
	return text + "(" + strings.Join(words, " ") + ")"
}
