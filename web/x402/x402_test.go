package x402

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomiddy/middy/middytest"
	"github.com/gomiddy/middy/web"
)

// fake is a facilitator that says what a test wants, and counts.
type fake struct {
	mu                sync.Mutex
	verified          Verification
	verifyErr         error
	settled           Settlement
	settleErr         error
	verifies, settles int
	last              Payment
	onSettle          func(ctx context.Context)
}

func (f *fake) Verify(_ context.Context, p Payment) (Verification, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.verifies++
	f.last = p
	return f.verified, f.verifyErr
}

func (f *fake) Settle(ctx context.Context, p Payment) (Settlement, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settles++
	f.last = p
	if f.onSettle != nil {
		f.onSettle(ctx)
	}
	return f.settled, f.settleErr
}

func good() *fake {
	return &fake{verified: Verification{IsValid: true}, settled: Settlement{Success: true, Payer: "0xpayer", Transaction: "0xtx", Network: "eip155:8453"}}
}

func b64(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// object is JSON as a test writes it.
func object(t testing.TB, s string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v: %s", err, s)
	}
	return v
}

func unb64(t testing.TB, s string) any {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return object(t, string(b))
}

type answer struct {
	*httptest.ResponseRecorder
	err error
}

func serve(mw func(http.Handler) http.Handler, r *http.Request, h http.HandlerFunc) answer {
	var a answer
	r = r.WithContext(web.WithErrorWriter(r.Context(), func(w http.ResponseWriter, r *http.Request, err error) {
		a.err = err
		web.WriteProblem(w, r, err)
	}))
	a.ResponseRecorder = httptest.NewRecorder()
	mw(h).ServeHTTP(a, r)
	return a
}

func respond(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func paidWith(header string, payment any) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set(header, b64(payment))
	return r
}

func accepted(amount, asset, payTo string) map[string]any {
	return map[string]any{"scheme": "exact", "network": "eip155:8453", "amount": amount, "asset": asset, "payTo": payTo, "maxTimeoutSeconds": 60}
}

func v2(amount, asset, payTo string) map[string]any {
	return map[string]any{"x402Version": 2, "accepted": accepted(amount, asset, payTo), "payload": map[string]any{}}
}

const (
	reqV2  = `{"scheme":"exact","network":"eip155:8453","amount":"1000","asset":"0xasset","payTo":"0xpayto","maxTimeoutSeconds":60}`
	asksV1 = `{"x402Version":1,"error":"X-PAYMENT header is required","accepts":[{"scheme":"exact","network":"eip155:8453","maxAmountRequired":"1000","resource":"https://localhost/","description":"","mimeType":"application/json","outputSchema":{},"payTo":"0xpayto","maxTimeoutSeconds":60,"asset":"0xasset","extra":{}}]}`
)

