package compress

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/gomiddy/middy/web/internal/header"
	"github.com/gomiddy/middy/web/internal/response"
)

// writer is the http.ResponseWriter of one response. It decides as late as it may:
//
//	undecided ── not ours ──────────────────────────────► plain
//	    └── could be compressed ──► held ── shrinks ────► encoded
//	                                  └──── does not ───► plain
type writer struct {
	http.ResponseWriter
	m        *middleware
	r        *http.Request
	status   int // 0 until the handler says it
	state    state
	held     *buffers // while held
	encoding *Encoding
	enc      *encoder // while encoded
}

type state int

const (
	undecided state = iota // nothing is written yet
	held                   // the body is kept until it is known whether it shrinks
	encoded                // the body goes through the encoder
	plain                  // the body goes as it is
)

// buffers hold a body and what an encoder made of it.
type buffers struct{ body, small bytes.Buffer }

// maxPooled keeps the buffers of a rare large response from staying.
const maxPooled = 1 << 20

var bufferPool = sync.Pool{New: func() any { return new(buffers) }}

func putBuffers(b *buffers) {
	if b.body.Cap() > maxPooled || b.small.Cap() > maxPooled {
		return
	}
	b.body.Reset()
	b.small.Reset()
	bufferPool.Put(b)
}

// WriteHeader implements [http.ResponseWriter].
func (w *writer) WriteHeader(status int) {
	switch {
	case status == http.StatusSwitchingProtocols:
		w.status, w.state = status, plain
		w.ResponseWriter.WriteHeader(status)
	case status < 200: // informational: another one follows
		w.ResponseWriter.WriteHeader(status)
	case w.status == 0:
		w.status = status
	}
}

// Write implements [http.ResponseWriter].
func (w *writer) Write(p []byte) (int, error) {
	if w.state == undecided {
		w.decide(p)
	}
	if w.state == held {
		room := w.m.bufferSize - w.held.body.Len()
		if len(p) <= room {
			return w.held.body.Write(p)
		}
		w.held.body.Write(p[:room])
		if err := w.overflow(); err != nil {
			return 0, err
		}
		n, err := w.Write(p[room:])
		return room + n, err
	}
	if w.state == encoded {
		return w.enc.Write(p)
	}
	return w.ResponseWriter.Write(p)
}

// WriteString implements [io.StringWriter], for what is written in a format.
func (w *writer) WriteString(s string) (int, error) {
	if w.state == held && w.held.body.Len()+len(s) <= w.m.bufferSize {
		return w.held.body.WriteString(s)
	}
	return w.Write([]byte(s))
}

// FlushError is for [http.ResponseController].
func (w *writer) FlushError() error {
	if w.state == undecided {
		w.decide(nil)
	}
	if w.state == held {
		if err := w.stream(); err != nil {
			return err
		}
	}
	if w.state == encoded {
		if err := w.enc.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements [http.Flusher].
func (w *writer) Flush() { _ = w.FlushError() }

// CloseNotify implements the deprecated [http.CloseNotifier].
func (w *writer) CloseNotify() <-chan bool { return response.CloseNotify(w.ResponseWriter) }

// Hijack implements [http.Hijacker]: from then on the response is the caller's.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.state = plain
	}
	return conn, rw, err
}

// Unwrap is for [http.ResponseController].
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// finish sends what is held back and ends the encoded body.
func (w *writer) finish() {
	if w.state == undecided { // no body
		if w.decide(nil); w.state == held {
			w.finishEmpty()
			return
		}
	}
	switch w.state {
	case held:
		_ = w.settle(true) // the client has gone; there is nobody to tell
	case encoded:
		_ = w.enc.Close()
		w.encoding.put(w.enc)
		w.enc = nil
	}
}

// finishEmpty sends a header alone. As the answer to HEAD, it is the one that GET would
// have, as far as the handler told.
func (w *writer) finishEmpty() {
	if w.r.Method == http.MethodHead && w.Header().Get("Content-Length") != "" {
		w.encodedHeader(0)
	}
	putBuffers(w.held)
	w.held = nil
	w.sendHeader()
}

// decide looks at the header and the first bytes of the body, and either sends the
// header or holds back the body.
func (w *writer) decide(first []byte) {
	h := w.Header()
	if header.Has(w.r.Header, "Cache-Control", "no-transform") {
		header.Add(h, "Cache-Control", "no-transform") // RFC 9111 section 5.2.1.6 is for every hop
	}
	if !w.eligible(h, first) {
		w.plain()
		return
	}
	header.Vary(h, "Accept-Encoding")
	if n, err := strconv.Atoi(h.Get("Content-Length")); err == nil && n < w.m.minSize {
		w.plain()
		return
	}
	if w.encoding = w.m.choose(w.r); w.encoding == nil {
		w.plain()
		return
	}
	w.held = bufferPool.Get().(*buffers)
	w.state = held
	if _, ok := h["Trailer"]; ok {
		_ = w.stream() // what the handler sets from now on is not for the header
	}
}

