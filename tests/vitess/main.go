// vtcombo (vtgate, vttablet and a topology in one process) that asks for passwords, for which the
// stock program has no flag.
package main

import (
	"fmt"
	"os"
	"syscall"

	"vitess.io/vitess/go/cmd/vtcombo/cli"
	"vitess.io/vitess/go/exit"
	"vitess.io/vitess/go/mysql"
	"vitess.io/vitess/go/vt/log"
	"vitess.io/vitess/go/vt/mysqlctl"
	"vitess.io/vitess/go/vt/vtgate"
)

func main() {
	defer exit.Recover()
	if err := run(); err != nil {
		log.Error(fmt.Sprint(err))
		exit.Return(1)
	}
}

func run() error {
	// Vitess does not run for root, and a container often has no other user. Only the real user
	// changes: the effective one may still read root's files.
	if os.Getuid() == 0 {
		if err := syscall.Setreuid(1, 0); err != nil {
			return err
		}
	}
	// All tablets share one MySQL, so that there is nothing to replicate.
	mysqlctl.DisableActiveReparents = true
	users := cli.Main.Flags().String("users", "",
		"file of the users and their passwords, as vtgate's --mysql-auth-server-static-file; read again on SIGHUP")
	if err := cli.Main.MarkFlagRequired("users"); err != nil {
		return err
	}
	vtgate.RegisterPluginInitializer(func() {
		mysql.RegisterAuthServer("static", mysql.NewAuthServerStaticWithAuthMethodDescription(
			*users, "", 0, mysql.CachingSha2Password))
	})
	return cli.Main.Execute()
}
