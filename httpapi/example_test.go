package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"

	"github.com/lineshaft/lineshaft/codec"
	"github.com/lineshaft/lineshaft/eventloop"
	"github.com/lineshaft/lineshaft/examples/kvstore"
	"github.com/lineshaft/lineshaft/httpapi"
	"github.com/lineshaft/lineshaft/supervisor"
)

func Example() {
	loop, err := eventloop.Start(eventloop.Config{Root: supervisor.Supervisor{
		Name: "root",
		Children: []supervisor.Child{
			supervisor.Worker{Name: "kv", Machine: kvstore.New[codec.Raw](kvstore.Options{})},
		},
	}})
	if err != nil {
		log.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	api := httpapi.New(loop, httpapi.Config{})
	go api.Serve(ln)

	for _, input := range []string{`{"store":{"key":"x","value":[1,2]}}`, `{"lookup":{"key":"x"}}`, `{"strike":{}}`} {
		resp, err := http.Post("http://"+ln.Addr().String()+"/v1/call/kv", "application/json", strings.NewReader(input))
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Printf("%d %s\n", resp.StatusCode, body)
	}
	http.DefaultClient.CloseIdleConnections()
	fmt.Println(api.Shutdown(context.Background()), loop.Stop(context.Background()))
	// Output:
	// 200 {"ok":{}}
	// 200 {"result":{"found":true,"value":[1,2]}}
	// 422 {"type":"urn:lineshaft:error:meaningless-input","title":"The input is not one of the process's","status":422,"detail":"meaningless json (byte 1): expected one of the tags store, lookup, delete, list, found the unknown tag \"strike\"","outcome":"not_applied","process":"kv"}
	// <nil> <nil>
}
