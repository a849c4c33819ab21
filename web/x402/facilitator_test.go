package x402

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestHTTPFacilitator(t *testing.T) {
	payment := Payment{Version: 2, Payload: json.RawMessage(`{"x402Version":2}`), Requirements: json.RawMessage(`{"amount":"5"}`)}
	for _, c := range []struct {
		rule   string
		status int
		body   string
		verify any // a Verification or an error
		settle any
	}{
		{"yes", 200, `{"isValid":true,"payer":"0x1","success":true,"transaction":"0x2","network":"n","errorMessage":"secret","invalidMessage":"secret"}`,
			Verification{IsValid: true, Payer: "0x1"}, Settlement{Success: true, Payer: "0x1", Transaction: "0x2", Network: "n"}},
		{"no", 200, `{"isValid":false,"invalidReason":"r","success":false,"errorReason":"s"}`, Verification{InvalidReason: "r"}, Settlement{ErrorReason: "s"}},
		{"no, with a status", 400, `{"isValid":false,"invalidReason":"r","success":false,"errorReason":"s","transaction":"0x2"}`,
			&Rejection{Reason: "r"}, &Rejection{Reason: "s", Transaction: "0x2"}},
		{"a yes with an error status is no yes", 500, `{"isValid":true,"success":true}`, &Rejection{}, &Rejection{}},
		{"unavailable", 503, `try again`, "HTTP 503", "HTTP 503"},
		{"too many requests", 429, ``, "HTTP 429", "HTTP 429"},
		{"a proxy's page", 200, `<html>`, ErrBadAnswer, ErrBadAnswer},
		{"no verdict", 200, `{}`, ErrBadAnswer, ErrBadAnswer},
		{"null", 200, `null`, ErrBadAnswer, ErrBadAnswer},
		{"a verdict that is a string", 200, `{"isValid":"true","success":"true"}`, ErrBadAnswer, ErrBadAnswer},
		{"a verdict that is null", 200, `{"isValid":null,"success":null}`, ErrBadAnswer, ErrBadAnswer},
		{"unauthorized", 401, `{"error":"x"}`, ErrBadAnswer, ErrBadAnswer},
		{"64 KiB", 200, `{"isValid":true,"success":true}` + strings.Repeat(" ", 65536-31), Verification{IsValid: true}, Settlement{Success: true}},
		{"64 KiB and a byte", 200, `{"isValid":true,"success":true}` + strings.Repeat(" ", 65537-31), ErrBadAnswer, ErrBadAnswer},
		{"a redirect", 302, ``, ErrBadAnswer, ErrBadAnswer},
	} {
		t.Run(c.rule, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if want := `{"x402Version":2,"paymentPayload":{"x402Version":2},"paymentRequirements":{"amount":"5"}}`; r.Method != "POST" || string(body) != want || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "Bearer k" {
					t.Errorf("%s %s %v", r.Method, body, r.Header)
				}
				if r.URL.Path != "/f/verify" && r.URL.Path != "/f/settle" {
					t.Errorf("asked %s", r.URL)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			}))
			defer srv.Close()
			f := HTTPFacilitator{URL: srv.URL + "/f/", AllowLoopbackHTTP: true, Authorize: func(r *http.Request) error {
				r.Header.Set("Authorization", "Bearer k")
				return nil
			}}
			if err := f.Validate(); err != nil {
				t.Fatal(err)
			}
			v, err := f.Verify(t.Context(), payment)
			compare(t, "verify", v, err, c.verify)
			s, err := f.Settle(t.Context(), payment)
			compare(t, "settle", s, err, c.settle)
		})
	}
}

func compare(t *testing.T, what string, got any, err error, want any) {
	t.Helper()
	ok := false
	switch want := want.(type) {
	case *Rejection:
		e, is := errors.AsType[*Rejection](err)
		ok = is && *e == *want
	case error:
		ok = errors.Is(err, want)
	case string:
		ok = err != nil && strings.Contains(err.Error(), want) && !errors.Is(err, ErrBadAnswer)
	default:
		ok = err == nil && reflect.DeepEqual(got, want)
	}
	if !ok {
		t.Errorf("%s: got %+v, %v; want %v", what, got, err, want)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAFacilitatorHasATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f := HTTPFacilitator{Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.String() != "https://x402.org/facilitator/verify" {
				t.Errorf("asked %s", r.URL)
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}}
		if _, err := f.Verify(t.Context(), Payment{}); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

func TestCredentialsThatCannotBeHad(t *testing.T) {
	f := HTTPFacilitator{Authorize: func(*http.Request) error { return errors.New("no key") }}
	if _, err := f.Settle(t.Context(), Payment{}); err == nil || !strings.Contains(err.Error(), "no key") {
		t.Error(err)
	}
}

func TestAFacilitatorsURL(t *testing.T) {
	for url, ok := range map[string]bool{
		"": true, "https://a/b": true, "http://127.0.0.1:1": true, "http://localhost": true,
		"http://a": false, "http://10.0.0.1": false, "http://[::1]:1": true, "https://u:p@a": false, "https://a?q": false, "a": false, "https://%zz": false, "ftp://a": false,
	} {
		err := HTTPFacilitator{URL: url, AllowLoopbackHTTP: true}.Validate()
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), "u:p@") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestAFacilitatorsLimitsCannotBeSwitchedOff(t *testing.T) {
	for _, f := range []HTTPFacilitator{{MaxBytes: -1}, {Timeout: -1}} {
		if f.Validate() == nil {
			t.Errorf("%+v passed", f)
		}
	}
}

func TestARejectionSaysWhy(t *testing.T) {
	inner := errors.New("inner")
	e := &Rejection{Reason: "r", Err: inner}
	if e.Error() != "x402: the facilitator rejected the payment: r: inner" || !errors.Is(e, inner) {
		t.Error(e)
	}
}

// The middleware, a facilitator on the loopback, and its outage.
func TestEndToEnd(t *testing.T) {
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		io.WriteString(w, `{"isValid":true,"success":true,"transaction":"0x1","payer":"0x2"}`)
	}))
	mw := New(Config{Price: "0.001", PayTo: "p", Asset: "a", Facilitator: HTTPFacilitator{URL: srv.URL, AllowLoopbackHTTP: true}})
	got := serve(mw, paidWith("Payment-Signature", v2("1000", "a", "p")), func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, "handler")
		if p, ok := FromContext(r.Context()); !ok || p.Payer != "0x2" {
			t.Error("the payer is", p)
		}
		io.WriteString(w, "the goods")
	})
	if got.Code != 200 || got.Body.String() != "the goods" || strings.Join(asked, " ") != "/verify handler /settle" {
		t.Errorf("got %d %s, in the order %v", got.Code, got.Body, asked)
	}
	srv.Close()
	other := v2("1000", "a", "p")
	other["payload"] = map[string]any{"nonce": "2"}
	got = serve(mw, paidWith("Payment-Signature", other), respond(200, "the goods"))
	if got.Code != 503 || strings.Contains(got.Body.String(), "refused") || strings.Contains(got.Body.String(), "goods") {
		t.Errorf("got %d %s", got.Code, got.Body)
	}
}
