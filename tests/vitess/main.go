// vtcombo (vtgate, vttablet and a topology in one process) that asks for passwords, for which the
// stock program has no flag.
package main

import (
	"fmt"

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
