package emulator_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/emulatortest"
)

type adminCall struct {
	t      *testing.T
	e      *emulatortest.Emulator
	change func(*http.Request)
}

// do calls the admin API and decodes the answer into out, if it is not nil.
func (a adminCall) do(method, path, body string, out any) int {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.e.URL()+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("X-Middy-Token", a.e.AdminToken())
	if a.change != nil {
		a.change(r)
	}
	defer http.DefaultClient.CloseIdleConnections()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			a.t.Fatalf("%s %s answered %s: %v", method, path, text, err)
		}
	}
	return resp.StatusCode
}

func TestAdminIsGuarded(t *testing.T) {
	e := start(t)
	for name, tc := range map[string]struct {
		change func(*http.Request)
		path   string
		status int
	}{
		"with the token":            {func(*http.Request) {}, "/_middy/clock", 200},
		"without a token":           {func(r *http.Request) { r.Header.Del("X-Middy-Token") }, "/_middy/clock", 401},
		"with a wrong token":        {func(r *http.Request) { r.Header.Set("X-Middy-Token", e.AdminToken()+"x") }, "/_middy/clock", 401},
		"health needs no token":     {func(r *http.Request) { r.Header.Del("X-Middy-Token") }, "/_middy/health", 200},
		"foreign Host":              {func(r *http.Request) { r.Host = "evil.example" }, "/_middy/clock", 403},
		"foreign Host with a port":  {func(r *http.Request) { r.Host = "127.0.0.1.evil.example:80" }, "/_middy/clock", 403},
		"localhost":                 {func(r *http.Request) { r.Host = "localhost:1" }, "/_middy/clock", 200},
		"foreign Origin":            {func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, "/_middy/clock", 403},
		"opaque Origin":             {func(r *http.Request) { r.Header.Set("Origin", "null") }, "/_middy/clock", 403},
		"own Origin":                {func(r *http.Request) { r.Header.Set("Origin", e.URL()) }, "/_middy/clock", 200},
		"foreign Origin, AWS's API": {func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, "/", 403},
		"foreign Host, AWS's API":   {func(r *http.Request) { r.Host = "evil.example" }, "/", 403},
		"no such call":              {func(*http.Request) {}, "/_middy/nothing", 404},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (adminCall{t, e, tc.change}).do("GET", tc.path, "", nil); got != tc.status {
				t.Errorf("status %d, want %d", got, tc.status)
			}
		})
	}
}

func TestAdminClock(t *testing.T) {
	e := start(t)
	a := adminCall{t: t, e: e}
	var got struct{ Offset, DateOffset, Window string }
	for _, tc := range []struct{ body, offset, date, window string }{
		{`{"step":"10m"}`, "10m0s", "0s", "0s"},
		{`{"freeze":"5m","window":"2s"}`, "15m0s", "-5m0s", "2s"},
		{`{"offset":"1h","dateOffset":"0s"}`, "1h0m0s", "0s", "2s"},
		{`{"reset":true}`, "0s", "0s", "0s"},
	} {
		if status := a.do("POST", "/_middy/clock", tc.body, &got); status != 200 || got.Offset != tc.offset || got.DateOffset != tc.date || got.Window != tc.window {
			t.Errorf("%s: %d %+v", tc.body, status, got)
		}
	}
	for _, body := range []string{`{"step":"soon"}`, `{"step":5}`, `{"leap":"1s"}`, `{`, `{} {}`} {
		var answer struct{ Error string }
		if status := a.do("POST", "/_middy/clock", body, &answer); status != 400 || answer.Error == "" {
			t.Errorf("%s: %d %q", body, status, answer.Error)
		}
	}
}

func TestAdminChaosAndRequests(t *testing.T) {
	e := start(t)
	a := adminCall{t: t, e: e}
	var made struct{ ID int }
	if status := a.do("POST", "/_middy/chaos", `{"effect":"latency","operation":"GetSecretValue","delay":"1ms","times":1}`, &made); status != 201 || made.ID == 0 {
		t.Fatalf("add: %d %+v", status, made)
	}
	if err := get(t.Context(), client(e)); err != nil {
		t.Fatal(err)
	}
	var rules []emulator.InForce
	a.do("GET", "/_middy/chaos", "", &rules)
	if len(rules) != 1 || rules[0].Hits != 1 || rules[0].Rule.Delay.String() != "1ms" || rules[0].Rule.Effect != emulator.Latency {
		t.Errorf("rules %+v", rules)
	}
	var records []map[string]any
	a.do("GET", "/_middy/requests", "", &records)
	if len(records) != 1 || records[0]["operation"] != "GetSecretValue" || records[0]["status"] != 200.0 {
		t.Errorf("records %v", records)
	}
	for _, tc := range []struct {
		method, path, body string
		status             int
	}{
		{"DELETE", "/_middy/chaos/1", "", 204},
		{"DELETE", "/_middy/chaos/1", "", 404},
		{"DELETE", "/_middy/chaos/x", "", 404},
		{"DELETE", "/_middy/chaos", "", 204},
		{"DELETE", "/_middy/requests", "", 204},
		{"POST", "/_middy/chaos", `{"effect":"fire"}`, 400},
		{"POST", "/_middy/chaos", `{"effect":"latency","delay":"long"}`, 400},
		{"POST", "/_middy/credentials/expire", `{"accessKeyId":"nobody"}`, 404},
		{"POST", "/_middy/credentials/expire", `{"accessKeyId":"` + e.Session().AccessKeyID + `"}`, 204},
	} {
		if got := a.do(tc.method, tc.path, tc.body, nil); got != tc.status {
			t.Errorf("%s %s %s: %d, want %d", tc.method, tc.path, tc.body, got, tc.status)
		}
	}
	if n := len(e.Requests()); n != 0 {
		t.Errorf("%d requests after they were forgotten", n)
	}
	if err := get(t.Context(), client(e)); codeOf(err) != "ExpiredTokenException" {
		t.Errorf("after expiry: %v", err)
	}
}

// TestNothingShowsASecret greps everything that the emulator tells about itself.
func TestNothingShowsASecret(t *testing.T) {
	var log strings.Builder
	e := startLogged(t, &log)
	if err := get(t.Context(), client(e)); err != nil {
		t.Fatal(err)
	}
	e.Clock().Step(1 << 40)
	_ = get(t.Context(), client(e))
	var records json.RawMessage
	adminCall{t: t, e: e}.do("GET", "/_middy/requests", "", &records)
	k := e.Session()
	shown := log.String() + string(records) + printAll(t, e.Requests(), k, e.Credentials().Root())
	for name, secret := range map[string]string{"value": "canary-value", "secret key": k.SecretAccessKey, "token": k.SessionToken, "root's key": e.Credentials().Root().SecretAccessKey} {
		if strings.Contains(shown, secret) {
			t.Errorf("the %s is shown", name)
		}
	}
	if !strings.Contains(log.String(), "refused") {
		t.Error("nothing was logged: this test proves nothing")
	}
}