// Middy's vectors.
func TestMiddysVectors(t *testing.T) {
	priced := Config{Price: FormatPrice(0.001), PayTo: "0xpayto", Asset: "0xasset"}
	five := Config{Amount: "5", PayTo: "p", Asset: "a"}
	only := func(c Config, versions ...int) Config { c.Versions = versions; return c }
	bad := accepted("999", "0xasset", "0xpayto")
	for _, c := range []struct {
		rule   string
		cfg    Config
		header string
		value  string
		h      http.HandlerFunc
		fac    *fake
		status int
		calls  [2]int
		hdr    map[string]string // decoded
		body   string            // JSON
		error  string            // of the body
	}{
		{rule: "challenge both", cfg: priced, status: 402,
			hdr:  map[string]string{"PAYMENT-REQUIRED": `{"x402Version":2,"error":"PAYMENT-SIGNATURE header is required","resource":{"url":"https://localhost/","description":"","mimeType":"application/json"},"accepts":[` + reqV2 + `]}`},
			body: asksV1},
		{rule: "v2 paid", cfg: priced, header: "PAYMENT-SIGNATURE", value: b64(v2("1000", "0xasset", "0xpayto")), fac: good(), status: 200, calls: [2]int{1, 1},
			hdr: map[string]string{"PAYMENT-RESPONSE": `{"success":true,"payer":"0xpayer","transaction":"0xtx","network":"eip155:8453"}`}},
		{rule: "v2 wrong amount", cfg: only(priced, 2), header: "payment-signature", value: b64(map[string]any{"x402Version": 2, "accepted": bad}), fac: good(), status: 402, error: "No matching payment requirements"},
		{rule: "v2 undecodable", cfg: five, header: "payment-signature", value: "not!!valid!!base64", status: 402, error: "Payment required"},
		{rule: "v2 wrong version", cfg: five, header: "payment-signature", value: b64(map[string]any{"x402Version": 1}), status: 402, error: "invalid_x402_version"},
		{rule: "verify false", cfg: five, header: "payment-signature", value: b64(v2("5", "a", "p")), fac: &fake{verified: Verification{InvalidReason: "insufficient_balance"}}, status: 402, calls: [2]int{1, 0}, error: "insufficient_balance"},
		{rule: "handler 400 not settled", cfg: five, header: "payment-signature", value: b64(v2("5", "a", "p")), h: respond(400, "bad"), fac: good(), status: 400, calls: [2]int{1, 0}},
		{rule: "settle fails, binary body replaced", cfg: five, header: "payment-signature", value: b64(v2("5", "a", "p")), h: respond(200, "\x00\x01\x02"), fac: &fake{verified: Verification{IsValid: true}, settled: Settlement{ErrorReason: "insufficient_funds"}}, status: 402, calls: [2]int{1, 1},
			hdr: map[string]string{"PAYMENT-RESPONSE": `{"success":false,"errorReason":"insufficient_funds","transaction":""}`}, body: `{"x402Version":2,"error":"insufficient_funds"}`},
		{rule: "settle throws", cfg: five, header: "payment-signature", value: b64(v2("5", "a", "p")), fac: &fake{verified: Verification{IsValid: true}, settleErr: &Rejection{Reason: "settlement_pending", Transaction: "0xabc", Err: errors.New("secret")}}, status: 402, calls: [2]int{1, 1},
			hdr: map[string]string{"PAYMENT-RESPONSE": `{"success":false,"errorReason":"settlement_pending","transaction":"0xabc","network":"eip155:8453"}`}, body: `{"x402Version":2,"error":"settlement_pending"}`},
		{rule: "v1 paid", cfg: priced, header: "X-Payment", value: b64(map[string]any{"x402Version": 1, "scheme": "exact", "network": "eip155:8453", "payload": map[string]any{}}), fac: &fake{verified: Verification{IsValid: true}, settled: Settlement{Success: true, Transaction: "0xtx"}}, status: 200, calls: [2]int{1, 1},
			hdr: map[string]string{"X-PAYMENT-RESPONSE": `{"success":true,"transaction":"0xtx"}`}},
		{rule: "versions [2] ignores X-PAYMENT", cfg: only(five, 2), header: "x-payment", value: b64(map[string]any{"x402Version": 1, "scheme": "exact", "network": "eip155:8453"}), status: 402, error: "PAYMENT-SIGNATURE header is required"},
		// "undefined result is served as 500 unsettled": a Go handler that fails says so.
		{rule: "a 500 is not settled", cfg: five, header: "payment-signature", value: b64(v2("5", "a", "p")), h: respond(500, ""), fac: good(), status: 500, calls: [2]int{1, 0}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			fac := c.fac
			if fac == nil {
				fac = good()
			}
			c.cfg.Facilitator = fac
			r := httptest.NewRequest("GET", "/", nil)
			if c.header != "" {
				r.Header.Set(c.header, c.value)
			}
			if c.h == nil {
				c.h = respond(200, "ok")
			}
			got := serve(New(c.cfg), r, c.h)
			if got.Code != c.status || [2]int{fac.verifies, fac.settles} != c.calls {
				t.Fatalf("got %d, %d verifies and %d settles: %s", got.Code, fac.verifies, fac.settles, got.Body)
			}
			for name, want := range c.hdr {
				if have := unb64(t, got.Header().Get(name)); !reflect.DeepEqual(have, object(t, want)) {
					t.Errorf("%s: got %v", name, have)
				}
			}
			if c.body != "" && got.Body.String() != c.body {
				t.Errorf("body\n got %s\nwant %s", got.Body, c.body)
			}
			if c.error != "" && object(t, got.Body.String()).(map[string]any)["error"] != c.error {
				t.Errorf("body %s", got.Body)
			}
			if c.status == 402 && (got.Header().Get("Content-Type") != "application/json" || got.Header().Get("Content-Length") != "") {
				t.Errorf("header %v", got.Header())
			}
			if c.status == 200 && got.Body.String() != "ok" {
				t.Errorf("body %s", got.Body)
			}
			if strings.Contains(fmt.Sprint(got.Header(), got.Body), "secret") {
				t.Error("the facilitator's message is in the answer")
			}
		})
	}
}

func TestTheResourceComesFromTheFrontDoor(t *testing.T) {
	mw := New(Config{Price: "1", PayTo: "p", Asset: "a", Versions: []int{1}, Facilitator: good()})
	h := web.Handler(mw(respond(200, "ok")))
	for rule, c := range map[string]struct{ event, want string }{
		"REST API: requestContext, not Host, not path": {
			`{"httpMethod":"GET","resource":"/{p+}","path":"/spoof","headers":{"Host":"attacker"},"multiValueHeaders":{"Host":["attacker"]},"requestContext":{"resourcePath":"/{p+}","httpMethod":"GET","domainName":"api.example.com","path":"/api/data","stage":"prod","identity":{"sourceIp":"1.2.3.4"}}}`,
			"https://api.example.com/api/data"},
		"API 2.0": {
			`{"version":"2.0","rawPath":"/spoof","headers":{"host":"attacker"},"requestContext":{"domainName":"api.example.com","http":{"method":"GET","path":"/api/data"}}}`,
			"https://api.example.com/api/data"},
		"API 2.0 without a domain": {
			`{"version":"2.0","rawPath":"/spoof","headers":{"host":"attacker"},"requestContext":{"http":{"method":"GET","path":""}}}`,
			"https://localhost/"},
	} {
		got := string(middytest.Respond(t, h, []byte(c.event)))
		if !strings.Contains(got, c.want) || strings.Contains(got, "attacker") || strings.Contains(got, "spoof") {
			t.Errorf("%s: got %s", rule, got)
		}
	}
	// Outside Lambda.
	for base, want := range map[string]string{"": "https://localhost/a%20b", "https://api.example.com/v1/": "https://api.example.com/v1/a%20b"} {
		cfg := Config{Price: "1", PayTo: "p", Asset: "a", Versions: []int{1}, Facilitator: good(), BaseURL: base}
		r := httptest.NewRequest("GET", "http://attacker/a%20b?q", nil)
		if got := serve(New(cfg), r, respond(200, "")); !strings.Contains(got.Body.String(), `"resource":"`+want+`"`) {
			t.Errorf("%q: %s", base, got.Body)
		}
	}
}

