package apps

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing/fstest"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/labstack/echo/v4"
)

// files are what the applications serve below /static.
var files fs.FS = fstest.MapFS{
	"static/a b.txt":  {Data: []byte("a file with a blank in its name\n")},
	"static/100%.txt": {Data: []byte("a file with a percent sign in its name\n")},
	"static/café.txt": {Data: []byte("un fichier\n")},
}

func static() http.Handler { return http.FileServerFS(files) }

// proxy passes requests on to the backend, without the prefix.
func proxy(backend *url.URL) http.Handler {
	p := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(backend) }}
	return http.StripPrefix("/proxy", p)
}

// describe is what a handler sees of a request, a line each.
func describe(w io.Writer, r *http.Request, body []byte) {
	fmt.Fprintf(w, "%s %s\npath %q raw %q query %q\n", r.Method, r.RequestURI, r.URL.Path, r.URL.EscapedPath(), r.URL.Query().Encode())
	fmt.Fprintf(w, "type %q length %d body %q\n", r.Header.Get("Content-Type"), r.ContentLength, body)
}

// upload reads the file "file" of a form of which at most 1 KiB may stay in
// memory, and says whether it went to the disk.
func upload(r *http.Request) (string, error) {
	if err := r.ParseMultipartForm(1 << 10); err != nil {
		return "", err
	}
	f, head, err := r.FormFile("file")
	if err != nil {
		return "", err
	}
	defer f.Close()
	n, err := io.Copy(io.Discard, f)
	_, disk := f.(*os.File)
	return fmt.Sprintf("%s: %d bytes, on disk: %v, note %q", head.Filename, n, disk, r.FormValue("note")), err
}

var words = []string{"one", "two", "three"}

// Chi is the application in chi.
func Chi(backend *url.URL) http.Handler {
	r := chi.NewRouter()
	r.Get("/files/{name}", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, chi.URLParam(r, "name")) })
	r.Get("/static/*", static().ServeHTTP)
	r.Handle("/proxy/*", proxy(backend))
	r.HandleFunc("/describe/*", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		describe(w, r, body)
	})
	r.Get("/events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, word := range words {
			fmt.Fprintf(w, "data: %s\n\n", word)
			_ = http.NewResponseController(w).Flush()
		}
	})
	r.Post("/upload", func(w http.ResponseWriter, r *http.Request) {
		said, err := upload(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		io.WriteString(w, said)
	})
	r.Get("/ip", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) })
	r.Get("/old", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/files/new?x=1", http.StatusFound) })
	r.Get("/empty", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	r.Get("/cookies", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
		http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
	})
	r.Get("/json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"ok":true}`)
	})
	return r
}

// Gin is the application in gin, which routes by the encoded path.
func Gin(backend *url.URL) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	g := gin.New()
	g.UseRawPath, g.UnescapePathValues = true, true
	_ = g.SetTrustedProxies(nil)
	g.GET("/files/:name", func(c *gin.Context) { c.String(200, "%s", c.Param("name")) })
	g.GET("/static/*path", gin.WrapH(static()))
	g.Any("/proxy/*path", gin.WrapH(proxy(backend)))
	g.Any("/describe/*path", func(c *gin.Context) {
		body, _ := io.ReadAll(c.Request.Body)
		describe(c.Writer, c.Request, body)
	})
	g.GET("/events", func(c *gin.Context) {
		i := 0
		c.Stream(func(w io.Writer) bool {
			c.SSEvent("word", words[i])
			i++
			return i < len(words)
		})
	})
	g.POST("/upload", func(c *gin.Context) {
		said, err := upload(c.Request)
		if err != nil {
			c.String(http.StatusBadRequest, "%s", err)
			return
		}
		c.String(200, "%s", said)
	})
	g.GET("/ip", func(c *gin.Context) { c.String(200, "%s", c.ClientIP()) })
	g.GET("/old", func(c *gin.Context) { c.Redirect(http.StatusFound, "/files/new?x=1") })
	g.GET("/empty", func(c *gin.Context) { c.Status(http.StatusNoContent) })
	g.GET("/cookies", func(c *gin.Context) {
		c.SetCookie("a", "1", 0, "/", "", false, true)
		c.SetCookie("b", "2", 0, "/", "", false, true)
	})
	g.GET("/json", func(c *gin.Context) { c.JSON(200, gin.H{"ok": true}) })
	return g
}

