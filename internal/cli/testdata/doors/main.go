// Command doors answers every front door: HTTP with what tells their events apart,
// a WebSocket message through the callback API, a rotation step with a line.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/gomiddy/middy/freshsign"
	"github.com/gomiddy/middy/web/ws"
)

type event struct {
	Step           string
	Body           string
	RequestContext struct{ RouteKey, ConnectionID string }
}

func main() {
	client := ws.NewClient(freshsign.FromEnv(), ws.Config{})
	lambda.Start(func(ctx context.Context, payload json.RawMessage) (any, error) {
		var e event
		if err := json.Unmarshal(payload, &e); err != nil {
			return nil, err
		}
		switch {
		case e.Step != "":
			fmt.Println("rotation step", e.Step)
		case e.RequestContext.ConnectionID != "" && !strings.HasPrefix(e.RequestContext.RouteKey, "$"):
			return answer(e.Body), client.Send(ctx, e.RequestContext.ConnectionID, []byte(e.RequestContext.RouteKey+": "+e.Body))
		}
		return answer(kind(payload)), nil
	})
}

func answer(body string) map[string]any {
	return map[string]any{"statusCode": 200, "headers": map[string]string{"x-from": "headers"}, "body": body}
}

// kind names a door by fields that no other door's event has together.
func kind(payload json.RawMessage) string {
	text := string(payload)
	for _, k := range []struct{ name, sign string }{
		{"lattice1", `"raw_path"`},
		{"lattice", `"serviceNetworkArn"`},
		{"alb-multi", `"multiValueQueryStringParameters":{}`},
		{"alb", `"elb"`},
		{"http1", `"version":"1.0"`},
		{"rest", `"resourcePath"`},
		{"url", `"accountId":"anonymous"`},
		{"http", `"routeKey"`},
	} {
		if strings.Contains(text, k.sign) {
			return k.name
		}
	}
	return "?"
}
