package cli

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

func TestTextFromElsewhereIsVisibleAndBounded(t *testing.T) {
	for in, want := range map[string]string{
		"plain, ü and a\ttab":  "plain, ü and a\ttab",
		"\x1b[31m\x00\r\n\x7f": `\x1b[31m\x00\x0d\x0a\x7f`,
		"\u009b2J\u202etxt":    `\u009b2J\u202etxt`,
		"\xff\xfe":             `\xff\xfe`,
		"\ufffd":               "\ufffd", // a real one
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
	long := visible(strings.Repeat("ü", maxShown))
	if !utf8.ValidString(long) || len(long) > maxShown+50 || !strings.HasSuffix(long, fmt.Sprintf("(%d bytes more)", maxShown)) {
		t.Errorf("a long line has %d bytes and ends with %q", len(long), long[len(long)-30:])
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("\x1b[2J\xff\u202e")
	f.Add(strings.Repeat("\x00", maxShown+1))
	f.Fuzz(func(t *testing.T, text string) {
		got := visible(text)
		if !utf8.ValidString(got) || strings.IndexFunc(got, hidden) >= 0 || len(got) > 10*maxShown+50 {
			t.Errorf("visible(%q) = %q", text, got)
		}
	})
}

func TestSamplesAreTheEventsOfTheirServices(t *testing.T) {
	s := sample{body: "hello", region: "eu-west-1"}
	read := func(name string, into any) {
		t.Helper()
		data, err := template(name, s)
		if err == nil {
			err = json.Unmarshal(data, into)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var sqs events.SQSEvent
	read("sqs", &sqs)
	if r := sqs.Records; len(r) != 1 || r[0].Body != "hello" || r[0].Md5OfBody != "5d41402abc4b2a76b9719d911017c592" || r[0].EventSourceARN != "arn:aws:sqs:eu-west-1:123456789012:queue" {
		t.Errorf("sqs: %+v", r)
	}
	var sns events.SNSEvent
	read("sns", &sns)
	if r := sns.Records; len(r) != 1 || r[0].SNS.Message != "hello" || r[0].SNS.Timestamp.IsZero() {
		t.Errorf("sns: %+v", r)
	}
	var bucket events.S3Event
	read("s3", &bucket)
	if r := bucket.Records; len(r) != 1 || r[0].S3.Object.URLDecodedKey != "folder/Happy Face.jpg" || r[0].EventTime.IsZero() {
		t.Errorf("s3: %+v", r)
	}
	var kinesis events.KinesisEvent
	read("kinesis", &kinesis)
	if r := kinesis.Records; len(r) != 1 || string(r[0].Kinesis.Data) != "hello" || r[0].Kinesis.ApproximateArrivalTimestamp.IsZero() {
		t.Errorf("kinesis: %+v", r)
	}
	var table events.DynamoDBEvent
	read("dynamodb", &table)
	if r := table.Records; len(r) != 1 || r[0].Change.NewImage["message"].String() != "hello" || r[0].EventName != "INSERT" {
		t.Errorf("dynamodb: %+v", r)
	}
	var bridge, schedule events.EventBridgeEvent
	read("eventbridge", &bridge)
	read("schedule", &schedule)
	if bridge.DetailType != "OrderPlaced" || string(bridge.Detail) != `{"message":"hello"}` || bridge.Time.IsZero() {
		t.Errorf("eventbridge: %+v", bridge)
	}
	if schedule.DetailType != "Scheduled Event" || schedule.Source != "aws.events" || string(schedule.Detail) != "{}" || len(schedule.Resources) != 1 {
		t.Errorf("schedule: %+v", schedule)
	}
}

func TestADoorsTemplateHasMethodPathAndBody(t *testing.T) {
	data, err := template("rest", sample{method: "post", path: "/orders/4%202?limit=5", body: `{"id":1}`, region: "us-east-1"})
	var e events.APIGatewayProxyRequest
	if err == nil {
		err = json.Unmarshal(data, &e)
	}
	if err != nil || e.HTTPMethod != "POST" || e.QueryStringParameters["limit"] != "5" || e.Body != `{"id":1}` || !strings.HasPrefix(e.Path, "/orders/4") {
		t.Errorf("%v %s", err, data)
	}
	for _, c := range []struct {
		name string
		s    sample
		want string
	}{
		{"rest", sample{path: "orders"}, "it begins with a slash"},
		{"sqs", sample{method: "POST"}, "for the event of a door"},
		{"gate", sample{}, "eventbridge, kinesis"},
	} {
		if _, err := template(c.name, c.s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %+v: %v, want %q", c.name, c.s, err, c.want)
		}
	}
}

func TestAProgramsEventsAreReadFromItsSource(t *testing.T) {
	const head = "package main\nimport (\n\"context\"\n%s\n)\n"
	const sdk = "\"github.com/aws/aws-lambda-go/events\""
	for _, c := range []struct {
		rule, source string
		kind         string
		http         bool
	}{
		{"a handler of SQS", fmt.Sprintf(head, sdk) + "func h(ctx context.Context, e events.SQSEvent) error { return nil }", "SQS", false},
		{"a pointer, in a literal, under another name", fmt.Sprintf(head, "ev "+sdk) + "var h = func(ctx context.Context, e *ev.S3Event) error { return nil }", "S3", false},
		{"an HTTP API", fmt.Sprintf(head, sdk) + "func h(ctx context.Context, e events.APIGatewayV2HTTPRequest) error { return nil }", "", true},
		{"both", fmt.Sprintf(head, sdk) + "func a(events.SNSEvent) {}\nfunc b(events.ALBTargetGroupRequest) {}", "SNS", true},
		{"net/http behind web", fmt.Sprintf(head, "\"github.com/gomiddy/middy/web\""), "", true},
		{"a type of its own", fmt.Sprintf(head, "") + "type SQSEvent struct{}\nfunc h(ctx context.Context, e SQSEvent) error { return nil }", "", false},
		{"a result is no event", fmt.Sprintf(head, sdk) + "func h(ctx context.Context) (events.SQSEvent, error) { return events.SQSEvent{}, nil }", "", false},
		{"what does not parse may be anything", "package main\nfunc {", "", true},
	} {
		if kind, http := eventsIn([]byte(c.source)); kind != c.kind || http != c.http {
			t.Errorf("%s: %q, HTTP %v; want %q, %v", c.rule, kind, http, c.kind, c.http)
		}
	}
}

// Each protocol's client finds the code and the sentence where it looks for them.
func TestAServiceThatIsNotEmulatedAnswersInItsProtocol(t *testing.T) {
	for _, c := range []struct {
		service, kind, content string
		want                   []string
	}{
		{"dynamodb", "application/x-amz-json-1.0", "application/x-amz-json-1.0", []string{`"__type":"NotEmulated"`, "AWS_ENDPOINT_URL_DYNAMODB", "--pass dynamodb"}},
		{"events", "application/x-amz-json-1.1", "application/x-amz-json-1.1", []string{"AWS_ENDPOINT_URL_EVENTBRIDGE", "--pass eventbridge"}},
		{"sns", "application/x-www-form-urlencoded; charset=utf-8", "text/xml", []string{"<ErrorResponse><Error><Type>Sender</Type><Code>NotEmulated</Code>", "AWS_ENDPOINT_URL_SNS"}},
		{"ec2", "application/x-www-form-urlencoded", "text/xml", []string{"<Response><Errors><Error><Code>NotEmulated</Code>"}},
		{"s3", "", "application/xml", []string{"<Error><Code>NotEmulated</Code>", "AWS_ENDPOINT_URL_S3"}},
		{"monitoring", "application/cbor", "application/cbor", []string{"__type", "NotEmulated", "AWS_ENDPOINT_URL_CLOUDWATCH"}},
		{"scheduler", "application/json", "application/json", []string{"AWS_ENDPOINT_URL_SCHEDULER"}},
		{"execute-api", "", "application/json", []string{"--websocket"}},
		{"", "", "application/json", []string{"does not emulate this AWS service"}},
		{"<script>", "", "application/json", []string{"does not emulate this AWS service"}},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/", strings.NewReader("{}"))
		r.Header.Set("Content-Type", c.kind)
		if c.kind == "application/cbor" {
			r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
		}
		if c.service != "" {
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/"+c.service+"/aws4_request, SignedHeaders=host, Signature=00")
		}
		w := httptest.NewRecorder()
		line := said(func(rep *reporter) { notEmulated{rep}.ServeHTTP(w, r) })
		body := w.Body.String()
		if w.Code != 400 || w.Header().Get("Content-Type") != c.content {
			t.Errorf("%s: %d %s, want 400 %s", c.service, w.Code, w.Header().Get("Content-Type"), c.content)
		}
		for _, want := range c.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %q in %q", c.service, want, body)
			}
		}
		if strings.Contains(c.content, "xml") && xml.Unmarshal(w.Body.Bytes(), new(struct{ XMLName xml.Name })) != nil {
			t.Errorf("%s: no XML: %s", c.service, body)
		}
		if strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "aws     ") {
			t.Errorf("%s: the console says %q, want one line", c.service, line)
		}
	}
	for header, value := range map[string]string{"Host": "evil.example", "Origin": "https://evil.example"} {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/", nil)
		r.Header.Set(header, value)
		if header == "Host" {
			r.Host = value
		}
		w := httptest.NewRecorder()
		if line := said(func(rep *reporter) { notEmulated{rep}.ServeHTTP(w, r) }); w.Code != 403 || line != "" {
			t.Errorf("a web page (%s) gets %d, and the console says %q", header, w.Code, line)
		}
	}
}

func TestPassIsAListOfServicesThatAreNotEmulated(t *testing.T) {
	for _, c := range []struct{ in, want, wrong string }{
		{"", "[]", ""},
		{"s3,dynamodb", "[s3 dynamodb]", ""},
		{" S3 ,cloudwatch-logs,s3", "[s3 cloudwatch_logs]", ""},
		{"s3,", "", "is not a list"},
		{"https://x", "", "is not a list"},
		{"ssm", "", "emulates it"},
		{"secrets-manager", "", "emulates it"},
	} {
		got, err := readPass(c.in)
		if c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) || c.wrong == "" && (err != nil || fmt.Sprint(got) != c.want) {
			t.Errorf("--pass %q: %v %v, want %s%s", c.in, got, err, c.want, c.wrong)
		}
	}
	for name, want := range map[string]string{
		"s3": "s3.eu-west-1.amazonaws.com", "eventbridge": "events.eu-west-1.amazonaws.com", "sesv2": "email.eu-west-1.amazonaws.com", "iam": "iam.amazonaws.com",
	} {
		if got := serviceHost(name, "eu-west-1"); got != want {
			t.Errorf("%s is at %s, want %s", name, got, want)
		}
	}
	if got := serviceHost("sqs", "cn-north-1"); got != "sqs.cn-north-1.amazonaws.com.cn" {
		t.Errorf("in China sqs is at %s", got)
	}
}

