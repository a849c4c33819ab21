package cli

import "os"

// holdLock makes a file that stays open: Windows refuses to remove it meanwhile.
func holdLock(path string) (*os.File, error) { return os.Create(path) }

// abandoned leaves everything: there is no portable way to ask.
func abandoned(string) bool { return false }
