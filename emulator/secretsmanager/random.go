package secretsmanager

import (
	"strings"
)

const (
	lowercase   = "abcdefghijklmnopqrstuvwxyz"
	uppercase   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits      = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

type randomInput struct {
	PasswordLength          *int64  `aws:"range=1:4096"`
	ExcludeCharacters       *string `aws:"len=0:4096"`
	ExcludeNumbers          bool
	ExcludePunctuation      bool
	ExcludeUppercase        bool
	ExcludeLowercase        bool
	IncludeSpace            bool
	RequireEachIncludedType *bool
}

type randomOutput struct{ RandomPassword string }

func (s *Service) getRandomPassword(_ *request, in *randomInput) (any, error) {
	types := in.alphabets()
	n := 32
	if in.PasswordLength != nil {
		n = int(*in.PasswordLength)
	}
	if len(types) == 0 {
		return nil, fail("InvalidParameterException", "The password can't be generated because every character is excluded.")
	}
	each := in.RequireEachIncludedType == nil || *in.RequireEachIncludedType
	if each && n < len(types) {
		return nil, fail("InvalidParameterException", "Password length is too short based on the required types.")
	}
	return randomOutput{randomPassword(n, types, each)}, nil
}

// alphabets returns the characters of each type that the request leaves.
func (in *randomInput) alphabets() []string {
	exclude := ""
	if in.ExcludeCharacters != nil {
		exclude = *in.ExcludeCharacters
	}
	var types []string
	add := func(excluded bool, alphabet string) {
		left := strings.Map(func(r rune) rune {
			if strings.ContainsRune(exclude, r) {
				return -1
			}
			return r
		}, alphabet)
		if !excluded && left != "" {
			types = append(types, left)
		}
	}
	add(in.ExcludeLowercase, lowercase)
	add(in.ExcludeUppercase, uppercase)
	add(in.ExcludeNumbers, digits)
	add(in.ExcludePunctuation, punctuation)
	add(!in.IncludeSpace, " ")
	return types
}

// randomPassword draws uniformly from all alphabets. With each it first draws one
// character of every type and shuffles, so that no position betrays a type.
func randomPassword(n int, types []string, each bool) string {
	var b []byte
	if each {
		for _, t := range types {
			b = append(b, t[randomIndex(len(t))])
		}
	}
	all := strings.Join(types, "")
	for len(b) < n {
		b = append(b, all[randomIndex(len(all))])
	}
	for i := len(b) - 1; i > 0; i-- {
		j := randomIndex(i + 1)
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}
