package bench

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"
	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/web"
)

// serve reads what handlers read, and answers with a small JSON.
func serve(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil || r.Header.Get("User-Agent") == "" || r.URL.Query().Get("tag") == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"id":"42","name":"Zoë","total":13.5}`))
}

// BenchmarkHTTP is from the bytes of the event to the bytes of the response:
// decode, an http.Handler, encode. The peer is awslabs/aws-lambda-go-api-proxy,
// between the decoder and the encoder of aws-lambda-go.
func BenchmarkHTTP(b *testing.B) {
	f, err := middy.New(web.Handler(http.HandlerFunc(serve)))
	if err != nil {
		b.Fatal(err)
	}
	v2 := httpadapter.NewV2(http.HandlerFunc(serve))
	v1 := httpadapter.New(http.HandlerFunc(serve))
	for _, c := range []struct {
		name, event string
		peer        func(ctx context.Context, payload []byte) ([]byte, error)
	}{
		{"httpapi", "httpapi.json", func(ctx context.Context, payload []byte) ([]byte, error) {
			var e events.APIGatewayV2HTTPRequest
			if err := json.Unmarshal(payload, &e); err != nil {
				return nil, err
			}
			resp, err := v2.ProxyWithContext(ctx, e)
			if err != nil {
				return nil, err
			}
			return json.Marshal(resp)
		}},
		{"rest", "rest.json", func(ctx context.Context, payload []byte) ([]byte, error) {
			var e events.APIGatewayProxyRequest
			if err := json.Unmarshal(payload, &e); err != nil {
				return nil, err
			}
			resp, err := v1.ProxyWithContext(ctx, e)
			if err != nil {
				return nil, err
			}
			return json.Marshal(resp)
		}},
	} {
		payload, err := os.ReadFile("../web/testdata/events/" + c.event)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) { race(b, payload, f.Invoke, c.peer) })
	}
}

// race gives both the same number of turns, alternating so that neither has the
// quiet half of the machine's time, and reports the ratios.
func race(b *testing.B, payload []byte, us, peer func(context.Context, []byte) ([]byte, error)) {
	b.Helper()
	for _, f := range []func(context.Context, []byte) ([]byte, error){us, peer} {
		out, err := f(b.Context(), payload)
		var resp struct {
			StatusCode int `json:"statusCode"`
		}
		if err != nil || json.Unmarshal(out, &resp) != nil || resp.StatusCode != 200 {
			b.Fatalf("%s, %v", out, err)
		}
	}
	var took [2]float64
	const turn = 200
	rounds := 0
	for b.Loop() {
		rounds++
		took[0] += timed(b, turn, payload, us)
		took[1] += timed(b, turn, payload, peer)
	}
	n := float64(rounds * turn)
	b.ReportMetric(took[0]/n, "ns/us")
	b.ReportMetric(took[1]/n, "ns/peer")
	b.ReportMetric(took[1]/took[0], "x-faster")
	ours := testing.AllocsPerRun(100, func() { _, _ = us(b.Context(), payload) })
	theirs := testing.AllocsPerRun(100, func() { _, _ = peer(b.Context(), payload) })
	b.ReportMetric(ours, "allocs/us")
	b.ReportMetric(theirs, "allocs/peer")
	b.ReportMetric(ours/theirs, "allocs-ratio")
	b.ReportMetric(0, "ns/op") // of a round: says nothing
}
