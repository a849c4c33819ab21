package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/gomiddy/middy/emulator/sigv4"
	gateway "github.com/gomiddy/middy/emulator/websocket"
	"github.com/gomiddy/middy/examples/internal/sandbox"
)

// The chat in a process of its own, behind an API Gateway that verifies the
// signatures of what it sends.
func TestChatRunsAsItsCommentSays(t *testing.T) {
	var api atomic.Pointer[gateway.API]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { api.Load().ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	f := sandbox.New(t, sandbox.Config{Env: []string{"AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI=" + srv.URL}})
	a := gateway.New(gateway.Config{
		Function: f, Region: "us-east-1",
		Verifier: sigv4.New(sigv4.Config{Lookup: func(id string) (sigv4.Credentials, bool) {
			return sigv4.Credentials{Secret: "local", SessionToken: "local"}, id == "local"
		}}),
		Warn: func(id string, err error) { t.Error("gateway:", id, err) },
	})
	api.Store(a)
	t.Cleanup(func() {
		if err := a.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})

	ada, bob := enter(t, srv.URL), enter(t, srv.URL)
	ada.say(`{"action":"say","text":"anybody?"}`)
	ada.hears("join first")
	ada.say(`{"action":"join","room":"blue","name":"ada"}`)
	ada.hears("welcome to blue")
	bob.say(`{"action":"join","room":"blue"}`)
	bob.hears(`"pointer":"#/name","detail":"is required"`)
	bob.say(`{"action":"join","room":"blue","name":"bob"}`)
	bob.hears("welcome to blue")
	ada.hears("bob is here")
	ada.say(`{"action":"say","text":"hello, bob"}`)
	ada.hears(`{"from":"ada","text":"hello, bob"}`)
	bob.hears(`{"from":"ada","text":"hello, bob"}`)
	bob.say(`{"action":"who"}`)
	bob.hears(`["ada","bob"]`)
	bob.say(`{"action":"dance"}`)
	bob.hears("the actions are join, say and who")
	bob.say(`hello?`)
	bob.hears("the actions are join, say and who")
	if err := bob.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	ada.hears("bob has left")

	client := exec.CommandContext(ada.ctx, "go", "run", "./client", srv.URL, "blue", "cy")
	client.Stdin = strings.NewReader("hi all\n")
	want := "* welcome to blue\ncy: hi all\n* in the room were ada, cy\n"
	if out, err := client.Output(); err != nil || string(out) != want {
		t.Errorf("the client: %v %q", err, out)
	}
	ada.hears("cy is here")
	ada.hears(`{"from":"cy","text":"hi all"}`)
	ada.hears("cy has left")
}

type guest struct {
	t    *testing.T
	conn *websocket.Conn
	ctx  context.Context
}

func enter(t *testing.T, url string) *guest {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	conn, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &guest{t, conn, ctx}
}

func (g *guest) say(text string) {
	g.t.Helper()
	if err := g.conn.Write(g.ctx, websocket.MessageText, []byte(text)); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guest) hears(want string) {
	g.t.Helper()
	_, b, err := g.conn.Read(g.ctx)
	if err != nil || !strings.Contains(string(b), want) {
		g.t.Fatalf("heard %q %v, want %q", b, err, want)
	}
}