func TestAmount(t *testing.T) {
	for _, c := range []struct {
		price    string
		decimals int
		want     string // "" is an error
	}{
		{"0.001", 6, "1000"},
		{"1.000000000000000001", 18, "1000000000000000001"},
		{FormatPrice(1e-7), 18, "100000000000"},
		{FormatPrice(1.5e-7), 18, "150000000000"},
		{FormatPrice(1e21), 0, "1000000000000000000000"},
		{".5", 6, "500000"},
		{"007", 6, "7000000"},
		{"0", 6, "0"},
		{"0.0", 6, "0"},
		{strings.Repeat("9", 100), 2, strings.Repeat("9", 100) + "00"},
		{"0.0000001", 6, ""},
		{"1e2", 6, ""},
		{"1.5abc", 6, ""},
		{"5.", 6, ""},
		{".", 6, ""},
		{"", 6, ""},
		{"-1", 6, ""},
		{"+1", 6, ""},
		{"1.2.3", 6, ""},
		{" 1", 6, ""},
		{"1,5", 6, ""},
		{"٣", 6, ""},
		{"0x10", 6, ""},
		{"1_000", 6, ""},
		{FormatPrice(-1), 6, ""},
		{"1", -1, ""},
	} {
		got, err := Amount(c.price, c.decimals)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q with %d decimals: got %q, %v", c.price, c.decimals, got, err)
		}
	}
}

func TestValidate(t *testing.T) {
	ok := Config{Price: "1", PayTo: "p", Asset: "a"}
	for _, c := range []struct {
		change func(*Config)
		want   string // "" is valid
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.Amount, c.Price = "007", "" }, ""},
		{func(c *Config) { c.Decimals, c.Price = -1, "3" }, ""},
		{func(c *Config) { c.Extra = map[string]any{"name": "USDC"} }, ""},
		{func(c *Config) { c.BaseURL = "https://a/b" }, ""},
		{func(c *Config) { c.PayTo = "" }, "PayTo and Asset"},
		{func(c *Config) { c.Asset = "" }, "PayTo and Asset"},
		{func(c *Config) { c.Price = "" }, "set Price or Amount"},
		{func(c *Config) { c.Price = "1e2" }, "non-negative decimal"},
		{func(c *Config) { c.Decimals, c.Price = -1, "0.1" }, "more fractional digits than decimals (0)"},
		{func(c *Config) { c.Amount = "1.5" }, "non-negative integer"},
		{func(c *Config) { c.Amount = "-1" }, "non-negative integer"},
		{func(c *Config) { c.Versions = []int{3} }, "versions must enable"},
		{func(c *Config) { c.Extra = map[string]any{"paymentFlow": nil} }, "extra.paymentFlow"},
		{func(c *Config) { c.Extra = map[string]any{"assetTransferMethod": "x"} }, "extra.assetTransferMethod"},
		{func(c *Config) { c.Extra = map[string]any{"f": func() {}} }, "not JSON"},
		{func(c *Config) { c.FacilitatorURL = "http://example.com" }, "must be https"},
		{func(c *Config) { c.FacilitatorURL = "/relative" }, "absolute"},
		{func(c *Config) { c.Facilitator = HTTPFacilitator{URL: "http://127.0.0.1"} }, "must be https"},
		{func(c *Config) { c.Facilitator = HTTPFacilitator{URL: "http://127.0.0.1", AllowLoopbackHTTP: true} }, ""},
		{func(c *Config) { c.Facilitator = good() }, ""},
		{func(c *Config) { c.BaseURL = "example.com" }, "BaseURL"},
		{func(c *Config) { c.Timeout = -1 }, "Timeout"},
	} {
		cfg := ok
		c.change(&cfg)
		err := cfg.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("New did not panic")
		}
	}()
	New(Config{})
}

func TestTheConfigIsCopied(t *testing.T) {
	cfg := Config{Price: "1", PayTo: "p", Asset: "a", Versions: []int{1}, Extra: map[string]any{"name": "USDC"}, Facilitator: good()}
	mw := New(cfg)
	cfg.Versions[0], cfg.Extra["name"] = 2, "changed"
	got := serve(mw, httptest.NewRequest("GET", "/", nil), respond(200, ""))
	if !strings.Contains(got.Body.String(), `"extra":{"name":"USDC"}`) || got.Header().Get("Payment-Required") != "" {
		t.Errorf("%v %s", got.Header(), got.Body)
	}
}

func TestHumansDoNotPay(t *testing.T) {
	fac := good()
	cfg := Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac, Human: func(r *http.Request) bool { return r.Header.Get("Human") != "" }}
	r := paidWith("Payment-Signature", v2("5", "a", "p"))
	r.Header.Set("Human", "1")
	if got := serve(New(cfg), r, respond(200, "ok")); got.Code != 200 || fac.verifies+fac.settles != 0 {
		t.Error(got.Code, fac.verifies)
	}
	r.Header.Del("Human")
	if got := serve(New(cfg), r, respond(200, "ok")); got.Code != 200 || fac.verifies+fac.settles != 2 {
		t.Error(got.Code, fac.verifies)
	}
}

