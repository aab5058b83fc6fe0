package main

import (
	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/examples/kvstore"
	"github.com/lineshaft/lineshaft/statemachine"
	"github.com/lineshaft/lineshaft/supervisor"
)

// newStore returns the machine of all stores. Tests have other builds of it.
var newStore = func(deliberateBug bool) statemachine.Server {
	return kvstore.New[codec.Raw](kvstore.Options{DeliberateBug: deliberateBug})
}

// application is what the program runs, and looks at when it does not run.
func application(store statemachine.Server) eventloop.Config {
	return eventloop.Config{Root: tree(store), Machines: map[string]statemachine.Server{"kv": store}}
}

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
