package multipart

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	stdlib "mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"unicode/utf8"

	"github.com/gomiddy/middy/web"
	"github.com/gomiddy/middy/web/internal/content"
	"github.com/gomiddy/middy/web/internal/header"
)

// A PartReader gives the parts of a body in order. It is not safe for concurrent
// use.
type PartReader struct {
	cfg    *Config
	body   *closed
	reader *stdlib.Reader

	parts, fields, files int
	err                  error // the first one, which stays
}

func newPartReader(cfg *Config, body io.Reader, boundary string) *PartReader {
	b := &closed{from: bufio.NewReaderSize(body, 16<<10), end: []byte("\r\n--" + boundary + "--")}
	return &PartReader{cfg: cfg, body: b, reader: stdlib.NewReader(b, boundary)}
}

// closed reads a body up to its last boundary, a line end behind it, and then an error
// in place of io.EOF.
//
// mime/multipart returns io.EOF for the last boundary, and for a body that ends in the
// headers of a part: whoever takes that for the end loses the rest of a form without
// a word. And what stands directly behind the last boundary, where RFC 2046 wants a
// line end, is an error to it, to others the ignored epilogue: some clients end a body
// with LF.
type closed struct {
	from  *bufio.Reader
	end   []byte // the last boundary with the line end before it
	begun bool
	// preamble is set when there is more than line ends before the last boundary. With no
	// part, that is content which nobody would see.
	preamble bool
	left     int  // bytes that were searched and may go out
	last     bool // they are the last
	tail     int  // bytes of the line end that are out
}

func (c *closed) Read(p []byte) (int, error) {
	if c.left == 0 && !c.last {
		if err := c.search(); err != nil {
			return 0, err
		}
	}
	if c.left > 0 {
		n, err := c.from.Read(p[:min(len(p), c.left)])
		c.left -= n
		return n, err
	}
	n := copy(p, "\r\n"[c.tail:])
	if c.tail += n; n == 0 && len(p) > 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}

// search looks how far the body may go out.
func (c *closed) search() error {
	_, err := c.from.Peek(len(c.end))
	buf, _ := c.from.Peek(c.from.Buffered())
	found := c.find(buf)
	if !c.begun && found != len(c.end)-2 {
		c.preamble = strings.Trim(string(buf[:max(found-len(c.end), 0)]), "\r\n") != "" || found == 0
	}
	c.begun = true
	switch {
	case found > 0:
		c.left, c.last = found, true
	case err == nil:
		c.left = len(buf) - len(c.end) + 1 // the rest may be the beginning of it
	case errors.Is(err, io.EOF):
		c.left, c.last = len(buf), true
	case len(buf) == 0:
		return err
	default:
		c.left = len(buf) // and the error with the next search
	}
	return nil
}

// find returns how far the last boundary reaches, or 0 when it is not there. At the
// very beginning it has no line end before it.
func (c *closed) find(buf []byte) int {
	if line := c.end[2:]; !c.begun && bytes.HasPrefix(buf, line) {
		return len(line)
	}
	if i := bytes.Index(buf, c.end); i >= 0 {
		return i + len(c.end)
	}
	return 0
}

// A Part is one part of a body while it is read. It is valid until the next call of
// [PartReader.Next], which skips what was not read of it.
type Part struct {
	// Name is the form control's name.
	Name string
	// File tells a file from a value: it has a filename, or is an
	// application/octet-stream.
	File bool
	// Filename is the file's name on the client's machine, without directories; ""
	// when it has none. Never open a file of this name.
	Filename string
	// ContentType is what the client says; "text/plain" when it says nothing, RFC
	// 7578 section 4.4. It is not checked against the content.
	ContentType string
	// Encoding is the Content-Transfer-Encoding, in lower case; "7bit" when there is
	// none. Content is not decoded: RFC 7578 section 4.7 deprecates it.
	Encoding string
	// Header are all of the part's headers.
	Header textproto.MIMEHeader

	from  io.Reader
	left  int64 // bytes that may still be read; below 0: no limit
	limit int64
	cfg   *Config
}

// Next returns the next part, and [io.EOF] behind the last one. Every other error
// from the body is a [*web.Error]: return it from a [web.HandlerFunc].
func (p *PartReader) Next() (*Part, error) {
	if p.reader == nil {
		return nil, ErrNotStreaming
	}
	if p.err != nil {
		return nil, p.err
	}
	part, err := p.next()
	if err != nil {
		p.err = err
		return nil, err
	}
	return part, nil
}