func TestWhatIsAcceptedMustBeWhatIsAsked(t *testing.T) {
	for name, value := range map[string]any{
		"scheme": "upto", "network": "eip155:1", "amount": 5, "asset": "A", "payTo": "q", "maxTimeoutSeconds": "60",
	} {
		payment := v2("5", "a", "p")
		payment["accepted"].(map[string]any)[name] = value
		fac := good()
		got := serve(New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac}), paidWith("Payment-Signature", payment), respond(200, "ok"))
		if got.Code != 402 || fac.verifies != 0 || !strings.Contains(got.Body.String(), "No matching payment requirements") {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
		if header := got.Header().Get("Payment-Required"); !reflect.DeepEqual(unb64(t, header), object(t, got.Body.String())) {
			t.Errorf("%s: the header is not the body: %s", name, header)
		}
	}
	payment := v2("5", "a", "p")
	payment["x402Version"], payment["accepted"].(map[string]any)["maxTimeoutSeconds"] = json.Number("2.0"), json.Number("6e1")
	payment["accepted"].(map[string]any)["extra"] = "not compared"
	if got := serve(New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: good()}), paidWith("Payment-Signature", payment), respond(200, "ok")); got.Code != 200 {
		t.Error("numbers are compared as text:", got.Code)
	}
	for name, payment := range map[string]map[string]any{
		"version":  {"x402Version": 2, "scheme": "exact", "network": "eip155:8453"},
		"scheme":   {"x402Version": 1, "scheme": "x", "network": "eip155:8453"},
		"network":  {"x402Version": 1, "scheme": "exact", "network": []any{"eip155:8453"}},
		"anything": {},
	} {
		got := serve(New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: good()}), paidWith("X-Payment", payment), respond(200, "ok"))
		if got.Code != 402 || got.Header().Get("Payment-Required") != "" || !strings.HasPrefix(got.Body.String(), `{"x402Version":1,"error":"`) {
			t.Errorf("v1 %s: %d %s", name, got.Code, got.Body)
		}
	}
}

func TestHostilePaymentHeaders(t *testing.T) {
	raw := base64.StdEncoding.EncodeToString
	for rule, c := range map[string]struct {
		value  string
		status int
	}{
		"null":                {raw([]byte("null")), 402},
		"a list":              {raw([]byte("[]")), 402},
		"a string":            {raw([]byte(`"x"`)), 402},
		"two objects":         {raw([]byte(`{"x402Version":2}{}`)), 402},
		"deep":                {raw([]byte(strings.Repeat(`{"a":`, 2000))), 402},
		"a huge number":       {raw([]byte(`{"x402Version":1e999}`)), 402},
		"spaces":              {"   ", 402},
		"as long as may be":   {strings.Repeat("A", 16384), 402},
		"too long":            {strings.Repeat("A", 16385), 431},
		"JavaScript's names":  {raw([]byte(`{"__proto__":{"x402Version":2}}`)), 402},
		"accepted is a list":  {raw([]byte(`{"x402Version":2,"accepted":[]}`)), 402},
		"accepted is missing": {raw([]byte(`{"x402Version":2}`)), 402},
	} {
		fac := good()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Payment-Signature", c.value)
		got := serve(New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac}), r, respond(200, "ok"))
		if got.Code != c.status || fac.verifies != 0 {
			t.Errorf("%s: %d %s", rule, got.Code, got.Body)
		}
	}
}

func TestTwoPaymentsAreNone(t *testing.T) {
	for _, name := range []string{"Payment-Signature", "X-Payment"} {
		fac := good()
		r := paidWith(name, v2("5", "a", "p"))
		r.Header.Add(name, r.Header.Get(name))
		if got := serve(New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac}), r, respond(200, "ok")); got.Code != 402 || fac.verifies != 0 {
			t.Errorf("%s: got %d after %d verifications", name, got.Code, fac.verifies)
		}
	}
}

// What of a payload is settled must not be the facilitator's choice: a client would vary
// the other one, and have the handler's work many times.
func TestAPayloadWithTwoPaymentsIsRefused(t *testing.T) {
	for rule, payload := range map[string]any{
		"a transaction and an authorization": map[string]any{"transaction": "AQ==", "authorization": map[string]any{"x": 1}},
		"two authorizations":                 map[string]any{"permit2Authorization": map[string]any{"from": "0x1", "nonce": "1"}, "authorization": map[string]any{"x": 1}},
		"a transaction in another case":      map[string]any{"Transaction": "AQ=="},
		"an authorization in another case":   map[string]any{"AUTHORIZATION": map[string]any{"from": "0x1", "nonce": "0x1"}},
		"a payer in another case":            map[string]any{"authorization": map[string]any{"From": "0x1", "nonce": "0x1"}},
		"a nonce in another case":            map[string]any{"authorization": map[string]any{"from": "0x1", "NONCE": "0x1"}},
	} {
		fac, p := good(), v2("5", "a", "p")
		p["payload"] = payload
		got := serve(New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac}), paidWith("Payment-Signature", p), respond(200, "ok"))
		if got.Code != 402 || !strings.Contains(got.Body.String(), "invalid_payload") || fac.verifies != 0 {
			t.Errorf("%s: got %d %s after %d verifications, want 402", rule, got.Code, got.Body, fac.verifies)
		}
	}
}

func TestAMemberThatComesTwiceIsRefused(t *testing.T) {
	want := string(text(accepted("5", "a", "p")))
	for rule, payment := range map[string]string{
		"twice":          `{"x402Version":2,"accepted":{"amount":"1"},"accepted":` + want + `}`,
		"twice by case":  `{"x402Version":2,"Accepted":{"amount":"1"},"accepted":` + want + `}`,
		"twice, deep":    `{"x402Version":2,"accepted":` + want + `,"payload":{"authorization":{"from":"0x1","nonce":"0x2","Nonce":"0x3"}}}`,
		"text behind it": `{"x402Version":2,"accepted":` + want + `} {}`,
	} {
		fac := good()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Payment-Signature", base64.RawStdEncoding.EncodeToString([]byte(payment)))
		if got := serve(New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac}), r, respond(200, "ok")); got.Code != 402 || fac.verifies != 0 {
			t.Errorf("%s: got %d after %d verifications", rule, got.Code, fac.verifies)
		}
	}
}

