package supervisor_test

import (
	"strings"
	"testing"

	"github.com/lineshaft/lineshaft/supervisor"
)

// CheckChild knows nothing of a supervisor: the path begins with the child.
func TestCheckChild(t *testing.T) {
	if err := supervisor.CheckChild(supervisor.Worker{Name: "w"}); err != nil {
		t.Errorf("a worker without a machine: %v", err)
	}
	for path, c := range map[string]supervisor.Child{
		`spec of "": Name`:      supervisor.Worker{},
		`spec of "s"/"s": Name`: supervisor.Supervisor{Name: "s", Children: []supervisor.Child{supervisor.Supervisor{Name: "s"}}},
		`spec of "s": Strategy`: supervisor.Supervisor{Name: "s", Strategy: 99},
	} {
		if err := supervisor.CheckChild(c); err == nil || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%v; want %s", err, path)
		}
	}
}
