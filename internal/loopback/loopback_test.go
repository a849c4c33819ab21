package loopback

import "testing"

func TestHost(t *testing.T) {
	for _, c := range []struct {
		host string
		want bool
	}{
		{"localhost", true}, {"LOCALHOST:3000", true}, {"localhost.", true}, {"api.localhost:1", true},
		{"127.0.0.1", true}, {"127.0.0.1:3000", true}, {"127.9.9.9", true}, {"[::1]:3000", true}, {"[::1]", true}, {"::1", true}, {"[::ffff:127.0.0.1]", true},
		{"", false}, {":3000", false}, {"example.com", false}, {"localhost.example.com", false}, {"notlocalhost", false}, {"127.0.0.1.example.com", false},
		{"0.0.0.0", false}, {"192.168.0.1:80", false}, {"[fe80::1]", false}, {"0x7f.1", false},
	} {
		if got := Host(c.host); got != c.want {
			t.Errorf("%q: %v", c.host, got)
		}
	}
}

func TestAddress(t *testing.T) {
	for _, c := range []struct {
		host string
		want bool
	}{{"localhost", true}, {"LocalHost", true}, {"127.0.0.1", true}, {"::1", true}, {"a.localhost", false}, {"example.com", false}, {"", false}} {
		if got := Address(c.host); got != c.want {
			t.Errorf("%q: %v", c.host, got)
		}
	}
}

func TestHostname(t *testing.T) {
	for host, want := range map[string]string{"a:1": "a", "a": "a", "[::1]:80": "::1", "[::1]": "::1", "": ""} {
		if got := Hostname(host); got != want {
			t.Errorf("%q: %q", host, got)
		}
	}
}
