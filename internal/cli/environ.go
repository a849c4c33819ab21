package cli

import (
	"runtime/debug"
	"strings"
)

// environ is an environment as os.Environ has it, read-only.
type environ []string

func newEnviron(env []string) environ { return append(environ(nil), env...) }

// get returns the last value of name, as os/exec resolves duplicates.
func (e environ) get(name string) string {
	for i := len(e) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(e[i], "="); ok && k == name {
			return v
		}
	}
	return ""
}

// without returns the environment without the named variables.
func (e environ) without(names ...string) []string {
	out := make([]string, 0, len(e))
next:
	for _, kv := range e {
		for _, name := range names {
			if strings.HasPrefix(kv, name+"=") {
				continue next
			}
		}
		out = append(out, kv)
	}
	return out
}

// version is the module's version as the linker recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "middy (devel)"
	}
	return "middy " + info.Main.Version + " " + info.GoVersion
}
