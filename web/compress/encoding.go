package compress

import (
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// An Encoder writes one content coding. [gzip.Writer] is one. It is used by one
// goroutine at a time.
type Encoder interface {
	// Write compresses p to the writer of Reset, sooner or later.
	io.Writer

	// Flush writes all that was compressed so far.
	Flush() error

	// Close ends the encoded body. It does not close the writer beneath.
	Close() error

	// Reset forgets everything, and writes to w from now on.
	Reset(w io.Writer)
}

// An Encoding is a content coding with a pool of its encoders, since making one
// costs more than a small response. It is safe for concurrent use; copies share the
// pool. The zero value is of no use.
type Encoding struct {
	name string
	// spare is one encoder that the garbage collector leaves alone: it empties a pool
	// every few hundred requests, and a sandbox has one request at a time.
	spare *atomic.Pointer[encoder]
	pool  *sync.Pool // of *encoder, for more requests at a time
}

// NewEncoding returns the content coding of that name, as it stands in
// Accept-Encoding and Content-Encoding:
// https://www.iana.org/assignments/http-parameters. newEncoder is called when the pool
// is empty; Reset is called before anything is written.
func NewEncoding(name string, newEncoder func() Encoder) Encoding {
	return Encoding{
		name: name, spare: new(atomic.Pointer[encoder]),
		pool: &sync.Pool{New: func() any { return &encoder{Encoder: newEncoder()} }},
	}
}

// Name is the name of the content coding.
func (e Encoding) Name() string { return e.name }

// Gzip is the content coding gzip, RFC 1952. The level is one of [compress/gzip], from
// 1, fast, to 9, small, or [gzip.HuffmanOnly]; 0 is the default, 6. It panics when there
// is no such level.
func Gzip(level int) Encoding {
	level = checkLevel("Gzip", level)
	return NewEncoding("gzip", func() Encoder {
		w, _ := gzip.NewWriterLevel(nil, level) // the level was checked
		return w
	})
}

// Deflate is the content coding deflate, which is the zlib container, RFC 1950, and not
// the bare deflate that its name suggests: RFC 9110 section 8.4.1.2. Levels are those
// of [Gzip].
func Deflate(level int) Encoding {
	level = checkLevel("Deflate", level)
	return NewEncoding("deflate", func() Encoder {
		w, _ := zlib.NewWriterLevel(nil, level) // the level was checked
		return w
	})
}

func checkLevel(name string, level int) int {
	if level == 0 {
		return gzip.DefaultCompression
	}
	if level < gzip.HuffmanOnly || level > gzip.BestCompression {
		panic(fmt.Errorf("compress: %s(%d): levels are 1 to 9, 0 for the default, and %d for Huffman coding only", name, level, gzip.HuffmanOnly))
	}
	return level
}

// encoder is an Encoder whose destination can be changed midway.
type encoder struct {
	Encoder
	sink sink
}

type sink struct{ w io.Writer }

func (s *sink) Write(p []byte) (int, error) { return s.w.Write(p) }

func (e Encoding) get(w io.Writer) *encoder {
	enc := e.spare.Swap(nil)
	if enc == nil {
		enc, _ = e.pool.Get().(*encoder)
	}
	enc.sink.w = w
	enc.Reset(&enc.sink)
	return enc
}

// put gives an encoder back, in whatever state.
func (e Encoding) put(enc *encoder) {
	enc.sink.w = nil // the response must not live as long as the encoder
	if !e.spare.CompareAndSwap(nil, enc) {
		e.pool.Put(enc)
	}
}
