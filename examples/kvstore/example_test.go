package kvstore_test

import (
	"context"
	"fmt"

	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/examples/kvstore"
	"github.com/lineshaft/lineshaft/supervisor"
)

func Example() {
	store := kvstore.New[int](kvstore.Options{DeliberateBug: true})
	loop, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{
		Name:     "root",
		Children: []supervisor.Child{supervisor.Worker{Name: "kv", Machine: store}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	kv, err := eventloop.RefTo[kvstore.Input, kvstore.Output](loop, "kv")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for _, in := range []kvstore.Input{
		kvstore.Store[int]{Key: "x", Value: 1},
		kvstore.Lookup{Key: "x"},
		kvstore.List{},
		kvstore.Lookup{Key: "crash"}, // its supervisor restarts it
		kvstore.Lookup{Key: "x"},
		kvstore.Delete{Key: "x"},
	} {
		out, err := kv.Call(ctx, in)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%T%+v\n", out, out)
	}
	fmt.Println("stopped:", loop.Stop(ctx))
	// Output:
	// kvstore.Ok{}
	// kvstore.Result[int]{Found:true Value:1}
	// kvstore.Keys{Keys:[x] More:false}
	// kv crashed in read_only: runtime error: integer divide by zero (not_applied)
	// kvstore.Result[int]{Found:false Value:0}
	// kvstore.Deleted{Found:false}
	// stopped: <nil>
}
