package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/coder/websocket"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

func TestFrontsAreReadInOrderAndOnce(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "http"},
		{[]string{"--front", "rest, alb,rest"}, "rest alb"},
		{[]string{"--websocket"}, "http ws"},
		{[]string{"--front", "ws", "--websocket"}, "ws"},
		{[]string{"--front", "url", "--stream"}, "url"},
	} {
		a := &app{ui: newUI(io.Discard, io.Discard, nil)}
		cfg, err := a.devFlags(append(c.args, "./x"))
		if err != nil || strings.Join(cfg.fronts, " ") != c.want {
			t.Errorf("%v: %v %v, want %s", c.args, cfg, err, c.want)
		}
	}
	for _, args := range [][]string{
		{"--front", ""}, {"--front", "http,"}, {"--front", "stream"}, {"--stream"}, {"--front", "alb", "--stream"},
		{"--route", "GET orders"}, {"--route", " /orders"},
	} {
		a := &app{ui: newUI(io.Discard, io.Discard, nil)}
		if cfg, err := a.devFlags(append(args, "./x")); err == nil {
			t.Errorf("%v is taken as %v", args, cfg.fronts)
		}
	}
}

func TestRoutesGoToTheDoorsThatHaveThem(t *testing.T) {
	c := &devConfig{routes: listFlag{"GET /orders/{id}", "$default", "chat"}}
	if got := fmt.Sprint(c.httpRoutes(true), c.httpRoutes(false), c.messageRoutes()); got != "[GET /orders/{id} $default] [GET /orders/{id}] [$default chat]" {
		t.Error(got)
	}
}

// address is the URL of one of the doors in a ready event.
func address(t *testing.T, ready map[string]any, name, field string) string {
	t.Helper()
	for _, f := range ready["fronts"].([]any) {
		if f := f.(map[string]any); f["name"] == name {
			return f[field].(string)
		}
	}
	t.Fatalf("no door %s in %v", name, ready)
	return ""
}