func TestAnOutageIsNoReasonToPayAgain(t *testing.T) {
	canary := errors.New("canary: dial tcp")
	cfg := func(f *fake) Config { return Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: f} }
	for _, c := range []struct {
		rule   string
		fac    *fake
		status int
	}{
		{"verify is down", &fake{verifyErr: canary}, 503},
		{"verify is nonsense", &fake{verifyErr: fmt.Errorf("%w: canary", ErrBadAnswer)}, 502},
		{"settle is down", &fake{verified: Verification{IsValid: true}, settleErr: canary}, 503},
		{"settle is nonsense", &fake{verified: Verification{IsValid: true}, settleErr: ErrBadAnswer}, 502},
	} {
		got := serve(New(cfg(c.fac)), paidWith("Payment-Signature", v2("5", "a", "p")), respond(200, "the goods"))
		all := fmt.Sprint(got.Header(), got.Body)
		if got.Code != c.status || strings.Contains(all, "canary") || strings.Contains(all, "goods") || got.Header().Get("Retry-After") == "" || got.err == nil {
			t.Errorf("%s: %d %s", c.rule, got.Code, all)
		}
		if c.fac.settles == 1 && !reflect.DeepEqual(unb64(t, got.Header().Get("Payment-Response")), object(t, `{"success":false,"errorReason":"unexpected_settle_error","transaction":"","network":"eip155:8453"}`)) {
			t.Errorf("%s: %s", c.rule, all)
		}
		// The same payment may be sent again.
		c.fac.verifyErr, c.fac.settleErr, c.fac.verified, c.fac.settled = nil, nil, Verification{IsValid: true}, Settlement{Success: true}
		if got := serve(New(cfg(c.fac)), paidWith("Payment-Signature", v2("5", "a", "p")), respond(200, "the goods")); got.Code != 200 {
			t.Errorf("%s, and then: %d", c.rule, got.Code)
		}
	}
}

func TestReasonsAreCodes(t *testing.T) {
	for reason, want := range map[string]string{
		"insufficient_funds":     "insufficient_funds",
		"eip155:8453.bad-nonce":  "eip155:8453.bad-nonce",
		"":                       "unexpected_verify_error",
		"secret <b>message</b>":  "unexpected_verify_error",
		"a\r\nSet-Cookie: x":     "unexpected_verify_error",
		strings.Repeat("a", 100): strings.Repeat("a", 100),
		"azAZ09_-.:":             "azAZ09_-.:",
		"`":                      "unexpected_verify_error",
		"{":                      "unexpected_verify_error",
		"@":                      "unexpected_verify_error",
		"[":                      "unexpected_verify_error",
		"/":                      "unexpected_verify_error",
		";":                      "unexpected_verify_error",
		strings.Repeat("a", 101): "unexpected_verify_error",
		"é":                      "unexpected_verify_error",
	} {
		for _, fac := range []*fake{{verified: Verification{InvalidReason: reason}}, {verifyErr: &Rejection{Reason: reason, Err: errors.New("secret")}}} {
			got := serve(New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac}), paidWith("Payment-Signature", v2("5", "a", "p")), respond(200, "ok"))
			if got.Code != 402 || object(t, got.Body.String()).(map[string]any)["error"] != want {
				t.Errorf("%q: %d %s", reason, got.Code, got.Body)
			}
		}
	}
}

func TestAResponseWaitsForItsSettlement(t *testing.T) {
	big := strings.Repeat("x", 1000)
	for _, c := range []struct {
		rule    string
		h       http.HandlerFunc
		settles int
		status  int
		body    string
	}{
		{"nothing written is a 200", func(http.ResponseWriter, *http.Request) {}, 1, 200, ""},
		{"a redirect is a success", respond(302, ""), 1, 302, ""},
		{"a large response", respond(200, big), 1, 200, big},
		{"a flushed one", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			io.WriteString(w, "b")
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
		}, 1, 200, "ab"},
		{"a flushed 404", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(404)
			w.(http.Flusher).Flush()
			io.WriteString(w, "b")
		}, 0, 404, "b"},
		{"an early hint is no response", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(103)
			w.WriteHeader(404)
		}, 0, 404, ""},
		{"a large 404", respond(404, big), 0, 404, big},
	} {
		t.Run(c.rule, func(t *testing.T) {
			fac := good()
			heard := 0
			cfg := Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac, MaxBuffer: 100, Settled: func(_ *http.Request, s Settlement) {
				if s.Transaction != "0xtx" {
					t.Error(s)
				}
				heard++
			}}
			srv := httptest.NewServer(New(cfg)(c.h))
			defer srv.Close()
			get := func() (*http.Response, string) {
				r, _ := http.NewRequest("GET", srv.URL, nil)
				r.Header.Set("Payment-Signature", b64(v2("5", "a", "p")))
				resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				b, _ := io.ReadAll(resp.Body)
				return resp, string(b)
			}
			resp, body := get()
			if resp.StatusCode != c.status || body != c.body || fac.settles != c.settles || heard != c.settles || (resp.Header.Get("Payment-Response") != "") != (c.settles == 1) {
				t.Fatalf("got %d %q, %d settles", resp.StatusCode, body, fac.settles)
			}
			// The same, when it cannot be settled: nothing of it gets out.
			fac.settled, fac.settleErr = Settlement{ErrorReason: "no"}, nil
			srv.Config.Handler = New(cfg)(c.h)
			resp, body = get()
			if c.settles == 1 && (resp.StatusCode != 402 || body != `{"x402Version":2,"error":"no"}`) {
				t.Fatalf("unsettled: got %d %q", resp.StatusCode, body)
			}
			if c.settles == 0 && resp.StatusCode != c.status {
				t.Fatalf("unsettled: got %d", resp.StatusCode)
			}
		})
	}
}

