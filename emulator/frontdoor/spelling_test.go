package frontdoor_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gomiddy/middy/emulator/frontdoor"
)

// spelledServer answers on a socket with the event's header x-a, in any spelling.
func spelledServer(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ConnContext: frontdoor.ConnContext, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		event, err := frontdoor.RESTAPI{}.Event(r, body, frontdoor.Arrival{})
		if err != nil {
			t.Error(err)
		}
		var e events.APIGatewayProxyRequest
		if err := json.Unmarshal(event, &e); err != nil {
			t.Error(err)
		}
		found := map[string][]string{}
		for name, values := range e.MultiValueHeaders {
			if strings.EqualFold(name, "x-a") || strings.EqualFold(name, "content-type") {
				found[name] = values
			}
		}
		fmt.Fprint(w, found, " ", e.Body)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(frontdoor.Listener(l)) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	return l.Addr().String()
}

func TestARESTAPIKeepsTheSpellingOfHeaderNames(t *testing.T) {
	addr := spelledServer(t)
	const host = "Host: localhost\r\n"
	for _, tt := range []struct {
		name string
		sent []string // each one written at once
		want []string
	}{
		{"lower case", []string{"GET / HTTP/1.1\r\n" + host + "x-a: 1\r\n\r\n"}, []string{"map[x-a:[1]] "}},
		{"one name in two spellings", []string{"GET / HTTP/1.1\r\n" + host + "X-A: 1\r\nx-a: 2\r\nX-A: 3\r\n\r\n"}, []string{"map[X-A:[1 3] x-a:[2]] "}},
		{"in pieces", []string{"GET /p HT", "TP/1.1\r\n" + host + "x", "-A: 1\r", "\n\r", "\n"}, []string{"map[x-A:[1]] "}},
		{"two requests, the first with a body that looks like one", []string{
			"POST / HTTP/1.1\r\n" + host + "x-a: 1\r\ncontent-length: 22\r\n\r\nGET / HTTP/1.1\r\nX-A: 0", "GET / HTTP/1.1\r\n" + host + "X-a: 2\r\n\r\n",
		}, []string{"map[x-a:[1]] GET / HTTP/1.1\r\nX-A: 0", "map[X-a:[2]] "}},
		{"after a chunked body", []string{
			"POST / HTTP/1.1\r\n" + host + "x-a: 1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nX-A: \r\n2\r\n\r\n\r\n0\r\nX-a: trailer\r\n\r\n" +
				"GET /2 HTTP/1.1\r\n" + host + "X-a: 2\r\n\r\n",
		}, []string{"map[x-a:[1]] X-A: \r\n", "map[X-a:[2]] "}},
		{"many at once", []string{strings.Repeat("GET /a HTTP/1.1\r\n"+host+"x-a: 1\r\n\r\n", 3) + "GET /b HTTP/1.1\r\n" + host + "X-a: 2\r\n\r\n"},
			[]string{"map[x-a:[1]] ", "map[x-a:[1]] ", "map[x-a:[1]] ", "map[X-a:[2]] "}},
		{"an upgrade ends it", []string{"GET / HTTP/1.1\r\n" + host + "x-a: 1\r\nUpgrade: h2c\r\n\r\n", "GET /2 HTTP/1.1\r\n" + host + "x-a: 2\r\n\r\n"},
			[]string{"map[x-a:[1]] ", "map[X-A:[2]] "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for _, text := range tt.sent {
				if _, err := io.WriteString(c, text); err != nil {
					t.Fatal(err)
				}
			}
			in := bufio.NewReader(c)
			for i, want := range tt.want {
				resp, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				if err != nil || string(got) != want {
					t.Errorf("request %d: %q %v, want %q", i+1, got, err, want)
				}
			}
		})
	}
}
