package multipart_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/multipart"
)

func upload() *http.Request {
	body := "--T\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nHolidays\r\n" +
		"--T\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"..\\beach.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n(bytes)\r\n" +
		"--T--"
	r := httptest.NewRequest("POST", "/albums", strings.NewReader(body))
	r.Header.Set("Content-Type", "multipart/form-data; boundary=T")
	return r
}

func Example() {
	h := multipart.New(multipart.Config{MaxFileBytes: 1 << 20, MaxFiles: 10})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form := multipart.Form(r)
		photo := form.File("photo")
		fmt.Fprintln(w, form.Value("title"), photo.Filename, photo.ContentType, len(photo.Content))
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, upload())
	fmt.Print(w.Body)
	// Output: Holidays beach.jpg image/jpeg 7
}

func ExampleReader() {
	stream := multipart.New(multipart.Config{Stream: true, MaxFileBytes: 5 << 30, MaxBytes: -1})
	h := stream(web.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		for parts := multipart.Reader(r); ; {
			part, err := parts.Next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err // 413 or 422, with the limit's name
			}
			n, err := io.Copy(io.Discard, part) // to S3, say
			if err != nil {
				return err
			}
			fmt.Fprintln(w, part.Name, n)
		}
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, upload())
	fmt.Print(w.Body)
	// Output:
	// title 8
	// photo 7
}