func TestFlagsSayWhatTheirValueLooksLike(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"dev", "--prot", "1"}, "middy dev: there is no such flag: --prot\n"},
		{[]string{"dev", "--timeout", "3", "./x"}, `invalid value "3" for flag --timeout: a duration has a unit; write 3s`},
		{[]string{"dev", "--timeout", "soon", "./x"}, "a duration has a unit, as 3s or 1m30s"},
		{[]string{"dev", "--port", "abc", "./x"}, `invalid value "abc" for flag --port: it is not a number`},
		{[]string{"dev", "--no-watch=x", "./x"}, "for flag --no-watch: it is true or false"},
		{[]string{"dev", "--env", "FOO", "./x"}, `variable FOO has no "="`},
		{[]string{"dev", "--region", "Europe", "./x"}, `--region "Europe" is not a region`},
		{[]string{"dev", "--concurrency", "0", "./x"}, "--concurrency 0 is not between 1 and 1000"},
		{[]string{"dev", "--pass", "sts", "./x"}, "--pass sts: middy dev emulates it"},
		{[]string{"invoke", "--path", "/x"}, "are for --template"},
	} {
		if r := run(t, c.args...); r.code == exitOK || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%v: exit code %d, stderr %q, want %q", c.args, r.code, r.stderr, c.want)
		}
	}
}

