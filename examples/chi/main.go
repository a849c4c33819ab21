// Command chi is an application that was there before: written over chi, served by
// net/http. Three lines of main take it to Lambda, behind every front door, and leave
// it on the server, too; see them below.
//
//	go run ./examples/chi
//	go run ./cmd/middy dev --port 3000 ./examples/chi
//	curl -si localhost:3000/articles/7
//
// It is a module of its own, so that nobody who uses Middy for Go has chi in their
// go.sum; go.work at the root finds it.
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/web"
)

func main() {
	h := routes()

	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		middy.Start(web.Handler(h)) // does not return
	}

	log.Fatal(http.ListenAndServe("127.0.0.1:3000", h))
}