// eligible says whether the response would be compressed for some client.
func (w *writer) eligible(h http.Header, first []byte) bool {
	if w.status == http.StatusNotModified {
		if tag := h.Get("Etag"); tag != "" {
			h.Set("Etag", w.m.notModifiedETag(tag, w.r))
		}
	}
	if h.Get("Content-Encoding") != "" || header.Has(h, "Cache-Control", "no-transform") {
		return false
	}
	switch w.status {
	case http.StatusNotModified, http.StatusPartialContent:
		// They have the Vary of the 200: RFC 9110 sections 15.4.5 and 15.3.7. Its type
		// may be unknown.
		if t := h.Get("Content-Type"); t == "" || strings.HasPrefix(t, "multipart/") || w.m.compressible(t) {
			header.Vary(h, "Accept-Encoding")
		}
		return false
	case http.StatusNoContent, http.StatusResetContent, http.StatusRequestedRangeNotSatisfiable:
		return false
	}
	if h.Get("Content-Range") != "" {
		return false
	}
	contentType, set := h["Content-Type"]
	if !set && len(first) > 0 {
		// net/http would take the compressed bytes for application/x-gzip.
		h.Set("Content-Type", http.DetectContentType(first))
		contentType = h["Content-Type"]
	}
	return len(contentType) > 0 && w.m.compressible(contentType[0])
}

// overflow ends the time of holding back before the end of the body.
func (w *writer) overflow() error {
	if w.held.body.Len() < sample {
		return w.stream()
	}
	return w.settle(false)
}

// sample is how many bytes tell whether the rest shrinks.
const sample = 1 << 10

// settle compresses what is held back and sends the smaller one. When that is not the
// last of the body, the rest goes the same way.
func (w *writer) settle(last bool) error {
	b := w.held
	w.held = nil
	defer putBuffers(b)
	enc := w.encoding.get(&b.small)
	if b.body.Len() < w.m.minSize || !shrinks(enc, b, last) {
		w.encoding.put(enc)
		w.plain()
		_, err := w.ResponseWriter.Write(b.body.Bytes())
		return err
	}
	length := 0
	if last && w.Header().Get("Content-Length") != "" {
		length = b.small.Len()
	}
	w.encodedHeader(length)
	w.sendHeader()
	if last {
		w.encoding.put(enc)
	} else {
		w.enc, enc.sink.w = enc, w.ResponseWriter
		w.state = encoded
	}
	_, err := w.ResponseWriter.Write(b.small.Bytes())
	return err
}

func shrinks(enc *encoder, b *buffers, last bool) bool {
	_, err := enc.Write(b.body.Bytes())
	if err != nil {
		return false
	}
	if last {
		err = enc.Close()
	} else {
		err = enc.Flush() // or there is nothing to compare with
	}
	return err == nil && b.small.Len() < b.body.Len()
}

// stream sends what is held back through the encoder, since it cannot wait.
func (w *writer) stream() error {
	b := w.held
	w.held = nil
	defer putBuffers(b)
	w.encodedHeader(0)
	w.sendHeader()
	w.enc, w.state = w.encoding.get(w.ResponseWriter), encoded
	_, err := w.enc.Write(b.body.Bytes())
	return err
}

// plain sends the header; the body goes as it is.
func (w *writer) plain() {
	w.state = plain
	w.sendHeader()
}

func (w *writer) sendHeader() {
	if w.status != 0 {
		w.ResponseWriter.WriteHeader(w.status)
	}
}

// encodedHeader makes the header that of the encoded body, whose length may be known.
func (w *writer) encodedHeader(length int) {
	h := w.Header()
	h.Set("Content-Encoding", w.encoding.name)
	h.Del("Content-Length")
	if length > 0 {
		h.Set("Content-Length", strconv.Itoa(length))
	}
	header.Replaced(h) // and ranges of a body that is made anew each time cannot be had
	if tag := h.Get("Etag"); tag != "" {
		h.Set("Etag", w.m.encodedETag(tag, w.encoding))
	}
}

var (
	_ http.Flusher  = (*writer)(nil)
	_ http.Hijacker = (*writer)(nil)
)