// Echo is the application in echo.
func Echo(backend *url.URL) http.Handler {
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect()
	e.GET("/files/:name", func(c echo.Context) error {
		name, err := url.PathUnescape(c.Param("name"))
		if err != nil {
			return echo.ErrBadRequest
		}
		return c.String(200, name)
	})
	e.StaticFS("/static", echo.MustSubFS(files, "static"))
	e.Any("/proxy/*", echo.WrapHandler(proxy(backend)))
	e.Any("/describe/*", func(c echo.Context) error {
		body, _ := io.ReadAll(c.Request().Body)
		describe(c.Response(), c.Request(), body)
		return nil
	})
	e.GET("/events", func(c echo.Context) error {
		c.Response().Header().Set("Content-Type", "text/event-stream")
		for _, word := range words {
			fmt.Fprintf(c.Response(), "data: %s\n\n", word)
			c.Response().Flush()
		}
		return nil
	})
	e.POST("/upload", func(c echo.Context) error {
		said, err := upload(c.Request())
		if err != nil {
			return c.String(http.StatusBadRequest, err.Error())
		}
		return c.String(200, said)
	})
	e.GET("/ip", func(c echo.Context) error { return c.String(200, c.RealIP()) })
	e.GET("/old", func(c echo.Context) error { return c.Redirect(http.StatusFound, "/files/new?x=1") })
	e.GET("/empty", func(c echo.Context) error { return c.NoContent(http.StatusNoContent) })
	e.GET("/cookies", func(c echo.Context) error {
		c.SetCookie(&http.Cookie{Name: "a", Value: "1"})
		c.SetCookie(&http.Cookie{Name: "b", Value: "2"})
		return nil
	})
	e.GET("/json", func(c echo.Context) error { return c.JSON(200, map[string]bool{"ok": true}) })
	return e
}

// Fiber is the application in fiber, which is not net/http inside, by fiber's own
// adaptor. What it cannot do behind its adaptor on net/http either (streams,
// proxies) is left out.
func Fiber(*url.URL) http.Handler {
	app := fiber.New(fiber.Config{UnescapePath: true})
	app.Get("/files/:name", func(c fiber.Ctx) error { return c.SendString(c.Params("name")) })
	app.All("/describe/*", func(c fiber.Ctx) error {
		var b strings.Builder
		fmt.Fprintf(&b, "%s %s\ntype %q body %q\n", c.Method(), c.OriginalURL(), c.Get("Content-Type"), c.Body())
		return c.SendString(b.String())
	})
	app.Post("/upload", func(c fiber.Ctx) error {
		head, err := c.FormFile("file")
		if err != nil {
			return c.Status(http.StatusBadRequest).SendString(err.Error())
		}
		return c.SendString(fmt.Sprintf("%s: %d bytes, note %q", head.Filename, head.Size, c.FormValue("note")))
	})
	app.Get("/ip", func(c fiber.Ctx) error { return c.SendString(c.IP()) })
	app.Get("/old", func(c fiber.Ctx) error { return c.Redirect().Status(http.StatusFound).To("/files/new?x=1") })
	app.Get("/empty", func(c fiber.Ctx) error { return c.SendStatus(http.StatusNoContent) })
	app.Get("/cookies", func(c fiber.Ctx) error {
		c.Cookie(&fiber.Cookie{Name: "a", Value: "1"})
		c.Cookie(&fiber.Cookie{Name: "b", Value: "2"})
		return nil
	})
	app.Get("/json", func(c fiber.Ctx) error { return c.JSON(fiber.Map{"ok": true}) })
	return adaptor.FiberApp(app)
}
