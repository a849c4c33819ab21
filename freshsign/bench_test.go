package freshsign

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// instant answers at once, so that what is measured is the SDK and what we add to it.
type instant struct{ header http.Header }

func (c instant) Do(r *http.Request) (*http.Response, error) {
	if t := httptrace.ContextClientTrace(r.Context()); t != nil && t.GotConn != nil {
		t.GotConn(httptrace.GotConnInfo{})
	}
	return &http.Response{StatusCode: 200, Header: c.header, Request: r, Body: io.NopCloser(strings.NewReader(okBody))}, nil
}

func benchClient(protect bool) *secretsmanager.Client {
	cfg := aws.Config{Region: "eu-central-1", Credentials: static(keyPair), HTTPClient: instant{http.Header{
		"Date": {time.Now().UTC().Format(http.TimeFormat)}, "Content-Type": {"application/x-amz-json-1.1"},
	}}}
	if protect {
		Apply(&cfg)
	}
	return secretsmanager.NewFromConfig(cfg)
}

func call1(tb testing.TB, c *secretsmanager.Client) {
	if _, err := c.GetSecretValue(context.Background(), getInput); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkOverhead runs the plain SDK and ours by turns, in one run, and reports the difference of the fastest turns:
// whatever else the machine does only ever makes one slower.
func BenchmarkOverhead(b *testing.B) {
	plain, ours := benchClient(false), benchClient(true)
	const batch = 32
	turn := func(c *secretsmanager.Client, best *time.Duration) {
		t := time.Now()
		for range batch {
			call1(b, c)
		}
		if d := time.Since(t) / batch; *best == 0 || d < *best {
			*best = d
		}
	}
	var p, o time.Duration
	for b.Loop() {
		turn(plain, &p)
		turn(ours, &o)
	}
	b.ReportMetric(float64(p), "plain-ns/call")
	b.ReportMetric(float64(o), "ours-ns/call")
	b.ReportMetric(float64(o-p), "overhead-ns/call")
	b.ReportMetric(float64(o)/float64(p), "ratio")
	b.ReportMetric(testing.AllocsPerRun(100, func() { call1(b, ours) })-testing.AllocsPerRun(100, func() { call1(b, plain) }), "overhead-allocs/call")
}

// BenchmarkRenew is what a signature costs that is renewed at the connection.
func BenchmarkRenew(b *testing.B) {
	g := newRig()
	g.wire.dial = func() error { g.clock.move(2*time.Second, 2*time.Second); return nil }
	c := g.client()
	b.ReportAllocs()
	for b.Loop() {
		call1(b, c)
	}
}

func TestACallCostsAtMostTwelveMoreAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	plain, ours := benchClient(false), benchClient(true)
	a := testing.AllocsPerRun(200, func() { call1(t, plain) })
	b := testing.AllocsPerRun(200, func() { call1(t, ours) })
	t.Logf("plain SDK %.0f, ours %.0f", a, b)
	if b-a > 12 {
		t.Errorf("%.0f more", b-a)
	}
}

func TestALookAllocatesNothing(t *testing.T) {
	e := newEngine(Config{})
	if n := testing.AllocsPerRun(100, func() { e.look(""); e.shift() }); n != 0 {
		t.Error(n)
	}
}