func TestWhatWaitsIsAMebibyte(t *testing.T) {
	for n, early := range map[int]bool{1 << 20: false, 1<<20 + 1: true} {
		fac := good()
		serve(New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac}), paidWith("Payment-Signature", v2("5", "a", "p")), func(w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, n))
			if (fac.settles == 1) != early {
				t.Errorf("%d bytes: %d settles before the handler returned", n, fac.settles)
			}
		})
		if fac.settles != 1 {
			t.Errorf("%d bytes: %d settles", n, fac.settles)
		}
	}
}

func TestACallOfTheFacilitatorHas10Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		mw := New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: stuck{}})
		if got := serve(mw, paidWith("Payment-Signature", v2("5", "a", "p")), respond(200, "ok")); got.Code != 503 || time.Since(begin) != 10*time.Second {
			t.Errorf("%d after %v", got.Code, time.Since(begin))
		}
	})
}

// stuck never answers.
type stuck struct{}

func (stuck) Verify(ctx context.Context, _ Payment) (Verification, error) {
	<-ctx.Done()
	return Verification{}, ctx.Err()
}

func (stuck) Settle(ctx context.Context, _ Payment) (Settlement, error) {
	<-ctx.Done()
	return Settlement{}, ctx.Err()
}

func TestAHandlerCannotGoAroundTheGate(t *testing.T) {
	fac := good()
	srv := httptest.NewServer(New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := http.NewResponseController(w).Hijack(); err == nil {
			t.Error("hijacked")
		}
		w.WriteHeader(403)
	})))
	defer srv.Close()
	r, _ := http.NewRequest("GET", srv.URL, nil)
	r.Header.Set("Payment-Signature", b64(v2("5", "a", "p")))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 403 || fac.settles != 0 {
		t.Error(resp.StatusCode, fac.settles)
	}
}

func TestAPanicIsNotCharged(t *testing.T) {
	fac := good()
	mw := New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac})
	r := paidWith("Payment-Signature", v2("5", "a", "p"))
	func() {
		defer func() {
			if recover() != "boom" {
				t.Error("the panic was swallowed")
			}
		}()
		serve(mw, r, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "half"); panic("boom") })
	}()
	if fac.settles != 0 {
		t.Error("settled")
	}
	if got := serve(mw, r, respond(200, "ok")); got.Code != 200 {
		t.Error("the payment is still held:", got.Code)
	}
}

func TestOnePaymentServesOneRequestAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fac := good()
		mw := New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac})
		payment := func(nonce, signature string) *http.Request {
			p := v2("5", "a", "p")
			p["payload"] = map[string]any{"authorization": map[string]any{"nonce": nonce}, "signature": signature}
			return paidWith("Payment-Signature", p)
		}
		var mu sync.Mutex
		codes := map[int]int{}
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				got := serve(mw, payment("1", fmt.Sprint("signature ", i)), func(w http.ResponseWriter, _ *http.Request) {
					time.Sleep(time.Second) // synthetic
					io.WriteString(w, "ok")
				})
				mu.Lock()
				defer mu.Unlock()
				codes[got.Code]++
			})
		}
		wg.Wait()
		if codes[200] != 1 || codes[409] != 9 || fac.settles != 1 {
			t.Errorf("%v, %d settles", codes, fac.settles)
		}
		if got := serve(mw, payment("1", "x"), respond(200, "ok")); got.Code != 402 || !strings.Contains(got.Body.String(), "payment_already_settled") {
			t.Errorf("a spent payment: %d %s", got.Code, got.Body)
		}
		if got := serve(mw, payment("2", "x"), respond(200, "ok")); got.Code != 200 {
			t.Errorf("another payment: %d", got.Code)
		}
		time.Sleep(maxTimeoutSeconds * time.Second)
		if got := serve(mw, payment("1", "x"), respond(200, "ok")); got.Code != 200 {
			t.Errorf("when it is over the facilitator decides: %d", got.Code)
		}
	})
}

func TestTheGuardForgets(t *testing.T) {
	var g guard
	now := time.Unix(1000, 0)
	id := func(i int) (id [32]byte) { id[0], id[1] = byte(i), byte(i>>8); return id }
	for i := range maxSpent {
		g.enter(id(i), now)
		g.leave(id(i), true, now)
	}
	if g.enter(id(1), now) != spent || len(g.spent) != 10_000 {
		t.Fatal(len(g.spent))
	}
	later := now.Add(maxTimeoutSeconds * time.Second)
	g.enter(id(maxSpent), later)
	g.leave(id(maxSpent), true, later)
	if len(g.spent) != 1 || len(g.held) != 0 {
		t.Fatalf("%d spent, %d held", len(g.spent), len(g.held))
	}
	for i := range maxSpent { // all of one moment: memory is bounded nevertheless
		g.leave(id(i), true, later)
	}
	if len(g.spent) > maxSpent {
		t.Fatal(len(g.spent))
	}
}

func TestASettlementOutlivesTheClient(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	fac := good()
	fac.onSettle = func(settle context.Context) {
		cancel()
		if settle.Err() != nil {
			t.Error("cancelled with the client")
		}
		if d, ok := settle.Deadline(); !ok || time.Until(d) > time.Minute {
			t.Error("no deadline of its own")
		}
	}
	mw := New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac})
	serve(mw, paidWith("Payment-Signature", v2("5", "a", "p")).WithContext(ctx), respond(200, "ok"))
	short, cancelShort := context.WithTimeout(t.Context(), time.Second)
	defer cancelShort()
	fac.onSettle = func(settle context.Context) {
		if d, _ := settle.Deadline(); time.Until(d) > time.Second {
			t.Error("beyond the invocation's deadline")
		}
	}
	p := v2("5", "a", "p")
	p["payload"] = map[string]any{"n": 2}
	serve(mw, paidWith("Payment-Signature", p).WithContext(short), respond(200, "ok"))
	if fac.settles != 2 {
		t.Error(fac.settles)
	}
}

