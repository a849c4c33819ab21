package shape_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/gomiddy/middy/emulator/internal/shape"
	"github.com/gomiddy/middy/emulator/service"
)

type inner struct {
	Key  string `aws:"required,len=1:3"`
	Kind string `enum:"a|b"`
}

type input struct {
	ID     string   `aws:"required,len=1:5" pattern:"^[a-zé]+$"`
	Opt    *string  `aws:"len=2:4"`
	Secret *string  `aws:"bytes=1:4,sensitive"`
	Blob   []byte   `aws:"bytes=1:2"`
	Count  *int64   `aws:"range=1:10"`
	Plain  int64    `aws:"range=0:10"`
	Flag   bool     ``
	List   []string `aws:"len=1:2" item:"len=1:2" itempattern:"^x"`
	Many   []inner  `aws:"len=0:2"`
	One    *inner
}

func ptr[T any](v T) *T { return &v }

func TestMembersAreReadByTheirExactNames(t *testing.T) {
	var in input
	err := shape.Decode([]byte(`{"ID":"é","Opt":"ab","Secret":"x","Blob":"AAE=","Count":3,"Plain":2,"Flag":true,"List":["x1"],
		"Many":[{"Key":"k","Kind":"a"}],"One":{"Key":"o"},"id":"other","Unknown":[1,{"a":null}],"Other":1e999}`), &in)
	want := input{ID: "é", Opt: ptr("ab"), Secret: ptr("x"), Blob: []byte{0, 1}, Count: ptr(int64(3)), Plain: 2, Flag: true, List: []string{"x1"},
		Many: []inner{{"k", "a"}}, One: &inner{Key: "o"}}
	if err != nil || !reflect.DeepEqual(in, want) {
		t.Errorf("got %+v %v", in, err)
	}
}

func TestNullIsAbsent(t *testing.T) {
	var in input
	if err := shape.Decode([]byte(`{"ID":"a","Opt":null,"List":null,"One":null,"Flag":null}`), &in); err != nil || in.Opt != nil || in.List != nil || in.One != nil {
		t.Errorf("got %+v %v", in, err)
	}
}

func TestMistakesAreReportedInAWSWords(t *testing.T) {
	const one = "ValidationException: 1 validation error detected: Value"
	for body, want := range map[string]string{
		``:                                   one + " null at 'iD' failed to satisfy constraint: Member must not be null",
		`{}`:                                 one + " null at 'iD' failed to satisfy constraint: Member must not be null",
		`{"ID":""}`:                          "ValidationException: 2 validation errors detected: Value '' at 'iD' failed to satisfy constraint: Member must have length greater than or equal to 1; Value ''",
		`{"ID":"abcdef"}`:                    one + " 'abcdef' at 'iD' failed to satisfy constraint: Member must have length less than or equal to 5",
		`{"ID":"A"}`:                         one + " 'A' at 'iD' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zé]+$",
		`{"ID":"a","Opt":""}`:                one + " '' at 'opt' failed to satisfy constraint: Member must have length greater than or equal to 2",
		`{"ID":"a","Secret":"CANARY"}`:       one + " at 'secret' failed to satisfy constraint: Member must have length less than or equal to 4",
		`{"ID":"a","Secret":"ééé"}`:          one + " at 'secret' failed to satisfy constraint: Member must have length less than or equal to 4",
		`{"ID":"a","Blob":"AAAA"}`:           one + " at 'blob' failed to satisfy constraint: Member must have length less than or equal to 2",
		`{"ID":"a","Count":0}`:               one + " '0' at 'count' failed to satisfy constraint: Member must have value greater than or equal to 1",
		`{"ID":"a","Count":11}`:              one + " '11' at 'count' failed to satisfy constraint: Member must have value less than or equal to 10",
		`{"ID":"a","List":[]}`:               one + " '[]' at 'list' failed to satisfy constraint: Member must have length greater than or equal to 1",
		`{"ID":"a","List":["x","x","x"]}`:    one + " '[x, x, x]' at 'list' failed to satisfy constraint: Member must have length less than or equal to 2",
		`{"ID":"a","List":["x","y"]}`:        one + " 'y' at 'list.2.member' failed to satisfy constraint: Member must satisfy regular expression pattern: ^x",
		`{"ID":"a","List":[null]}`:           "2 validation errors detected: Value '' at 'list.1.member'",
		`{"ID":"a","Many":[{"Key":"k"},{}]}`: one + " null at 'many.2.member.key' failed to satisfy constraint: Member must not be null",
		`{"ID":"a","Many":[{"Key":"k"},{"Key":"k"},{"Key":"k"}]}`: one + " at 'many' failed to satisfy constraint: Member must have length less than or equal to 2",
		`{"ID":"a","Many":[{"Key":"k","Kind":"c"}]}`:              one + " 'c' at 'many.1.member.kind' failed to satisfy constraint: Member must satisfy enum value set: [a, b]",
		`{"ID":"a","One":{}}`:                                     one + " null at 'one.key' failed to satisfy constraint: Member must not be null",
		`{"Count":0}`:                                             "ValidationException: 2 validation errors detected: Value null at 'iD' failed to satisfy constraint: Member must not be null; Value '0' at 'count'",
		`{"ID":1}`:                                                "SerializationException: NUMBER_VALUE can not be converted to a String",
		`{"ID":true}`:                                             "SerializationException: TRUE_VALUE can not be converted to a String",
		`{"ID":[]}`:                                               "SerializationException: Start of list found where not expected",
		`{"ID":{}}`:                                               "SerializationException: Start of structure or map found where not expected.",
		`{"Flag":"CANARY"}`:                                       "SerializationException: STRING_VALUE can not be converted to a Boolean",
		`{"Count":"1"}`:                                           "SerializationException: STRING_VALUE can not be converted to a Long",
		`{"Count":1.5}`:                                           "SerializationException: NUMBER_VALUE can not be converted to a Long",
		`{"Blob":1}`:                                              "SerializationException: NUMBER_VALUE can not be converted to a Blob",
		`{"Blob":"CANARY!"}`:                                      "SerializationException: A blob member is not valid base64.",
		`{"List":"x"}`:                                            "SerializationException: STRING_VALUE can not be converted to a list",
		`{"List":[1]}`:                                            "SerializationException: NUMBER_VALUE can not be converted to a String",
		`{"One":"CANARY"}`:                                        "SerializationException: STRING_VALUE can not be converted to a structure",
		`{"ID":"CANARY"`:                                          "SerializationException: The request body is not valid JSON.",
		`{} CANARY`:                                               "SerializationException: The request body has data after its JSON object.",
		`["CANARY"]`:                                              "SerializationException: Unexpected token at the start of the request body",
	} {
		err := shape.Decode([]byte(body), new(input))
		var e *service.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", body, err, want)
			continue
		}
		if strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: the error quotes the body: %v", body, err)
		}
	}
}

func TestATypeWithoutARuleIsOurFault(t *testing.T) {
	var in struct{ F float64 }
	var e *service.Error
	if err := shape.Decode([]byte(`{"F":1}`), &in); !errors.As(err, &e) || e.Status != 500 {
		t.Errorf("got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"ID":"a","List":["x"],"Many":[{"Key":"k"}],"Blob":"AA=="}`, `{"One":{"Key":null}}`, `[[[`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var in input
		err := shape.Decode(body, &in)
		var e *service.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("an error that is not AWS's: %v", err)
		}
		if err == nil && (in.ID == "" || len(in.List) > 2 || in.Secret != nil && len(*in.Secret) > 4) {
			t.Fatalf("a broken constraint passed: %+v", in)
		}
	})
}
