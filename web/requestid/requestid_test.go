package requestid

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/gomiddy/middy/web"
)

// serve returns the id that the handler sees and that the client gets.
func serve(cfg Config, ctx context.Context, header http.Header) (seen, sent string) {
	r := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
	r.Header = header
	w := httptest.NewRecorder()
	New(cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen, _ = FromContext(r.Context()) })).ServeHTTP(w, r)
	return seen, w.Header().Get("X-Request-Id")
}

func TestTheFirstWellFormedIdCounts(t *testing.T) {
	made := func() string { return "made" }
	invocation := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "c0ffee-1"})
	long := strings.Repeat("a", 128)
	for _, c := range []struct {
		rule   string
		cfg    Config
		ctx    context.Context
		header string
		want   string
	}{
		{"the client's", Config{}, invocation, "abc-1_2.3:4=+/@Z", "abc-1_2.3:4=+/@Z"},
		{"as long as allowed", Config{}, invocation, long, long},
		{"too long", Config{}, invocation, long + "a", "c0ffee-1"},
		{"a shorter limit", Config{MaxLength: 2}, t.Context(), "abc", "made"},
		{"a line end", Config{}, invocation, "a\nb", "c0ffee-1"},
		{"a quote", Config{}, invocation, `a"b`, "c0ffee-1"},
		{"a space", Config{}, invocation, "a b", "c0ffee-1"},
		{"not ASCII", Config{}, invocation, "ä", "c0ffee-1"},
		{"the client is ignored", Config{IgnoreClient: true}, invocation, "abc", "c0ffee-1"},
		{"the invocation's", Config{}, invocation, "", "c0ffee-1"},
		{"none", Config{}, t.Context(), "", "made"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			c.cfg.Generate = made
			seen, sent := serve(c.cfg, c.ctx, http.Header{"X-Request-Id": {c.header}})
			if seen != c.want || sent != c.want {
				t.Errorf("saw %q, sent %q, want %q", seen, sent, c.want)
			}
		})
	}
}

func TestTwoIdsAreNone(t *testing.T) {
	seen, _ := serve(Config{Generate: func() string { return "made" }}, t.Context(), http.Header{"X-Request-Id": {"a", "b"}})
	if seen != "made" {
		t.Errorf("saw %q, want made", seen)
	}
}

func TestTheFrontDoorsIdComesBeforeTheInvocations(t *testing.T) {
	var e web.Request
	if err := json.Unmarshal([]byte(`{"httpMethod":"GET","path":"/","requestContext":{"requestId":"JKJaXmPLvHcESHA="}}`), &e); err != nil {
		t.Fatal(err)
	}
	h := New(Config{})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "c0ffee"})
	resp, err := web.Handler(h)(ctx, e)
	if err != nil || resp.Header.Get("X-Request-Id") != "JKJaXmPLvHcESHA=" {
		t.Errorf("got %v, %v", resp.Header, err)
	}
}

func TestAnIdOfOnesOwnIsWellFormedAndNew(t *testing.T) {
	a, _ := serve(Config{}, t.Context(), http.Header{})
	b, _ := serve(Config{}, t.Context(), http.Header{})
	if c := (&Config{MaxLength: 26}); a == b || !c.wellFormed(a) || !c.wellFormed(b) {
		t.Errorf("got %q and %q", a, b)
	}
}

func TestHeaders(t *testing.T) {
	if _, sent := serve(Config{OmitResponse: true}, t.Context(), http.Header{}); sent != "" {
		t.Errorf("sent %q", sent)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Correlation-Id", "abc")
	w := httptest.NewRecorder()
	New(Config{Header: "x-correlation-id"})(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Header().Get("X-Correlation-Id") != "abc" {
		t.Errorf("got %v", w.Header())
	}
}

func TestAttr(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, nil))
	log.Info("m", Attr(t.Context()))
	log.Info("m", Attr(context.WithValue(t.Context(), key{}, "abc")))
	lines := strings.Split(b.String(), "\n")
	if strings.Contains(lines[0], "requestId") || !strings.HasSuffix(lines[1], "requestId=abc") {
		t.Errorf("got %q", lines)
	}
}

func TestValidate(t *testing.T) {
	if (Config{Header: "a b"}).Validate() == nil || (Config{Header: ":a"}).Validate() == nil || (Config{Header: "X_id-1"}).Validate() != nil || (Config{}).Validate() != nil {
		t.Error("Header")
	}
	defer func() {
		if recover() == nil {
			t.Error("New took a bad Config")
		}
	}()
	New(Config{Header: "a:b"})
}

func FuzzId(f *testing.F) {
	f.Add("abc\n")
	f.Add("JKJaXmPLvHcESHA=")
	f.Fuzz(func(t *testing.T, id string) {
		seen, sent := serve(Config{}, t.Context(), http.Header{"X-Request-Id": {id}})
		if seen == "" || seen != sent || len(seen) > 128 || strings.ContainsAny(seen, "\r\n\" \x00") {
			t.Fatalf("%q: saw %q, sent %q", id, seen, sent)
		}
	})
}
