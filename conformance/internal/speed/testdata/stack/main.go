// Command stack is ten middlewares around a small handler: the same ten, with the
// same options, as stack.mjs has from Middy.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/gomiddy/middy"
	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/compress"
	"github.com/gomiddy/middy/web/compress/deflate"
	"github.com/gomiddy/middy/web/cors"
	"github.com/gomiddy/middy/web/headers"
	"github.com/gomiddy/middy/web/jsonbody"
	"github.com/gomiddy/middy/web/negotiate"
	"github.com/gomiddy/middy/web/partial"
	"github.com/gomiddy/middy/web/pathparam"
	"github.com/gomiddy/middy/web/problem"
	"github.com/gomiddy/middy/web/secure"
	"github.com/gomiddy/middy/web/serialize"
)

func main() {
	h := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Name string `json:"name"`
		}
		if err := jsonbody.Decode(r, &in); err != nil {
			web.WriteError(w, r, err)
			return
		}
		serialize.Write(w, r, http.StatusOK, order{r.PathValue("id"), in.Name, items})
	}))
	for _, layer := range []func(http.Handler) http.Handler{ // the innermost first
		pathparam.New(pathparam.Config{}),
		jsonbody.New(jsonbody.Config{}),
		negotiate.New(negotiate.Config{}),
		headers.New(headers.Config{}),
		problem.New(problem.Config{}),
		serialize.New(serialize.Config{}),
		partial.New(partial.Config{}),
		compress.New(compress.Config{Encodings: []compress.Encoding{deflate.Gzip(0)}}),
		secure.New(secure.Config{}),
		cors.New(cors.Config{Origins: []string{"https://shop.example.com"}}),
	} {
		h = layer(h)
	}
	if turns, err := strconv.Atoi(os.Getenv("TURNS")); err == nil {
		inProcess(h, turns)
		return
	}
	middy.Start(web.Handler(h))
}

// inProcess runs the event in EVENT through the layers, without Lambda around
// them, and prints the nanoseconds of one turn.
func inProcess(h http.Handler, turns int) {
	f, err := middy.New(web.Handler(h))
	if err != nil {
		log.Fatal(err)
	}
	event := []byte(os.Getenv("EVENT"))
	run := func(n int) time.Duration {
		begin := time.Now()
		for range n {
			if _, err := f.Invoke(context.Background(), event); err != nil {
				log.Fatal(err)
			}
		}
		return time.Since(begin)
	}
	run(turns / 4) // warm
	fmt.Println(run(turns).Nanoseconds() / int64(turns))
}

type item struct {
	SKU   string  `json:"sku"`
	Count int     `json:"count"`
	Price float64 `json:"price"`
	Note  string  `json:"note"`
}

type order struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Items []item `json:"items"`
}

// items make a response that is worth compressing: 2 KB.
var items = slices.Repeat([]item{{"ABC-123", 2, 13.5, "blue"}}, 40)
