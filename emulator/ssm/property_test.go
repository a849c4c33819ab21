package ssm_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomiddy/middy/emulator/service"
	"github.com/gomiddy/middy/emulator/ssm"
)

// A write that cannot be kept is answered with a 500 and changes nothing.
func TestAFailedSaveChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	st := newStage(t, ssm.Config{Dir: dir})
	st.put("/s", "kept")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for operation, body := range map[string]string{
		"PutParameter":            `{"Name":"/s","Value":"lost","Overwrite":true}`,
		"DeleteParameter":         `{"Name":"/s"}`,
		"DeleteParameters":        `{"Names":["/s"]}`,
		"LabelParameterVersion":   `{"Name":"/s","Labels":["lost"]}`,
		"UnlabelParameterVersion": `{"Name":"/s","ParameterVersion":1,"Labels":["x"]}`,
		"AddTagsToResource":       `{"ResourceType":"Parameter","ResourceId":"/s","Tags":[{"Key":"a","Value":"b"}]}`,
	} {
		_, err := st.call(operation, "%s", body)
		var e *service.Error
		if !errors.As(err, &e) || e.Status != 500 || e.Code != "InternalServerError" {
			t.Errorf("%s: got %v", operation, err)
		}
	}
	if got := st.read("/s"); got != "/s<nil> kept 1" || !slices.Equal(st.Names(), []string{"/s"}) {
		t.Errorf("got %s of %v", got, st.Names())
	}
	if got := st.read("/s:lost"); !strings.HasPrefix(got, "ParameterVersionNotFound") {
		t.Errorf("got %s", got)
	}
}

// FuzzCall: any body for any operation is answered, with AWS's errors, without a
// panic.
func FuzzCall(f *testing.F) {
	operations := []string{"AddTagsToResource", "DescribeParameters", "GetParameter", "GetParameterHistory", "GetParameters", "GetParametersByPath",
		"LabelParameterVersion", "PutParameter", "UnlabelParameterVersion", "RemoveTagsFromResource", "ListTagsForResource"}
	for i, body := range []string{`{"ResourceType":"Parameter","ResourceId":"/s","Tags":[{"Key":"a","Value":"b"}]}`, `{"ParameterFilters":[{"Key":"tag:a"}]}`,
		`{"Name":"/s:1","WithDecryption":true}`, `{"Name":"/s","NextToken":"MTIzNDU2Nzg5MDEyMzQ1Njc="}`, `{"Names":["/s:live","arn:aws:ssm:us-east-1:123456789012:parameter/s"]}`,
		`{"Path":"/","ParameterFilters":[{"Key":"Label","Values":["x"]}]}`, `{"Name":"/s","Labels":["x"]}`, `{"Name":"/t","Value":"v","Type":"String","AllowedPattern":"("}`} {
		f.Add(uint8(i), []byte(body))
	}
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		s := ssm.New(ssm.Config{})
		if err := s.PutSecure("/s", "CANARY"); err != nil {
			t.Fatal(err)
		}
		_, err := s.Call(context.Background(), &service.Call{Operation: operations[int(n)%len(operations)], Body: body})
		var e *service.Error
		if err != nil && (!errors.As(err, &e) || e.Status != 0 || strings.Contains(e.Message, "CANARY")) {
			t.Fatalf("got %v", err)
		}
	})
}
