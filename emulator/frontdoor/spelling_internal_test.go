package frontdoor

import (
	"reflect"
	"testing"
)

// FuzzHeads: bytes in any pieces are followed the same way, within bounds.
func FuzzHeads(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nx-A: 1\r\nx-a: 2\r\n\r\nGET /2 HTTP/1.1\n\n"), uint(7))
	f.Add([]byte("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nabcde\r\n0\r\nt: 1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n"), uint(60))
	f.Add([]byte("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"), uint(3))
	f.Add([]byte("\r\n\r\nGET / HTTP/1.1\r\nUpgrade: x\r\n\r\n\x00\xff"), uint(0))
	f.Fuzz(func(t *testing.T, p []byte, cut uint) {
		var whole, pieces heads
		whole.feed(p)
		n := min(int(cut%1024), len(p))
		pieces.feed(p[:n])
		for i := range p[n:] {
			pieces.feed(p[n+i : n+i+1])
		}
		if whole.lost != pieces.lost || !reflect.DeepEqual(whole.last, pieces.last) {
			t.Errorf("%q cut at %d: %v %v, in one: %v %v", p, n, pieces.last, pieces.lost, whole.last, whole.lost)
		}
		if len(whole.last) > keptHeads || len(whole.buf) > maxHead {
			t.Errorf("%d heads, %d bytes are kept", len(whole.last), len(whole.buf))
		}
	})
}

func TestAHeadWithoutAnEndIsNotKept(t *testing.T) {
	var h heads
	for range maxHead/1024 + 2 {
		h.feed(make([]byte, 1024))
	}
	if !h.lost || h.buf != nil {
		t.Errorf("%d bytes are kept", len(h.buf))
	}
}
