// Command mute is a program that is no function.
package main

import "os"

func main() { os.Exit(3) }