func (p *PartReader) next() (*Part, error) {
	if p.parts == 0 {
		if err := p.begin(); err != nil {
			return nil, err
		}
	}
	// Raw: mime/multipart would decode quoted-printable and hide that it did.
	raw, err := p.reader.NextRawPart()
	if err == io.EOF { //nolint:errorlint // behind the last boundary it comes as it is: see closed
		if p.parts == 0 && p.body.preamble {
			return nil, malformed("it has text and no part", nil)
		}
		return nil, io.EOF
	}
	if err != nil {
		return nil, failure(err)
	}
	p.parts++
	if over(p.parts, p.cfg.MaxParts) {
		return nil, tooMany("parts", p.cfg.MaxParts)
	}
	part, err := p.cfg.part(raw)
	if err != nil {
		return nil, err
	}
	if part.File {
		p.files++
	} else {
		p.fields++
	}
	switch {
	case over(p.files, p.cfg.MaxFiles):
		return nil, tooMany("files", p.cfg.MaxFiles)
	case over(p.fields, p.cfg.MaxFields):
		return nil, tooMany("fields", p.cfg.MaxFields)
	}
	return part, nil
}

// begin refuses lines that end with LF alone, which mime/multipart takes for a whole
// body when the first boundary ends so: RFC 2046 section 5.1.1 wants CRLF, and a
// filter in front of us sees other parts than we would.
func (p *PartReader) begin() error {
	opening := string(p.body.end[2:len(p.body.end)-2]) + "\n"
	if first, _ := p.body.from.Peek(len(opening)); string(first) == opening {
		return malformed("its lines end with LF instead of CRLF", nil)
	}
	return nil
}

// over tells whether n is beyond a limit that may be none.
func over[T int | int64](n, limit T) bool { return limit >= 0 && n > limit }

func tooMany(what string, limit int) *web.Error {
	return &web.Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the form must not have more than %d %s", limit, what)}
}

// failure turns what mime/multipart returned into an answer.
func failure(err error) *web.Error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return content.Failure(err)
	case errors.Is(err, stdlib.ErrMessageTooLarge):
		return &web.Error{Status: http.StatusRequestEntityTooLarge, Detail: "the form's headers are too large", Err: err}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return malformed("it ends before its last boundary", err)
	}
	return malformed("its parts cannot be told apart", err)
}

// part reads the headers of a part.
func (c *Config) part(raw *stdlib.Part) (*Part, error) {
	if err := c.checkHeader(raw.Header); err != nil {
		return nil, err
	}
	params, err := disposition(raw.Header)
	name, named := params["name"]
	if err != nil || !named {
		return nil, malformed("a part has no name", err)
	}
	name = unescape(name)
	if over(units(name), c.MaxNameLength) {
		return nil, malformed(fmt.Sprintf("a name is longer than %d", c.MaxNameLength), nil)
	}
	p := &Part{Name: name, Header: raw.Header, ContentType: "text/plain", Encoding: "7bit", from: raw, cfg: c}
	if t := raw.Header.Get("Content-Type"); t != "" {
		p.ContentType = t
	}
	if e := raw.Header.Get("Content-Transfer-Encoding"); e != "" {
		p.Encoding = strings.ToLower(e)
	}
	filename, hasFilename := params["filename"]
	p.File = hasFilename || p.essence() == "application/octet-stream"
	p.Filename = unescape(filename)
	if !c.PreservePath {
		p.Filename = base(p.Filename)
	}
	p.limit = c.MaxFieldBytes
	if p.File {
		p.limit = c.MaxFileBytes
	}
	p.left = p.limit
	return p, nil
}

// disposition reads the parameters of form-data. Of name and name*, filename and
// filename*, the plain one counts: RFC 7578 section 4.2 forbids the other, which some
// clients send beside it, and a filter before us need not know it.
func disposition(h textproto.MIMEHeader) (map[string]string, error) {
	lines := h["Content-Disposition"]
	if len(lines) != 1 {
		return nil, fmt.Errorf("%d lines of Content-Disposition", len(lines))
	}
	kind, params, err := mime.ParseMediaType(lines[0])
	if err != nil || kind != "form-data" {
		return nil, cmp.Or(err, errors.New("the disposition is not form-data"))
	}
	var plain []string
	for piece := range header.Parameters(lines[0]) {
		if name, _, _ := strings.Cut(piece, "="); !strings.Contains(name, "*") {
			plain = append(plain, piece)
		}
	}
	_, own, err := mime.ParseMediaType(strings.Join(plain, ";"))
	maps.Copy(params, own)
	return params, err
}

