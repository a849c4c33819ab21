// Package brotli has the content coding br, Brotli, for package compress.
//
// Brotli makes text smaller than gzip does, and every browser accepts it over HTTPS. Its
// encoder is not in the standard library and adds some 140 kB to a function; who does not
// import this package does not carry it.
//
//	compress.New(compress.Config{Encodings: []compress.Encoding{brotli.New(brotli.Config{}), compress.Gzip(0)}})
//
// The encoder is github.com/andybalholm/brotli's second one, which is smaller, faster
// and compresses better than the first, and lacks only a way to flush; this package has
// one.
package brotli

import (
	"fmt"
	"io"
	"math/bits"

	"github.com/andybalholm/brotli"
	"github.com/andybalholm/brotli/matchfinder"

	"github.com/gomiddy/middy/web/compress"
)

// Config configures [New]. The zero value is what suits answers that are made for each
// request.
type Config struct {
	// Quality is Brotli's, from 1, fast, to 11, small; the encoder takes 10 and 11 for 9.
	// Default: 4, which makes 100 kB of JSON a quarter smaller than gzip does, in about
	// the same time. Middy's default is 11, which took a third of a second for them where
	// this was measured, a hundred times as long.
	Quality int
}

const (
	defaultQuality = 4
	maxQuality     = 11
)

// Validate reports what is wrong with c.
func (c Config) Validate() error {
	if c.Quality < 0 || c.Quality > maxQuality {
		return fmt.Errorf("brotli: Quality is %d; use 1 to %d, or 0 for the default", c.Quality, maxQuality)
	}
	return nil
}

// New returns the content coding. It panics with the error of [Config.Validate] if there
// is one.
func New(cfg Config) compress.Encoding {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	if cfg.Quality == 0 {
		cfg.Quality = defaultQuality
	}
	return compress.NewEncoding("br", func() compress.Encoder {
		parts := brotli.NewWriterV2(nil, cfg.Quality)
		return &writer{finder: parts.MatchFinder, encoder: parts.Encoder}
	})
}

// blockSize is how many bytes are compressed at a time, as NewWriterV2 has it.
const blockSize = 1 << 16

// writer does what matchfinder.Writer does, and flushes.
type writer struct {
	dst     io.Writer
	finder  matchfinder.MatchFinder
	encoder matchfinder.Encoder

	in      []byte // not compressed yet, less than a block
	out     []byte
	matches []matchfinder.Match
	err     error
}

// Write implements [io.Writer].
func (w *writer) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(blockSize-len(w.in), len(rest))
		w.in, rest = append(w.in, rest[:n]...), rest[n:]
		if len(w.in) == blockSize {
			w.block(false)
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// block compresses what is there; last ends the stream.
func (w *writer) block(last bool) {
	w.out = w.out[:0]
	if len(w.in) > 0 || last {
		w.matches = w.finder.FindMatches(w.matches[:0], w.in)
		w.out = w.encoder.Encode(w.out, w.in, w.matches, last)
		w.in = w.in[:0]
	}
	w.send(w.out)
}

// Flush writes all bits of what was written, up to a byte with the help of an empty
// metadata block: RFC 7932 section 9.2. The encoder keeps the bits that do not fill a
// byte, and gives them up only for the end of a stream. So it is asked for that, and the
// end that it writes, two ones and zeros up to the byte, is replaced.
func (w *writer) Flush() error {
	w.block(false)
	end := w.encoder.Encode(append(w.out[:0], 0), nil, nil, true) // behind a zero, to have two bytes
	n := len(end) - 2
	tail := uint32(end[n]) | uint32(end[n+1])<<8
	kept := bits.Len32(tail) - 2 // bits before the two ones
	tail = tail&^(0b11<<kept) | metadata<<kept
	end = end[:n]
	for bit := 0; bit < kept+metadataBits; bit += 8 {
		end = append(end, byte(tail>>bit))
	}
	w.out = end
	w.send(end[1:])
	return w.err
}

// An empty metadata block is the bits 0 (not the last), 11 (metadata), 0 (reserved), 00
// (no length), written from the lowest on.
const (
	metadata     = 0b000110
	metadataBits = 6
)

// Close implements [compress.Encoder].
func (w *writer) Close() error {
	w.block(true)
	return w.err
}

// Reset implements [compress.Encoder].
func (w *writer) Reset(dst io.Writer) {
	w.finder.Reset()
	w.encoder.Reset()
	w.dst, w.err = dst, nil
	w.in, w.matches = w.in[:0], w.matches[:0]
}

func (w *writer) send(p []byte) {
	if w.err == nil && len(p) > 0 {
		_, w.err = w.dst.Write(p)
	}
}