func TestOnlyAbandonedDirectoriesAreSwept(t *testing.T) {
	parent := t.TempDir()
	t.Setenv("TMPDIR", parent)
	held, err := newTempDir("dev")
	if err != nil {
		t.Fatal(err)
	}
	left, err := newTempDir("iam")
	if err != nil {
		t.Fatal(err)
	}
	sealed := filepath.Join(left.path, "task")
	if err := os.MkdirAll(filepath.Join(sealed, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := readOnly(sealed); err != nil {
		t.Fatal(err)
	}
	left.lock.Close() // its process has ended
	stranger := filepath.Join(parent, "middy-dev-notes")
	if err := os.Mkdir(stranger, 0o700); err != nil {
		t.Fatal(err)
	}
	sweep(parent)
	for path, want := range map[string]bool{held.path: true, stranger: true, left.path: false} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", filepath.Base(path), err == nil, want)
		}
	}
	held.remove()
	if _, err := os.Stat(held.path); err == nil {
		t.Error("a directory stays after remove")
	}
}

func TestWhatIsDeployedBesideTheBinary(t *testing.T) {
	dir, task := t.TempDir(), t.TempDir()
	for _, name := range []string{
		"main.go", "asm.s", "go.mod", "seed.yaml", ".env", "vars", "page.html", "sub/data.bin", "sub/.hidden", "_old/x", "testdata/x", "nested/go.mod", "nested/x.txt",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "page.html"), filepath.Join(dir, "link.html")); err != nil {
		t.Fatal(err)
	}
	if err := copyTask(dir, task, []string{filepath.Join(dir, "vars")}); err != nil {
		t.Fatal(err)
	}
	before := list(task)
	var names []string
	for path := range before {
		rel, _ := filepath.Rel(task, path)
		names = append(names, rel)
	}
	slices.Sort(names)
	if got := fmt.Sprint(names); got != "[link.html page.html sub sub/data.bin]" {
		t.Errorf("%s", got)
	}
	one, err := fingerprint(task)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(task, "notes.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := before.written(task, list(task)); fmt.Sprint(got) != "[notes.db]" {
		t.Errorf("written: %v", got)
	}
	if two, err := fingerprint(task); err != nil || one == two {
		t.Errorf("another file, and the same fingerprint: %v", err)
	}
	big, err := os.Create(filepath.Join(dir, "big.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := big.Truncate(maxTask + 1); err != nil { // sparse
		t.Fatal(err)
	}
	big.Close()
	if err := copyTask(dir, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "more than 250 MB") {
		t.Errorf("a folder that Lambda does not take: %v", err)
	}
}

func TestAnEnvFileIsForOtherProgramsToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte("P=1\nPORT=3000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var warnings []string
	env, err := functionEnv(path, []string{"LEVEL=debug"}, func(text string) { warnings = append(warnings, text) })
	if err != nil || fmt.Sprint(env) != "[PORT=3000 LEVEL=debug]" || len(warnings) != 1 || !strings.Contains(warnings[0], `left out: variable "P"`) {
		t.Errorf("%v %v %v", env, err, warnings)
	}
	if _, err := functionEnv("", []string{"P=1"}, nil); err == nil {
		t.Error("the same name on the command line is taken")
	}
}

func TestDoctorLooksAtTheBinary(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if f := checkLinkage(self); f.Verdict == "fail" || f.Text == "" {
		t.Errorf("%+v", f)
	}
	if shell := "/bin/sh"; os.PathSeparator == '/' {
		f := checkLinkage(shell)
		if f.Verdict == "warn" && (!strings.Contains(f.Advice, "CGO_ENABLED=0") || !strings.Contains(f.Text, "dynamically")) {
			t.Errorf("%+v", f)
		}
	}
	if f := checkLinkage("ui.go"); f.Verdict != "ok" || !strings.Contains(f.Text, "GOOS=linux") {
		t.Errorf("what is no binary of Linux: %+v", f)
	}
}

func TestALenientResultSaysWhatToSet(t *testing.T) {
	if got := doubt(fmt.Errorf("frontdoor: the function's result was read leniently: the body is sent as base64: the client's first Accept type is not one of the API's binary media types")); !strings.HasSuffix(got, ": start with --binary '*/*', and set binaryMediaTypes on the API") || strings.Contains(got, "leniently") {
		t.Errorf("%s", got)
	}
}

func TestTheEndSaysWhoWaited(t *testing.T) {
	for waited, want := range map[int64]string{0: "200 1.0 ms\n", 3e6: "200 1.0 ms\n", 25e8: "200 1.0 ms, waited 2.5 s for a sandbox\n"} {
		got := said(func(r *reporter) {
			r.answered("GET /", &runtimeapi.Response{RequestID: "12345678", Payload: []byte(`{"statusCode":200}`), Duration: 1e6, Waited: time.Duration(waited)})
		})
		if !strings.HasSuffix(got, want) {
			t.Errorf("after %d ns: %q, want %q", waited, got, want)
		}
	}
}
