package multipart

import (
	"fmt"
	stdlib "mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/gomiddy/middy/web/internal/content"
	"github.com/gomiddy/middy/web/internal/urlencoded"
)

// Fields are the parts of a body, in order.
type Fields []Field

// A Field is one part: a value, or a file.
type Field struct {
	Name  string
	Value string
	File  *File // nil for a value
}

// A File is an uploaded file. The fields mean what they mean in [Part].
type File struct {
	Filename    string
	ContentType string
	Encoding    string
	Header      textproto.MIMEHeader
	Content     []byte
}

// Value returns the first value of a name, or "".
func (f Fields) Value(name string) string {
	for _, field := range f {
		if field.Name == name && field.File == nil {
			return field.Value
		}
	}
	return ""
}

// Values returns all values of a name, in order.
func (f Fields) Values(name string) []string {
	var values []string
	for _, field := range f {
		if field.Name == name && field.File == nil {
			values = append(values, field.Value)
		}
	}
	return values
}

// File returns the first file of a name, or nil.
func (f Fields) File(name string) *File {
	for _, field := range f {
		if field.Name == name && field.File != nil {
			return field.File
		}
	}
	return nil
}

// Files returns all files of a name, in order.
func (f Fields) Files(name string) []*File {
	var files []*File
	for _, field := range f {
		if field.Name == name && field.File != nil {
			files = append(files, field.File)
		}
	}
	return files
}

// publish makes the values readable through net/http's accessors.
func (f Fields) publish(r *http.Request) {
	values := url.Values{}
	for _, field := range f {
		if field.File == nil {
			values.Add(field.Name, field.Value)
		}
	}
	r.PostForm = values
	r.Form = urlencoded.Values(r.URL.RawQuery)
	for name, body := range values {
		r.Form[name] = append(body[:len(body):len(body)], r.Form[name]...)
	}
	// Its files cannot be made by hand; without it ParseMultipartForm would parse
	// what has been read.
	r.MultipartForm = &stdlib.Form{Value: values, File: map[string][]*stdlib.FileHeader{}}
	r.Body = http.NoBody
	r.ContentLength = 0
}

// Object returns the fields as Middy's handlers get them: the last value of a name
// as a string; for a name that ends in brackets, "a[]" or "a[b]", all values as
// []string under what stands before the last bracket; a file as *[File], and several
// of one name as []*File, newest first. A name that is used in two of these ways is
// a conflict: a [*web.Error] with status 422.
func (f Fields) Object() (map[string]any, error) {
	object := make(map[string]any, len(f))
	for _, field := range f {
		key, list := field.Name, false
		if field.File == nil {
			key, list = brackets(field.Name)
		}
		var ok bool
		switch {
		case field.File != nil:
			ok = addFile(object, key, field.File)
		case list:
			ok = addValue(object, key, field.Value)
		default:
			before, taken := object[key]
			_, text := before.(string)
			ok = !taken || text
			object[key] = field.Value
		}
		if !ok {
			return nil, malformed(fmt.Sprintf("the name %q is used for things of two kinds", content.Short(key)), nil)
		}
	}
	for _, value := range object {
		if files, ok := value.([]*File); ok {
			slices.Reverse(files)
		}
	}
	return object, nil
}

// brackets splits "a[b]" into "a" and true. One look from the end: names are from
// outside.
func brackets(name string) (string, bool) {
	if !strings.HasSuffix(name, "]") {
		return name, false
	}
	if i := strings.LastIndexByte(name, '['); i >= 1 {
		return name[:i], true
	}
	return name, false
}

func addValue(object map[string]any, key, value string) bool {
	list, ok := object[key].([]string)
	if _, taken := object[key]; taken && !ok {
		return false
	}
	object[key] = append(list, value)
	return true
}

func addFile(object map[string]any, key string, file *File) bool {
	switch before := object[key].(type) {
	case nil:
		object[key] = file
	case *File:
		object[key] = []*File{before, file}
	case []*File:
		object[key] = append(before, file)
	default:
		return false
	}
	return true
}
