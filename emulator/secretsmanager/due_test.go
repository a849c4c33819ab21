package secretsmanager

import (
	"fmt"
	"testing"
	"time"

	"github.com/gomiddy/middy/emulator/service"
)

// A call looks at every secret only when something is due.
func TestTheEarliestDueInstantIsKept(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := New(Config{Now: func() time.Time { return now }})
	defer s.Close()
	call := func(operation, body string) {
		t.Helper()
		if _, err := s.Call(t.Context(), &service.Call{Operation: operation, Body: []byte(body), Now: now}); err != nil {
			t.Fatalf("%s: %v", operation, err)
		}
	}
	want := func(what string, at time.Time) {
		t.Helper()
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.due.Equal(at) {
			t.Errorf("%s: something is due at %v; want %v", what, s.due, at)
		}
	}
	day := 24 * time.Hour
	for _, name := range []string{"a", "b", "c"} {
		if err := s.Put(name, "v"); err != nil {
			t.Fatal(err)
		}
	}
	want("without deletions and rotations", time.Time{})
	call("DeleteSecret", `{"SecretId":"a","RecoveryWindowInDays":20}`)
	want("with one deletion", now.Add(20*day))
	call("DeleteSecret", `{"SecretId":"b","RecoveryWindowInDays":7}`)
	want("with an earlier one", now.Add(7*day))
	call("RestoreSecret", `{"SecretId":"b"}`)
	now = now.Add(8 * day)
	call("ListSecrets", `{}`)
	want("after a look that found nothing", now.Add(12*day))
	now = now.Add(12 * day)
	call("ListSecrets", `{}`)
	want("after the deletion", time.Time{})
	if names := fmt.Sprint(s.Names()); names != "[b c]" {
		t.Errorf("secrets %s; want a to be deleted", names)
	}
}

func TestThePagesOfAListAreOneList(t *testing.T) {
	s := New(Config{})
	for i := range 250 {
		if err := s.Put(fmt.Sprintf("s%03d", i), "v"); err != nil {
			t.Fatal(err)
		}
	}
	list := func(body string) (names []string, next string) {
		t.Helper()
		out, err := s.Call(t.Context(), &service.Call{Operation: "ListSecrets", Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range out.(listOutput).SecretList {
			names = append(names, d.Name)
		}
		return names, out.(listOutput).NextToken
	}
	first, next := list(`{"SortBy":"name"}`)
	kept := &s.listed.secrets[0]
	second, _ := list(fmt.Sprintf(`{"SortBy":"name","NextToken":%q}`, next))
	if first[0] != "s000" || second[0] != "s100" || &s.listed.secrets[0] != kept {
		t.Errorf("pages begin with %s and %s, from one list: %v; want s000 and s100 from one", first[0], second[0], &s.listed.secrets[0] == kept)
	}
	if other, _ := list(`{"SortBy":"name","SortOrder":"desc"}`); other[0] != "s249" {
		t.Errorf("another order begins with %s; want s249", other[0])
	}
	if err := s.Put("s0000", "v"); err != nil {
		t.Fatal(err)
	}
	if again, _ := list(`{"SortBy":"name","SortOrder":"desc","Filters":[{"Key":"name","Values":["s00"]}]}`); again[len(again)-2] != "s0000" {
		t.Errorf("after a change the list is %v; want it to have s0000", again)
	}
	if err := s.Delete("s0000"); err != nil {
		t.Fatal(err)
	}
	if again, _ := list(`{"SortBy":"name"}`); again[1] != "s001" {
		t.Errorf("after a deletion the list begins with %v", again[:2])
	}
}
