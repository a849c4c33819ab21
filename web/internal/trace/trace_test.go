package trace

import (
	"context"
	"testing"
)

func TestTheStackReachesTheReader(t *testing.T) {
	var tr Trace
	Record(context.Background(), []byte("nobody reads"))
	Record(With(context.Background(), &tr), []byte("stack"))
	if string(tr.Stack) != "stack" {
		t.Errorf("got %q", tr.Stack)
	}
}
