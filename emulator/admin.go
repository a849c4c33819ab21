package emulator

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// The admin API is described in the package comment.
const (
	adminPrefix  = "/_middy/"
	tokenHeader  = "X-Middy-Token"
	maxAdminBody = 64 << 10
)

func (s *Server) serveAdmin(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.URL.Path != adminPrefix+"health" && subtle.ConstantTimeCompare([]byte(r.Header.Get(tokenHeader)), []byte(s.token)) != 1 {
		writeJSON(w, http.StatusUnauthorized, problem("the header "+tokenHeader+" is missing or wrong; the emulator prints its token at start"))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxAdminBody)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_middy/health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, 200, map[string]any{"status": "ok", "inFlight": s.InFlight()})
	})
	mux.HandleFunc("GET /_middy/clock", func(w http.ResponseWriter, _ *http.Request) { s.writeClock(w) })
	mux.HandleFunc("POST /_middy/clock", s.postClock)
	mux.HandleFunc("GET /_middy/chaos", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, s.chaos.Rules()) })
	mux.HandleFunc("POST /_middy/chaos", s.postChaos)
	mux.HandleFunc("DELETE /_middy/chaos", func(w http.ResponseWriter, _ *http.Request) {
		s.chaos.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("DELETE /_middy/chaos/{id}", s.deleteRule)
	mux.HandleFunc("GET /_middy/requests", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, 200, s.recordsJSON()) })
	mux.HandleFunc("DELETE /_middy/requests", func(w http.ResponseWriter, _ *http.Request) {
		s.ResetRequests()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /_middy/credentials/expire", s.postExpire)
	mux.ServeHTTP(w, r)
}

func (s *Server) writeClock(w http.ResponseWriter) {
	st := s.clock.State()
	writeJSON(w, 200, map[string]string{
		"now": s.clock.Now().UTC().Format(time.RFC3339Nano), "date": s.clock.Date().UTC().Format(time.RFC3339Nano),
		"offset": st.Offset.String(), "dateOffset": st.DateOffset.String(), "window": st.Window.String(),
	})
}

func (s *Server) postClock(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Offset, DateOffset, Window, Step, Freeze *duration
		Reset                                    bool
	}
	if !readJSON(w, r, &in) {
		return
	}
	if in.Reset {
		s.clock.Reset()
	}
	for _, set := range []struct {
		d *duration
		f func(time.Duration)
	}{{in.Offset, s.clock.SetOffset}, {in.DateOffset, s.clock.SetDateOffset}, {in.Window, s.clock.SetWindow}, {in.Step, s.clock.Step}, {in.Freeze, s.clock.Freeze}} {
		if set.d != nil {
			set.f(time.Duration(*set.d))
		}
	}
	s.writeClock(w)
}

func (s *Server) postChaos(w http.ResponseWriter, r *http.Request) {
	var rule Rule
	if !readJSON(w, r, &rule) {
		return
	}
	if err := rule.Validate(); err != nil {
		writeJSON(w, http.StatusBadRequest, problem(err.Error()))
		return
	}
	writeJSON(w, http.StatusCreated, map[string]int{"id": s.chaos.add(rule)})
}

func (s *Server) deleteRule(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || !s.chaos.Remove(id) {
		writeJSON(w, http.StatusNotFound, problem("no chaos rule has the number "+strconv.Quote(r.PathValue("id"))))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) postExpire(w http.ResponseWriter, r *http.Request) {
	var in struct{ AccessKeyID string }
	if !readJSON(w, r, &in) {
		return
	}
	if !s.creds.Expire(in.AccessKeyID) {
		writeJSON(w, http.StatusNotFound, problem("no credentials have the access key "+strconv.Quote(in.AccessKeyID)))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

type recordJSON struct {
	ID          uint64    `json:"id"`
	RequestID   string    `json:"requestId"`
	Received    time.Time `json:"received"`
	Real        time.Time `json:"receivedReal"`
	Millis      float64   `json:"durationMs"`
	Service     string    `json:"service"`
	Operation   string    `json:"operation"`
	AccessKeyID string    `json:"accessKeyId,omitempty"`
	SignedAt    time.Time `json:"signedAt,omitzero"`
	AgeSeconds  float64   `json:"ageSeconds"`
	Status      int       `json:"status"`
	ErrorCode   string    `json:"errorCode,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	Chaos       []Effect  `json:"chaos,omitempty"`
	Proto       string    `json:"proto"`
	RemoteAddr  string    `json:"remoteAddr"`
}

func (s *Server) recordsJSON() []recordJSON {
	list := s.Requests()
	out := make([]recordJSON, 0, len(list))
	for _, r := range list {
		out = append(out, recordJSON{r.ID, r.RequestID, r.Received.UTC(), r.ReceivedReal.UTC(), float64(r.Duration) / float64(time.Millisecond),
			r.Service, r.Operation, r.AccessKeyID, r.SignedAt, r.Age.Seconds(), r.Status, r.ErrorCode, r.Reason, r.Chaos, r.Proto, r.RemoteAddr})
	}
	return out
}

// A duration is written as "1m30s".
type duration time.Duration

func (d *duration) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		return fmt.Errorf("a duration is text such as \"1m30s\", not %s", b)
	}
	v, err := time.ParseDuration(text)
	*d = duration(v)
	return err
}

func problem(text string) map[string]string { return map[string]string{"error": text} }

func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one JSON value")
		}
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, problem("the body is not what this call takes: "+err.Error()))
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client's loss
}
