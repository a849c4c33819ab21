package emulator_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gomiddy/middy/emulator"
	"github.com/gomiddy/middy/emulator/sts"
)

// FuzzHandler: whatever an unsigned request says, the answer is one of AWS's,
// in the protocol that was spoken, and never a success.
func FuzzHandler(f *testing.F) {
	f.Add("POST", "secretsmanager.GetSecretValue", "application/x-amz-json-1.1", "", `{"SecretId":"x"}`)
	f.Add("POST", "", "application/x-www-form-urlencoded", "", "Action=GetCallerIdentity&Version=2011-06-15")
	f.Add("GET", "", "", "Action=GetCallerIdentity&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/b/c/sts/aws4_request", "")
	f.Add("POST", "..", "application/x-www-form-urlencoded", "%zz", "Action=%zz")
	f.Fuzz(func(t *testing.T, method, target, contentType, query, body string) {
		srv := emulator.New(emulator.Config{})
		srv.Register(sts.New(sts.Config{Credentials: srv.Credentials()}))
		r := httptest.NewRequest("POST", "http://localhost/", strings.NewReader(body))
		r.Method, r.URL.RawQuery = method, query
		r.Header = http.Header{"Content-Type": {contentType}}
		if target != "" {
			r.Header.Set("X-Amz-Target", target)
		}
		w := httptest.NewRecorder()
		srv.Handler().ServeHTTP(w, r)
		if w.Code < 400 || w.Code >= 500 {
			t.Errorf("status %d", w.Code)
		}
		var ok bool
		if w.Header().Get("Content-Type") == "text/xml" {
			ok = xml.Unmarshal(w.Body.Bytes(), new(struct{ XMLName xml.Name })) == nil
		} else {
			ok = json.Valid(w.Body.Bytes())
		}
		if !ok {
			t.Errorf("not an answer: %s", w.Body)
		}
		if n := srv.InFlight(); n != 0 || len(srv.Requests()) != 1 {
			t.Errorf("%d in flight, %d recorded", n, len(srv.Requests()))
		}
	})
}

// FuzzRule: a rule that is read is written the same, and is valid or refused.
func FuzzRule(f *testing.F) {
	f.Add(`{"effect":"latency","delay":"1m30s","probability":0.5,"times":3,"skip":1,"service":"ssm"}`)
	f.Add(`{"effect":"fire","delay":"-1s"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var one, two emulator.Rule
		if json.Unmarshal([]byte(text), &one) != nil {
			return
		}
		out, err := json.Marshal(one)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &two); err != nil || one != two {
			t.Errorf("%+v became %+v: %v", one, two, err)
		}
		if one.Validate() == nil && one.Effect == "" {
			t.Errorf("%+v is valid", one)
		}
	})
}
