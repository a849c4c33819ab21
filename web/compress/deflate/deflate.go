// Package deflate has the content codings gzip and deflate, faster than the standard
// library's, for package compress.
//
// Where clients read gzip and nothing else, gzip is what much of a function's time goes
// into, and with small responses it is not even the compression: the standard library's
// encoder clears large tables for each one. github.com/klauspost/compress does the same
// 1.6 times as fast (BenchmarkGzip), and adds some 120 kB to a function, fewer when it
// has package zstd already.
//
//	compress.New(compress.Config{Encodings: []compress.Encoding{zstd.New(zstd.Config{}), deflate.Gzip(0)}})
package deflate

import (
	"fmt"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"

	"github.com/gomiddy/middy/web/compress"
)

// Gzip is [compress.Gzip]. The level is 1, fast, to 9, small, or -2 for Huffman coding
// only; 0 is the default, 5. It panics when there is no such level.
func Gzip(level int) compress.Encoding {
	level = checkLevel("Gzip", level)
	return compress.NewEncoding("gzip", func() compress.Encoder {
		w, err := gzip.NewWriterLevel(nil, level)
		if err != nil {
			panic(fmt.Errorf("deflate: a valid level is refused: %w", err))
		}
		return w
	})
}

// Zlib is [compress.Deflate], the content coding deflate. Levels are those of [Gzip].
func Zlib(level int) compress.Encoding {
	level = checkLevel("Zlib", level)
	return compress.NewEncoding("deflate", func() compress.Encoder {
		w, err := zlib.NewWriterLevel(nil, level)
		if err != nil {
			panic(fmt.Errorf("deflate: a valid level is refused: %w", err))
		}
		return w
	})
}

func checkLevel(name string, level int) int {
	if level == 0 {
		return gzip.DefaultCompression
	}
	if level < gzip.HuffmanOnly || level > gzip.BestCompression {
		panic(fmt.Errorf("deflate: %s(%d): levels are 1 to 9, 0 for the default, and %d for Huffman coding only", name, level, gzip.HuffmanOnly))
	}
	return level
}
