package x402_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gomiddy/middy/web/x402"
)

// generous finds every payment good. The default facilitator asks the chain.
type generous struct{}

func (generous) Verify(context.Context, x402.Payment) (x402.Verification, error) {
	return x402.Verification{IsValid: true}, nil
}

func (generous) Settle(context.Context, x402.Payment) (x402.Settlement, error) {
	return x402.Settlement{Success: true, Transaction: "0x1"}, nil
}

func Example() {
	paid := x402.New(x402.Config{
		Price:       "0.001",
		PayTo:       "0xseller",
		Asset:       "0xusdc",
		Versions:    []int{2},
		Facilitator: generous{},
		BaseURL:     "https://api.example.com",
	})
	h := paid(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "the report")
	}))

	r := httptest.NewRequest("GET", "/report", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)

	r.Header.Set("PAYMENT-SIGNATURE", base64.StdEncoding.EncodeToString([]byte(
		`{"x402Version":2,"accepted":{"scheme":"exact","network":"eip155:8453","amount":"1000","asset":"0xusdc","payTo":"0xseller","maxTimeoutSeconds":60},"payload":{}}`)))
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	receipt, _ := base64.StdEncoding.DecodeString(w.Header().Get("PAYMENT-RESPONSE"))
	fmt.Println(w.Code, w.Body, string(receipt))
	// Output:
	// 402 {"x402Version":2,"error":"PAYMENT-SIGNATURE header is required","resource":{"url":"https://api.example.com/report","description":"","mimeType":"application/json"},"accepts":[{"scheme":"exact","network":"eip155:8453","amount":"1000","asset":"0xusdc","payTo":"0xseller","maxTimeoutSeconds":60}]}
	// 200 the report {"success":true,"transaction":"0x1"}
}
