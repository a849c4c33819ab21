package multipart

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	stdlib "mime/multipart"
	"net/http"
	"testing"

	"github.com/gomiddy/middy/middytest"
)

// upload is a body with every byte in it.
func upload(t *testing.T, size int) (body *bytes.Buffer, contentType string, sum [32]byte) {
	t.Helper()
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i)
	}
	body = new(bytes.Buffer)
	mw := stdlib.NewWriter(body)
	_ = mw.WriteField("who", "Ada Löve")
	fw, err := mw.CreateFormFile("file", "all.bin")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fw.Write(data)
	_ = mw.Close()
	return body, mw.FormDataContentType(), sha256.Sum256(data)
}

func TestInLambdaAsBehindNetHTTP(t *testing.T) {
	h := New(Config{MaxFileBytes: 100 << 10})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := Form(r)
		fmt.Fprintf(w, "%s %s %x", f.Value("who"), f.File("file").Filename, sha256.Sum256(f.File("file").Content))
	}))
	middytest.Everywhere(t, h, func(t *testing.T, url string) {
		for size, status := range map[int]int{100 << 10: 200, 100<<10 + 1: 413} {
			body, contentType, sum := upload(t, size)
			resp, err := http.Post(url, contentType, body)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != status || status == 200 && string(b) != fmt.Sprintf("Ada Löve all.bin %x", sum) {
				t.Errorf("%d bytes: got %d %s", size, resp.StatusCode, b)
			}
		}
	})
}
