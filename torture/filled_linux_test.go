package torture_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// filledEnv tells the test that it runs where it may mount.
const filledEnv = "TORTURE_FILLED_DIR"

// Sizes of TestFilledDisk, in bytes.
const (
	filledPad   = 100 << 10 // of values
	fileLimit   = 20 << 20  // bbolt lets a file grow by 16 MiB
	diskBytes   = 12 << 20
	ballastSize = 6 << 20 // on the disk, until there is to be room again
)

// TestFilledDisk fills the file system under the program: what was acknowledged
// stays, the program stops with one line that says why, and starts again where
// it can. It does so on a small file system of its own, where the test may mount
// one, and under a limit of the file's size.
func TestFilledDisk(t *testing.T) {
	if dir := os.Getenv(filledEnv); dir != "" {
		fillDisk(t, dir)
		return
	}
	t.Parallel()
	dir := t.TempDir()
	binary := buildKV(t, dir)
	t.Run("limit", func(t *testing.T) {
		k := newKilled(t, filepath.Join(dir, "kv.db"), binary, "--snapshot-bytes=4000000")
		free := k.command
		k.command = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -f %d; exec "$0" "$@"`, fileLimit/512)}, free...)
		k.fill("file too large", nil)
		k.mayRefuse("file too large")
		k.command = free
		k.check()
		k.report()
	})
	t.Run("disk", func(t *testing.T) {
		mounts := filepath.Join(dir, "disk")
		if err := os.Mkdir(mounts, 0o700); err != nil {
			t.Fatal(err)
		}
		// In a namespace of its own anybody may mount, where the system lets anybody have one.
		cmd := exec.Command(os.Args[0], "-test.run=^TestFilledDisk$", "-test.v")
		cmd.Env = append(os.Environ(), filledEnv+"="+mounts)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
		out, err := cmd.CombinedOutput()
		switch {
		case errors.Is(err, fs.ErrPermission) || strings.Contains(string(out), "--- SKIP"):
			t.Skipf("no file system can be mounted here: %v\n%s", err, out)
		case err != nil:
			t.Errorf("%v\n%s", err, out)
		default:
			t.Logf("%s", out)
		}
	})
}

// fillDisk fills a small file system that it mounts at dir.
func fillDisk(t *testing.T, dir string) {
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprint("size=", diskBytes)); err != nil {
		t.Skip(err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, ballastSize), 0o600); err != nil {
		t.Fatal(err)
	}
	k := newKilled(t, filepath.Join(dir, "kv.db"), filepath.Join(dir, "..", "kv"), "--snapshot-bytes=1000000")
	const full = "no space left on device"
	k.fill(full, nil)
	k.mayRefuse(full)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	k.fill(full, func(c *child) { // there is room, and then there is none again
		k.nap(100)
		if err := os.WriteFile(ballast, make([]byte, diskBytes), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("the disk takes it all: %v", err)
		}
	})
	os.Remove(ballast)
	if err := syscall.Mount("none", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprint("size=", 4*diskBytes)); err != nil {
		t.Fatal(err) // it may have been the program that filled most of it
	}
	for _, c := range k.clients {
		c.pad = kvPad
	}
	k.life()
	k.check()
	k.report()
}

// fill runs the program under all clients until it stops because of why. What
// meanwhile does is done while they are at it.
func (k *killed) fill(why string, meanwhile func(*child)) {
	k.lives++
	for _, c := range k.clients {
		c.pad = filledPad
	}
	c, url := serving(k.t, k.command)
	defer c.kill()
	k.inspect(url)
	k.load(url, func() {
		if meanwhile != nil {
			meanwhile(c)
		}
		c.wait(k.t, 30*time.Second)
	})
	k.wantComplaint(c, why)
}

// mayRefuse starts the program where there is no room. It serves as long as it
// can do without, or refuses.
func (k *killed) mayRefuse(why string) {
	k.lives++
	c := spawn(k.t, k.command)
	defer c.kill()
	if url, ok := <-c.url; ok {
		k.h.settle()
		k.load(url, func() { c.wait(k.t, 30*time.Second) })
	}
	<-c.ended
	k.wantComplaint(c, why)
}

// wantComplaint wants that the program has stopped because of why.
func (k *killed) wantComplaint(c *child, why string) {
	line, err := c.complaint()
	if err != nil || !strings.Contains(line, why) || c.cmd.ProcessState.ExitCode() != 1 {
		k.t.Errorf("it stopped with %v, %q: %v; want one line with %q", c.cmd.ProcessState, line, err, why)
	}
	k.t.Log(strings.TrimSpace(line))
	k.mustBeIntact()
}