func TestOneFunctionBehindEveryDoor(t *testing.T) {
	var names []string
	for _, k := range frontKinds {
		if k.name != noFront {
			names = append(names, k.name)
		}
	}
	d := startDev(t, "--no-watch", "--front", strings.Join(names, ","), "--route", "ANY /{proxy+}", "--route", "echo", "./testdata/doors")
	ready := d.await("ready")
	for _, name := range names {
		if name == "ws" {
			continue
		}
		resp, err := http.Get(address(t, ready, name, "url") + "/a")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || string(body) != name {
			t.Errorf("%s: the function sees %q, and its client %d, %v", name, body, resp.StatusCode, err)
		}
		if end := d.await("end"); end["what"] != "GET /a" {
			t.Errorf("%s: the log calls it %v", name, end["what"])
		}
		if name == "alb-multi" { // its result has headers, which this door does not read
			if w := d.await("warning"); !strings.Contains(fmt.Sprint(w["message"]), "headers was ignored, with X-From in it") {
				t.Errorf("the wrong header map is told as %v", w)
			}
		}
	}

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, address(t, ready, "ws", "url"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for _, step := range []struct{ say, hear string }{
		{`{"action":"echo"}`, `echo: {"action":"echo"}`},
		{`{"action":"nothing"}`, `"message":"Forbidden"`},
	} {
		if err := c.Write(ctx, websocket.MessageText, []byte(step.say)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Read(ctx); err != nil || !strings.Contains(string(got), step.hear) {
			t.Errorf("%s is answered with %s, %v", step.say, got, err)
		}
	}
	resp, err := http.Post(address(t, ready, "ws", "callback")+"/@connections/abc=", "", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 403 {
		t.Errorf("the callback API takes an unsigned request: %d", resp.StatusCode)
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	for {
		if e := d.await("end"); strings.HasPrefix(fmt.Sprint(e["what"]), "$disconnect ") {
			break
		}
	}
	if code := d.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestAConnectionThatIsOpenDoesNotKeepDevFromEnding(t *testing.T) {
	d := startDev(t, "--no-watch", "--front", "ws", "./testdata/doors")
	ready := d.await("ready")
	c, _, err := websocket.Dial(t.Context(), address(t, ready, "ws", "url"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	read := make(chan error, 1)
	go func() { _, _, err := c.Read(context.Background()); read <- err }()
	begin := time.Now()
	if code := d.stop(); code != exitOK || time.Since(begin) > 10*time.Second {
		t.Errorf("exit code %d after %v", code, time.Since(begin))
	}
	if err := <-read; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the client hears %v", err)
	}
}

// secretsOf is an SDK client with the environment file that dev leaves for a shell.
func secretsOf(t *testing.T, ready map[string]any) *secretsmanager.Client {
	t.Helper()
	data, err := os.ReadFile(ready["env"].(string))
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(data)) {
		assignment, ok := strings.CutPrefix(strings.TrimSpace(line), "export ")
		if !ok {
			continue
		}
		name, value, _ := strings.Cut(assignment, "=")
		env[name] = strings.Trim(value, "'")
	}
	return secretsmanager.New(secretsmanager.Options{
		BaseEndpoint: aws.String(env["AWS_ENDPOINT_URL_SECRETS_MANAGER"]), Region: env["AWS_REGION"], Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"], SessionToken: env["AWS_SESSION_TOKEN"]}, nil
		}),
	})
}

// One session for both, for its build is what takes the time.
func TestSecretsMeetTheFunction(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "seed.yaml")
	if err := os.WriteFile(seed, []byte("secrets: {db: one}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := startDev(t, "--no-watch", "--seed", seed, "./testdata/doors")
	c := secretsOf(t, d.await("ready"))
	t.Run("a refused read says what was asked for", func(t *testing.T) { refusedReads(t, d, c) })
	t.Run("a rotation runs the function that the secret names", func(t *testing.T) { rotations(t, d, c) })
}

func refusedReads(t *testing.T, d *running, c *secretsmanager.Client) {
	t.Helper()
	if _, err := c.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("prod/none")}); err == nil {
		t.Fatal("there is a secret prod/none")
	}
	if e := d.await("aws.refused"); e["resource"] != "prod/none" || e["errorType"] != "ResourceNotFoundException" {
		t.Errorf("%v", e)
	}
	if _, err := c.BatchGetSecretValue(t.Context(), &secretsmanager.BatchGetSecretValueInput{SecretIdList: []string{"prod/a", "prod/b"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"prod/a", "prod/b"} {
		if e := d.await("aws.refused"); e["resource"] != want {
			t.Errorf("%v, want %s", e, want)
		}
	}
}

func rotations(t *testing.T, d *running, c *secretsmanager.Client) {
	t.Helper()
	for _, tt := range []struct{ function, message string }{
		{"doors", "finishSecret: the rotation function returned from finishSecret without moving AWSCURRENT"},
		{"elsewhere", "<nil>"}, // the built-in one, which moves it
	} {
		arn := "arn:aws:lambda:us-east-1:000000000000:function:" + tt.function
		if _, err := c.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String("db"), RotationLambdaARN: &arn}); err != nil {
			t.Fatal(err)
		}
		if tt.function == "doors" {
			for _, step := range []string{"createSecret", "setSecret", "testSecret", "finishSecret"} {
				for e := d.await("log"); e["text"] != "rotation step "+step; e = d.await("log") {
					continue
				}
			}
		}
		if e := d.await("rotated"); !strings.Contains(fmt.Sprint(e["message"]), tt.message) {
			t.Errorf("%s: %v", tt.function, e)
		}
		if tt.function == "doors" { // what it left staged would be rotated again
			p, err := c.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String("db")})
			if err != nil {
				t.Fatal(err)
			}
			for id, stages := range p.VersionIdsToStages {
				if len(stages) == 1 && stages[0] == "AWSPENDING" {
					if _, err := c.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{SecretId: aws.String("db"), VersionStage: aws.String("AWSPENDING"), RemoveFromVersionId: &id}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

func TestABuildThatIsStillInInitServesNobody(t *testing.T) {
	f := newFunction(t)
	d := startDev(t, f.dir)
	d.await("ready")
	d.await("watching")
	gate := fmt.Sprintf("%q", filepath.Join(f.dir, "gate"))
	f.edit("two", strings.ReplaceAll(`for _, err := os.Stat(GATE); err != nil; _, err = os.Stat(GATE) {
	}`, "GATE", gate))
	d.await("init.start")
	if status, body := d.get("/"); status != 200 || body != "one" {
		t.Errorf("while the new build is in init: %d %q, want the last good build's one", status, body)
	}
	f.write("gate", "open")
	d.await("live")
	if status, body := d.get("/"); status != 200 || body != "two" {
		t.Errorf("after it: %d %q, want two", status, body)
	}
}

func TestAStreamArrivesAsItIsSaid(t *testing.T) {
	f := newFunction(t)
	f.write("main.go", strings.ReplaceAll(`package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(context.Context) (*events.LambdaFunctionURLStreamingResponse, error) {
		body, w := io.Pipe()
		go func() {
			_, _ = io.WriteString(w, "first ")
			for _, err := os.Stat("GATE"); err != nil; _, err = os.Stat("GATE") {
				time.Sleep(time.Millisecond)
			}
			_, _ = io.WriteString(w, "second")
			_ = w.Close()
		}()
		return &events.LambdaFunctionURLStreamingResponse{StatusCode: 203, Headers: map[string]string{"X-A": "1"}, Cookies: []string{"c=1", "d=2"}, Body: body}, nil
	})
}
`, "GATE", filepath.Join(f.dir, "gate")))
	d := startDev(t, "--no-watch", "--front", "url,rest", "--stream", "--timeout", "30s", f.dir)
	ready := d.await("ready")
	for _, name := range []string{"url", "rest"} {
		resp, err := http.Get(address(t, ready, name, "url"))
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, len("first "))
		if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first " {
			t.Errorf("%s: before the gate is open: %q %v", name, first, err)
		}
		f.write("gate", "open")
		rest, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 203 || string(rest) != "second" || resp.Header.Get("X-A") != "1" || len(resp.Header.Values("Set-Cookie")) != 2 {
			t.Errorf("%s: %d %q %v %v", name, resp.StatusCode, rest, resp.Header, err)
		}
		if err := os.Remove(filepath.Join(f.dir, "gate")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFunctionThatHasNotStartedSaysSo(t *testing.T) {
	if _, err := newSwap().Invoke(t.Context(), runtimeapi.Request{}); !errors.Is(err, runtimeapi.ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestAnOldBuildThatDoesNotEndIsEndedWithDev(t *testing.T) {
	f := newFunction(t)
	const hangs = `package main

import (
	"context"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(context.Context) (string, error) { time.Sleep(time.Hour); return "", nil })
}
`
	f.write("main.go", hangs)
	d := startDev(t, "--timeout", "-1s", "--verbose", f.dir)
	d.await("ready")
	d.await("watching")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			err = resp.Body.Close()
		}
		gone <- err
	}()
	d.await("invoke.start")
	f.edit("two", "")
	d.await("live")
	if _, body := d.get("/"); body != "two" {
		t.Errorf("the new build answers %q", body)
	}
	begin := time.Now()
	if code := d.stop(); code != exitOK || time.Since(begin) > 20*time.Second {
		t.Errorf("exit code %d after %v", code, time.Since(begin))
	}
	<-gone
	for pid := range d.pids {
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is still there: %v", pid, err)
		}
	}
}