// unescape undoes what browsers do to names and filenames:
// https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
func unescape(s string) string {
	return strings.NewReplacer("%22", `"`, "%0D", "\r", "%0A", "\n").Replace(content.UTF8(s))
}

// maxHeaderBytes bounds the headers of one part, as busboy's parser does.
const maxHeaderBytes = 80 << 10

func (c *Config) checkHeader(h textproto.MIMEHeader) error {
	lines, size := 0, 0
	for name, values := range h {
		for _, value := range values {
			lines++
			size += len(name) + len(value)
		}
	}
	switch {
	case over(lines, c.MaxPartHeaders):
		return malformed(fmt.Sprintf("a part has more than %d headers", c.MaxPartHeaders), nil)
	case size > maxHeaderBytes:
		return malformed(fmt.Sprintf("the headers of a part are larger than %d bytes", maxHeaderBytes), nil)
	}
	return nil
}

func (p *Part) essence() string {
	essence, _, _ := strings.Cut(p.ContentType, ";")
	return strings.ToLower(strings.TrimSpace(essence))
}

// base is what stands behind the last separator of either kind.
func base(filename string) string {
	name := filename[strings.LastIndexAny(filename, `/\`)+1:]
	if name == "." || name == ".." {
		return ""
	}
	return name
}

// units is the length of s in UTF-16.
func units(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// Read reads the part's content. An error other than io.EOF is a [*web.Error].
func (p *Part) Read(b []byte) (int, error) {
	if p.limit >= 0 && int64(len(b)) > p.left+1 {
		b = b[:p.left+1] // one more tells whether there is more
	}
	n, err := p.from.Read(b)
	if p.limit >= 0 && int64(n) > p.left {
		n = int(p.left)
		p.left = 0
		return n, p.tooLarge()
	}
	if p.limit >= 0 {
		p.left -= int64(n)
	}
	if err != nil && err != io.EOF { //nolint:errorlint // io.Reader's end is io.EOF itself
		err = failure(err)
	}
	return n, err
}

func (p *Part) tooLarge() *web.Error {
	detail := fmt.Sprintf("the field %q must not be larger than %d bytes", content.Short(p.Name), p.limit)
	if p.File {
		detail = fmt.Sprintf("the file %q must not be larger than %d bytes", content.Short(p.Filename), p.limit)
	}
	return &web.Error{Status: http.StatusRequestEntityTooLarge, Detail: detail, Fields: []web.FieldError{{Detail: detail, Parameter: p.Name}}}
}

// Text reads the rest of the part as text, in the charset that it says it has.
func (p *Part) Text() (string, error) {
	b, err := io.ReadAll(p)
	if err != nil {
		return "", err
	}
	_, params, _ := mime.ParseMediaType(p.ContentType)
	charset := cmp.Or(params["charset"], p.cfg.DefaultCharset)
	if charsetOf(charset) == unknown {
		return "", &web.Error{
			Status: http.StatusUnsupportedMediaType,
			Detail: fmt.Sprintf("the charset %q of the field %q is not supported: send UTF-8", content.Short(charset), content.Short(p.Name)),
		}
	}
	return decode(b, charset), nil
}

// field reads the part to its end.
func (p *Part) field() (Field, error) {
	if !p.File {
		text, err := p.Text()
		return Field{Name: p.Name, Value: text}, err
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(p); err != nil {
		return Field{}, err
	}
	return Field{Name: p.Name, File: &File{
		Filename: p.Filename, ContentType: p.ContentType, Encoding: p.Encoding, Header: p.Header, Content: b.Bytes(),
	}}, nil
}

type charset int

const (
	unknown charset = iota
	utf8Set
	latin1
)

// charsetOf knows what forms are written in. Others need golang.org/x/text and
// a handler that reads bytes.
func charsetOf(name string) charset {
	switch strings.ToLower(name) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return utf8Set
	case "iso-8859-1", "latin1", "latin-1":
		return latin1
	}
	return unknown
}

func decode(b []byte, name string) string {
	if charsetOf(name) != latin1 {
		return content.UTF8(string(b))
	}
	out := make([]byte, 0, len(b)+len(b)/8)
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return string(out)
}
