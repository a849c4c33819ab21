package shape_test

import (
	"fmt"

	"github.com/gomiddy/middy/emulator/internal/shape"
)

func ExampleDecode() {
	type getSecretValue struct {
		SecretId     string  `aws:"required,len=1:2048"`
		VersionId    *string `aws:"len=32:64"`
		VersionStage *string `aws:"len=1:256"`
	}
	fmt.Println(shape.Decode([]byte(`{"VersionId":"1"}`), &getSecretValue{}))
	var in getSecretValue
	fmt.Println(shape.Decode([]byte(`{"SecretId":"db"}`), &in), in.SecretId)
	// Output:
	// ValidationException: 2 validation errors detected: Value null at 'secretId' failed to satisfy constraint: Member must not be null; Value '1' at 'versionId' failed to satisfy constraint: Member must have length greater than or equal to 32
	// <nil> db
}
