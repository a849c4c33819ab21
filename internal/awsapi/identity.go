package awsapi

import (
	"reflect"
	"unsafe"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Identity returns a comparable value that is equal for one and the same
// credentials provider, and different for any two whose credentials may differ.
//
// A provider that is a function cannot be compared in Go, and reflect's Pointer
// is the address of its code, which two closures with different keys share. The
// function value itself is a pointer to the closure; that one is unique, and
// holding it keeps the closure from being replaced by another.
func Identity(p aws.CredentialsProvider) any {
	if f, ok := p.(aws.CredentialsProviderFunc); ok {
		return *(*unsafe.Pointer)(unsafe.Pointer(&f))
	}
	if v := reflect.ValueOf(p); !v.IsValid() || v.Comparable() {
		return p
	}
	return new(int) // unlike any other
}
