// Runs one of Vitess' programs. They refuse to run for root, but a container often has no other user. So
// only the real user changes: the effective one may still read root's files.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	err := run(os.Args[1:])
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func run(command []string) error {
	if len(command) == 0 {
		return fmt.Errorf("usage: unprivileged PROGRAM [ARGUMENTS]")
	}
	if os.Getuid() == 0 {
		if err := syscall.Setreuid(1, 0); err != nil {
			return err
		}
	}
	return syscall.Exec(command[0], command, os.Environ())
}
