package cli

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/gomiddy/middy/emulator/runtimeapi"
)

// functionEnv is what the user declares for the function: the file, then --env,
// which wins.
// A name in the file that Lambda does not take is left out with a warning: such files
// have lines for other programs, too.
func functionEnv(file string, given []string, warn func(string)) ([]string, error) {
	var env []string
	if file != "" {
		vars, err := readEnvFile(file)
		if err != nil {
			return nil, err
		}
		for _, kv := range vars {
			if err := runtimeapi.ValidateEnv([]string{kv}); err != nil && !strings.Contains(err.Error(), "bytes together") {
				warn(fmt.Sprintf("%s: left out: %s", file, clean(err)))
				continue
			}
			env = append(env, kv)
		}
	}
	env = append(env, given...)
	if err := runtimeapi.ValidateEnv(env); err != nil {
		return nil, failf("the function's environment: %s", clean(err))
	}
	return env, nil
}

// readEnvFile reads NAME=VALUE lines; # begins a comment line, a value may stand
// in quotes, "export " is skipped. Its errors show a line's number, never its text.
func readEnvFile(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, failf("--env-file cannot be read: %w", err)
	}
	defer f.Close()
	var env []string
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if !ok {
			return nil, failf("%s:%d has no \"=\"; a line is NAME=VALUE", path, n)
		}
		env = append(env, strings.TrimSpace(name)+"="+unquote(strings.TrimSpace(value)))
	}
	if err := lines.Err(); err != nil {
		return nil, failf("%s cannot be read: %w", path, err)
	}
	return env, nil
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// clean drops the name of the package that an error begins with, and puts joined
// errors on one line: people read sentences, programs read error chains.
func clean(err error) string {
	if joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		var parts []string
		for _, e := range joined.Unwrap() {
			parts = append(parts, clean(e))
		}
		return strings.Join(parts, "; ")
	}
	text := err.Error()
	for _, name := range []string{"runtimeapi: ", "emulator: ", "seed: ", "frontdoor: ", "websocket: ", "secretsmanager: ", "ssm: ", "sigv4: ", "persist: ", "cli: "} {
		text = strings.TrimPrefix(text, name)
	}
	return text
}