func TestTheHandlerSeesThePayment(t *testing.T) {
	fac := good()
	fac.verified.Payer = "0xpayer"
	if _, ok := FromContext(t.Context()); ok {
		t.Error("a payment from nowhere")
	}
	serve(New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac}), paidWith("Payment-Signature", v2("5", "a", "p")), func(w http.ResponseWriter, r *http.Request) {
		p, ok := FromContext(r.Context())
		if !ok || p.Version != 2 || p.Payer != "0xpayer" || string(p.Requirements) != `{"scheme":"exact","network":"eip155:8453","amount":"5","asset":"a","payTo":"p","maxTimeoutSeconds":60}` {
			t.Errorf("%+v", p)
		}
	})
}

func FuzzPayment(f *testing.F) {
	f.Add(b64(v2("5", "a", "p")), "")
	f.Add("", b64(map[string]any{"x402Version": 1, "scheme": "exact", "network": "eip155:8453"}))
	f.Add("bnVsbA", "====")
	fac := &fake{verified: Verification{IsValid: false}}
	mw := New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: fac})
	f.Fuzz(func(t *testing.T, two, one string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Payment-Signature", two)
		r.Header.Set("X-Payment", one)
		got := serve(mw, r, func(http.ResponseWriter, *http.Request) { t.Error("served unpaid") })
		if got.Code != 402 && got.Code != 431 || got.Code == 402 && !json.Valid(got.Body.Bytes()) {
			t.Fatalf("%d %s", got.Code, got.Body)
		}
	})
}

func FuzzAmount(f *testing.F) {
	for _, s := range []string{"0.001", ".5", "5.", "1e2", "-1", "007", "٣"} {
		f.Add(s, 6)
	}
	f.Fuzz(func(t *testing.T, price string, decimals int) {
		if decimals > 1000 {
			return
		}
		got, err := Amount(price, decimals)
		if err == nil && (!digits(got) || len(got) > 1 && got[0] == '0') {
			t.Fatalf("%q", got)
		}
	})
}

