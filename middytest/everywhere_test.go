package middytest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web"
)

func TestEverywhereIsTheSameHandlerInFourPlaces(t *testing.T) {
	var doors []string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		door := "none"
		if e, ok := web.Event(r); ok {
			door = e.Door.String()
		}
		doors = append(doors, door)
		b, err := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Method, " ", r.URL.Path, " ", string(b), " ", err)
	})
	middytest.Everywhere(t, h, func(t *testing.T, url string) {
		resp, err := http.Post(url+"/a%20b", "text/plain", strings.NewReader("ä"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || string(b) != "POST /a b ä <nil>" {
			t.Errorf("got %q, %v", b, err)
		}
	})
	if got := strings.Join(doors, ", "); got != "none, HTTP API 2.0, REST API, ALB multi-value" {
		t.Error(got)
	}
}

func TestRespondIsOneEventAndItsResponse(t *testing.T) {
	h := web.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	got := string(middytest.Respond(t, h, []byte(`{"httpMethod":"GET","path":"/","requestContext":{}}`)))
	if got != `{"statusCode":204,"headers":{},"body":""}` {
		t.Error(got)
	}
}
