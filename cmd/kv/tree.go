package main

import (
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// tree is the ancestor's: kv1, and beneath a rest_for_one supervisor kv2 and
// kv3, which ends and starts again whenever kv2 crashes.
func tree(store statemachine.Server) supervisor.Supervisor {
	return supervisor.Supervisor{
		Name:     "root",
		Strategy: supervisor.OneForOne,
		Children: []supervisor.Child{
			supervisor.Worker{Name: "kv1", Machine: store},
			supervisor.Supervisor{
				Name:     "pair",
				Strategy: supervisor.RestForOne,
				Children: []supervisor.Child{
					supervisor.Worker{Name: "kv2", Machine: store},
					supervisor.Worker{Name: "kv3", Machine: store},
				},
			},
		},
	}
}
