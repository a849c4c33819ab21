package cli

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gomiddy/middy/emulator/runtimeapi"
	"github.com/gomiddy/middy/web"
)

func httpAPI(w http.ResponseWriter, r *http.Request, fn runtimeapi.Invoker, body []byte) {
	now := time.Now()
	e := web.Request{Version: "2.0", RouteKey: "$default", RawPath: r.URL.Path, RawQueryString: r.URL.RawQuery, Headers: map[string]string{"host": r.Host}}
	for name, values := range r.Header {
		e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	for _, c := range r.Cookies() {
		e.Cookies = append(e.Cookies, c.Name+"="+c.Value)
	}
	delete(e.Headers, "cookie")
	if e.Body = string(body); !utf8.Valid(body) {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	c := &e.RequestContext
	c.RequestID, c.RouteKey, c.Stage, c.TimeEpoch = runtimeapi.NewRequestID(), "$default", "$default", now.UnixMilli()
	c.Time, c.DomainName = now.UTC().Format("02/Jan/2006:15:04:05 -0700"), r.Host
	c.HTTP.Method, c.HTTP.Path, c.HTTP.Protocol, c.HTTP.UserAgent = r.Method, r.URL.Path, r.Proto, r.UserAgent()
	c.HTTP.SourceIP = "127.0.0.1"
	payload, err := json.Marshal(e)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	resp, err := fn.Invoke(r.Context(), runtimeapi.Request{Payload: payload})
	if err != nil || resp.FunctionError != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"message":"Internal Server Error"}`)
		return
	}
	writeAnswer(w, resp.Payload)
}

func writeAnswer(w http.ResponseWriter, payload []byte) {
	var a struct {
		StatusCode      int
		Headers         map[string]string
		Cookies         []string
		Body            string
		IsBase64Encoded bool
	}
	if json.Unmarshal(payload, &a) != nil || a.StatusCode == 0 {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(payload)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for k, v := range a.Headers {
		w.Header().Set(k, v)
	}
	for _, c := range a.Cookies {
		w.Header().Add("Set-Cookie", c)
	}
	w.WriteHeader(a.StatusCode)
	body := []byte(a.Body)
	if a.IsBase64Encoded {
		body, _ = base64.StdEncoding.DecodeString(a.Body)
	}
	_, _ = w.Write(body)
}
