package cli

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/frontdoor"
	"github.com/gomiddy/middy/emulator/secretsmanager"
)

// said is what the reporter prints for people, without the time of day.
func said(do func(r *reporter)) string {
	var out bytes.Buffer
	do(newReporter(newUI(&out, &out, nil)))
	var b strings.Builder
	for line := range strings.Lines(out.String()) {
		if len(line) > 9 && line[2] == ':' {
			line = line[9:]
		}
		b.WriteString(line)
	}
	return b.String()
}

func TestWhatIsSaidOfAWS(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(r *reporter)
		want string
	}{
		{"a good request", func(r *reporter) { r.refused(emulator.Record{Service: "ssm", Operation: "GetParameter"}) }, ""},
		{"a refused one", func(r *reporter) {
			r.refused(emulator.Record{Service: "sts", Operation: "AssumeRole", ErrorCode: "AccessDenied"})
		}, "aws     sts AssumeRole answered AccessDenied\n"},
		{"a refused signature", func(r *reporter) {
			r.refused(emulator.Record{Service: "ssm", Operation: "GetParameter", ErrorCode: "InvalidSignatureException", Reason: "expired"})
		}, "aws     ssm GetParameter answered InvalidSignatureException (expired)\n"},
		{"a missing secret", func(r *reporter) {
			r.asked("1", []byte(`{"SecretId":"prod/db"}`))
			r.asked("2", []byte(`{"Path":"/orders"}`))
			r.asked("3", []byte(`not JSON`))
			r.refused(emulator.Record{RequestID: "1", Service: "secretsmanager", Operation: "GetSecretValue", ErrorCode: "ResourceNotFoundException"})
			r.refused(emulator.Record{RequestID: "1", Service: "secretsmanager", Operation: "GetSecretValue", ErrorCode: "Once"})
			r.refused(emulator.Record{RequestID: "2", Service: "ssm", Operation: "GetParametersByPath", ErrorCode: "ParameterNotFound"})
		}, "aws     secretsmanager GetSecretValue of \"prod/db\" answered ResourceNotFoundException\n" +
			"aws     secretsmanager GetSecretValue answered Once\n" +
			"aws     ssm GetParametersByPath of \"/orders\" answered ParameterNotFound\n"},
		{"a batch", func(r *reporter) {
			r.batchErrors(map[string]any{"Errors": []map[string]string{{"SecretId": "a", "ErrorCode": "AccessDeniedException", "Message": "long"}}})
			r.batchErrors("no object")
			r.batchErrors(func() {})
		}, "aws     secretsmanager BatchGetSecretValue of \"a\" answered AccessDeniedException\n"},
		{"a rotation", func(r *reporter) { r.rotated(secretsmanager.Rotation{ARN: "arn"}) }, "rotate  arn has a new AWSCURRENT\n"},
		{"a failed one", func(r *reporter) {
			r.rotated(secretsmanager.Rotation{ARN: "arn", Step: "setSecret", Err: errors.New("secretsmanager: no database")})
		}, "rotate  arn failed in setSecret: no database; AWSCURRENT stays as it is\n"},
		{"a door's doubt", func(r *reporter) {
			r.doorWarning("1", fmt.Errorf("%w: x", frontdoor.ErrLenient))
			r.doorWarning("1", fmt.Errorf("%w: it has a line of its own", frontdoor.ErrFunction))
		}, "door    x\n"},
	} {
		if got := said(c.do); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	r := newReporter(newUI(&bytes.Buffer{}, &bytes.Buffer{}, nil))
	for i := range 1000 {
		r.asked(fmt.Sprint(i), []byte(`{"Name":"x"}`))
	}
	if len(r.names) > 101 {
		t.Errorf("%d names are kept", len(r.names))
	}
}

func TestReadyListsEveryDoor(t *testing.T) {
	s := &session{
		program: &program{Name: "chat"}, url: "http://127.0.0.1:3000", envFile: "env", aws: &localAWS{url: "http://127.0.0.1:4000", summary: "STS"},
		cfg:    &devConfig{stage: "prod", stream: true},
		fronts: []front{{"rest", "http://127.0.0.1:3000", nil}, {"url", "http://127.0.0.1:3001", nil}, {"ws", "http://127.0.0.1:3002", nil}},
	}
	got := said(func(r *reporter) { r.ready(s, time.Second) })
	for _, want := range []string{
		"  rest      http://127.0.0.1:3000/prod  (REST API, streamed)\n",
		"  url       http://127.0.0.1:3001  (function URL, streamed)\n",
		"  ws        ws://127.0.0.1:3002/prod  (WebSocket API)\n",
		"            http://127.0.0.1:3002/@connections/…  (callback API; the function has it in AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI)\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestDoorsHavePortsThatFollow(t *testing.T) {
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := first.Addr().(*net.TCPAddr).Port
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	fronts, err := listenFronts(t.Context(), &devConfig{port: port, fronts: []string{"http", "rest"}})
	if err != nil {
		t.Skip("somebody took the port that was free:", err)
	}
	defer closeFronts(fronts)
	for i, f := range fronts {
		if want := fmt.Sprintf("http://127.0.0.1:%d", port+i); f.url != want {
			t.Errorf("%s is at %s, want %s", f.name, f.url, want)
		}
	}
	before := fmt.Sprintf("127.0.0.1:%d", port-1)
	probe, err := net.Listen("tcp", before)
	if err != nil {
		t.Skip("the port before is somebody's:", err)
	}
	if err := probe.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := listenFronts(t.Context(), &devConfig{port: port - 1, fronts: []string{"http", "rest"}}); err == nil {
		t.Error("a taken port was taken again")
	}
	again, err := net.Listen("tcp", before)
	if err != nil {
		t.Fatalf("the door before the taken port stays open: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
