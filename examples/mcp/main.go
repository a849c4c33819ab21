// Command mcp is a Model Context Protocol server in a function: a tool and a resource
// of the official Go SDK, over Streamable HTTP, for the clients that speak to a server
// at a URL.
//
//	go run ./cmd/middy dev --port 3000 ./examples/mcp
//	go run ./cmd/middy dev --front url --stream --port 3000 ./examples/mcp
//
// With --stream the function streams: progress reaches the client when it is made.
// Without, the same notices arrive together with the result. On Lambda, the
// function's environment says which: MCP_STREAM=1 for a function URL in the invoke
// mode RESPONSE_STREAM.
//
// Stateless is what makes it work. A session of MCP lives in the server's memory, and
// the client keeps a GET open in it for what the server has to say. In Lambda that GET
// occupies one sandbox until the function's timeout, because a sandbox serves one
// request at a time; the next POST starts another sandbox, which has never heard of the
// session and answers 404. A stateless server answers the GET with 405, keeps nothing
// between requests, and says all that it has to say in the answer to a POST. It cannot
// ask the client anything: no sampling, elicitation or roots.
//
// It is a module of its own, so that nobody who uses Middy for Go has the SDK in their
// go.sum; go.work at the root finds it.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/web"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	if os.Getenv("MCP_STREAM") != "" {
		middy.Start(web.Stream(handler())) // does not return
	}
	middy.Start(web.Handler(handler()))
}

func handler() http.Handler {
	server := mcp.NewServer(&mcp.Implementation{Name: "onions", Version: "1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "peel", Description: "peels an onion and greets the cook"}, peel)
	server.AddResource(&mcp.Resource{URI: "onion://layers", Name: "layers", MIMEType: "text/plain"}, layers)
	return mcp.NewStreamableHTTPHandler(
		func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: true},
	)
}

type order struct {
	Cook   string `json:"cook" jsonschema:"who peels"`
	Layers int    `json:"layers" jsonschema:"how many, at most 10"`
}

type peeled struct {
	Greeting string `json:"greeting"`
}

// peel reports its progress to the client that asks for it.
func peel(ctx context.Context, req *mcp.CallToolRequest, in order) (*mcp.CallToolResult, peeled, error) {
	if in.Layers < 0 || in.Layers > 10 {
		return nil, peeled{}, fmt.Errorf("an onion has no %d layers", in.Layers)
	}
	if token := req.Params.GetProgressToken(); token != nil {
		for i := range in.Layers {
			err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: token, Progress: float64(i + 1), Total: float64(in.Layers)})
			if err != nil {
				return nil, peeled{}, err
			}
		}
	}
	return nil, peeled{Greeting: "Grüße, " + in.Cook + " 🧅"}, nil
}

func layers(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, MIMEType: "text/plain", Text: "skin, flesh, heart"}}}, nil
}