func TestWhatMakesAPaymentTheSame(t *testing.T) {
	id := func(s string) [32]byte {
		id, ok := identify(object(t, s).(map[string]any))
		if !ok {
			t.Errorf("%s is refused", s)
		}
		return id
	}
	permit2 := func(authorization string) string {
		return `{"payload":{"permit2Authorization":{` + authorization + `},"signature":"a"}}`
	}
	evm := func(authorization string) string {
		return `{"payload":{"authorization":{` + authorization + `},"signature":"a"}}`
	}
	signers := func(n int, signature, message string) string {
		return `{"payload":{"transaction":"` + base64.StdEncoding.EncodeToString([]byte(string([]byte{byte(n)})+strings.Repeat(signature, 64*n)+message)) + `"}}`
	}
	solana := func(signature, message string) string { return signers(1, signature, message) }
	for _, c := range []struct {
		rule, a, b string
		same       bool
	}{
		{"another nonce", evm(`"from":"0xAb","nonce":"0x01"`), evm(`"from":"0xAb","nonce":"0x02"`), false},
		{"another payer", evm(`"from":"0xAb","nonce":"0x01"`), evm(`"from":"0xAc","nonce":"0x01"`), false},
		{"another signature", evm(`"from":"0xAb","nonce":"0x01"`), `{"payload":{"authorization":{"from":"0xAb","nonce":"0x01"},"signature":"b"}}`, true},
		{"a member that nobody knows", evm(`"from":"0xAb","nonce":"0x01"`), evm(`"from":"0xAb","nonce":"0x01","x":1`), true},
		{"a member that nobody knows, further out", evm(`"from":"0xAb","nonce":"0x01"`), `{"x":1,"payload":{"y":2,"authorization":{"from":"0xAb","nonce":"0x01"}}}`, true},
		{"the nonce in another case", evm(`"from":"0xab","nonce":"0xf0"`), evm(`"from":"0xab","nonce":"0xF0"`), true},
		{"the payer in another case", evm(`"from":"0xab","nonce":"0xf0"`), evm(`"from":"0xAB","nonce":"0xf0"`), true},
		{"without 0x, and with 0X", evm(`"from":"0xab","nonce":"0xf0"`), evm(`"from":"ab","nonce":"0Xf0"`), true},
		{"with zeros before", evm(`"from":"0xab","nonce":"0x0f0"`), evm(`"from":"0x00ab","nonce":"0xf0"`), true},
		{"with space around", evm(`"from":"0xab","nonce":"0xf0"`), evm(`"from":" 0xab","nonce":"0xf0 "`), true},
		{"payer and nonce are two numbers", evm(`"from":"0xa","nonce":"0xbc"`), evm(`"from":"0xab","nonce":"0xc"`), false},
		{"a nonce of zero is one", evm(`"from":"0xa","nonce":"0x0"`), evm(`"from":"0xa","nonce":"0x00"`), true},
		{"without a payer the authorization counts", evm(`"nonce":"1"`), evm(`"nonce":"1","x":1`), false},
		{"without a nonce, too", evm(`"from":"1"`), evm(`"from":"1","x":1`), false},
		{"a nonce that is no number, too", evm(`"from":"1","nonce":"n"`), evm(`"from":"1","nonce":"n","x":1`), false},
		{"an empty nonce, too", evm(`"from":"1","nonce":"0x"`), evm(`"from":"1","nonce":"0x","x":1`), false},
		{"a nonce that is not text, too", evm(`"from":"1","nonce":1`), evm(`"from":"1","nonce":1,"x":1`), false},
		{"an authorization without its signature", evm(`"nonce":"1"`), `{"payload":{"authorization":{"nonce":"1"},"signature":"b"}}`, true},
		{"another version", `{"x402Version":1,"payload":{"authorization":{"nonce":"1"}}}`, `{"x402Version":2,"payload":{"authorization":{"nonce":"1"}}}`, true},
		{"an empty authorization", `{"payload":{"authorization":{},"signature":"a"}}`, `{"payload":{"authorization":{},"signature":"b"}}`, false},
		{"a transaction by its message", solana("a", "m"), solana("b", "m"), true},
		{"another message", solana("a", "m"), solana("a", "n"), false},
		{"a transaction of two signers", signers(2, "a", "m"), signers(2, "b", "m"), true},
		{"a transaction of two signers, another message", signers(2, "a", "m"), signers(2, "a", "n"), false},
		{"a transaction that lacks its second signature", strings.Replace(signers(1, "a", "m"), `:"A`, `:"B`, 1), strings.Replace(signers(1, "b", "m"), `:"A`, `:"B`, 1), false},
		{"a transaction of 127 signers", signers(127, "a", "m"), signers(127, "b", "m"), true},
		{"a count of signers that takes two bytes", signers(128, "a", "m"), signers(128, "b", "m"), false},
		{"a transaction with a member that nobody knows", solana("a", "m"), strings.Replace(solana("a", "m"), `{"payload":{`, `{"payload":{"x":1,`, 1), true},
		{"a transaction without its padding", solana("a", "m"), strings.ReplaceAll(solana("a", "m"), "=", ""), true},
		{"a transaction that is none", `{"payload":{"transaction":"a"}}`, `{"payload":{"transaction":"b"}}`, false},
		{"a transaction that ends in its signatures", solana("a", ""), solana("b", ""), false},
		{"a transaction with a count of two bytes", `{"payload":{"transaction":"gAE="}}`, `{"payload":{"transaction":"gAE=","x":1}}`, false},
		{"a count of signers that is longer than it need be", solana("a", "m"), `{"payload":{"transaction":"` + base64.StdEncoding.EncodeToString([]byte("\x81\x00"+strings.Repeat("b", 64)+"m")) + `"}}`, true},
		{"Permit2: a member that nobody knows", permit2(`"from":"0xa","nonce":"42"`), permit2(`"from":"0xa","nonce":"42","x":1`), true},
		{"Permit2: a member that nobody knows, further out", permit2(`"from":"0xa","nonce":"42"`), `{"payload":{"x":1,"permit2Authorization":{"from":"0xa","nonce":"42"}}}`, true},
		{"Permit2: a nonce is a number in whatever base", permit2(`"from":"0xa","nonce":"42"`), permit2(`"from":"0xA","nonce":" 0X02a"`), true},
		{"Permit2: another nonce", permit2(`"from":"0xa","nonce":"42"`), permit2(`"from":"0xa","nonce":"0x42"`), false},
		{"Permit2: another payer", permit2(`"from":"0xa","nonce":"42"`), permit2(`"from":"0xb","nonce":"42"`), false},
		{"Permit2: a nonce below 0 is none", permit2(`"from":"0xa","nonce":"-1"`), permit2(`"from":"0xa","nonce":"-1","x":1`), false},
		{"Permit2: a nonce of 101 digits is none", permit2(`"from":"0xa","nonce":"` + strings.Repeat("1", 101) + `"`), permit2(`"from":"0xa","nonce":"` + strings.Repeat("1", 101) + `","x":1`), false},
		{"no payload", `{"payload":{},"a":1}`, `{"payload":{},"a":2}`, false},
		{"a payload that is text", `{"payload":"x"}`, `{"payload":"y"}`, false},
	} {
		if (id(c.a) == id(c.b)) != c.same {
			t.Errorf("%s: the same is %v, want %v", c.rule, !c.same, c.same)
		}
	}
}

// A handler's work is had once for one payment, whatever a client changes in what its
// payer has not signed.
func TestAPaymentIsTheSameHoweverItIsSpelt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mw := New(Config{Amount: "5", PayTo: "p", Asset: "a", Facilitator: good()})
		var handled atomic.Int32
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				p := v2("5", "a", "p")
				p["payload"] = map[string]any{"signature": "s", "authorization": map[string]any{"from": "0xAB", "nonce": "0xCD", "x": i}}
				serve(mw, paidWith("Payment-Signature", p), func(w http.ResponseWriter, _ *http.Request) {
					handled.Add(1)
					time.Sleep(time.Second) // synthetic
				})
			})
		}
		wg.Wait()
		if handled.Load() != 1 {
			t.Errorf("the handler ran %d times for one payment", handled.Load())
		}
	})
}

func TestTheGuardForgetsOnlyWhatIsOver(t *testing.T) {
	var g guard
	now := time.Unix(1000, 0)
	id := func(i int) (id [32]byte) { id[0], id[1] = byte(i), byte(i>>8); return id }
	g.leave(id(0), true, now)
	later := now.Add(maxTimeoutSeconds * time.Second)
	for i := 1; i <= 10_000; i++ { // the last one finds it full
		g.leave(id(i), true, later)
	}
	if g.enter(id(0), later) != free || g.enter(id(1), later) != spent || len(g.spent) != 10_000 {
		t.Fatal(len(g.spent))
	}
}
