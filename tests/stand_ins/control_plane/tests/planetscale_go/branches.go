package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"

	"github.com/planetscale/planetscale-go/planetscale"
)

// The table that a branch changes has the name of the branch.
func tableOf(branch string) string { return branch }

// Creates a branch, waits until it is ready, and prints an admin password for it.
func branch(ctx context.Context, client *planetscale.Client, name string) {
	made, err := client.DatabaseBranches.Create(ctx, &planetscale.CreateDatabaseBranchRequest{
		Organization: organization, Database: database, Name: name, ParentBranch: production,
	})
	const create = "DatabaseBranches.Create"
	check(create, err)
	expect(create, "the name", made.Name, name)
	expect(create, "the parent", made.ParentBranch, production)
	expect(create, "ready", made.Ready, false)
	expect(create, "production", made.Production, false)
	expect(create, "safe_migrations", made.SafeMigrations, false)
	expect(create, "the actor", made.Actor.ID, os.Getenv("PLANETSCALE_SERVICE_TOKEN_ID"))
	expectTime(create, "created_at", made.CreatedAt)

	found := made
	wait(ctx, "DatabaseBranches.Get", "waits for a branch", func() bool {
		found = branchNamed(ctx, client, name)
		return found.Ready
	})
	expect("DatabaseBranches.Get", "the id", found.ID, made.ID)
	branches, err := client.DatabaseBranches.List(ctx,
		&planetscale.ListDatabaseBranchesRequest{Organization: organization, Database: database})
	check("DatabaseBranches.List", err)
	kinds := map[string]bool{}
	for _, branch := range branches {
		kinds[branch.Name] = branch.Production
	}
	expect("DatabaseBranches.List", "the number of names", len(kinds), len(branches))
	expect("DatabaseBranches.List", "production of main", kinds[production], true)
	listed, there := kinds[name]
	expect("DatabaseBranches.List", "whether the new one is there", there, true)
	expect("DatabaseBranches.List", "production of the new one", listed, false)

	promote(ctx, client, name)
	usePasswords(ctx, client, name)
}

func branchNamed(ctx context.Context, client *planetscale.Client, name string) *planetscale.DatabaseBranch {
	found, err := client.DatabaseBranches.Get(ctx, &planetscale.GetDatabaseBranchRequest{
		Organization: organization, Database: database, Branch: name,
	})
	check("DatabaseBranches.Get", err)
	expect("DatabaseBranches.Get", "the name", found.Name, name)
	return found
}

// Enables safe migrations and disables them again.
func protect(ctx context.Context, client *planetscale.Client, name string) {
	enabled, err := client.DatabaseBranches.EnableSafeMigrations(ctx,
		&planetscale.EnableSafeMigrationsRequest{Organization: organization, Database: database, Branch: name})
	check("DatabaseBranches.EnableSafeMigrations", err)
	expect("DatabaseBranches.EnableSafeMigrations", "safe_migrations", enabled.SafeMigrations, true)
	expect("DatabaseBranches.Get", "safe_migrations", branchNamed(ctx, client, name).SafeMigrations, true)
	disabled, err := client.DatabaseBranches.DisableSafeMigrations(ctx,
		&planetscale.DisableSafeMigrationsRequest{Organization: organization, Database: database, Branch: name})
	check("DatabaseBranches.DisableSafeMigrations", err)
	expect("DatabaseBranches.DisableSafeMigrations", "safe_migrations", disabled.SafeMigrations, false)
}

// Promotes a branch, which allows safe migrations, and demotes it again.
func promote(ctx context.Context, client *planetscale.Client, name string) {
	promoted, err := client.DatabaseBranches.Promote(ctx,
		&planetscale.PromoteRequest{Organization: organization, Database: database, Branch: name})
	check("DatabaseBranches.Promote", err)
	expect("DatabaseBranches.Promote", "production", promoted.Production, true)
	protect(ctx, client, name)
	demoted, err := client.DatabaseBranches.Demote(ctx,
		&planetscale.DemoteRequest{Organization: organization, Database: database, Branch: name})
	check("DatabaseBranches.Demote", err)
	expect("DatabaseBranches.Demote", "production", demoted.Production, false)
}

// Creates, renews and deletes a password, and prints another one for use.
func usePasswords(ctx context.Context, client *planetscale.Client, name string) {
	const create = "Passwords.Create"
	made := newPassword(ctx, client, name, "reader")
	expect(create, "the role", made.Role, "reader")
	expect(create, "ttl_seconds", made.TTL, 600)
	expect(create, "renewable", made.Renewable, true)
	expect(create, "the branch", made.Branch.Name, name)
	expect(create, "the time that it lives", made.ExpiresAt.Sub(made.CreatedAt).Seconds(), 600)
	expect(create, "whether it is deleted", made.DeletedAt.IsZero(), true)
	expectTime(create, "created_at", made.CreatedAt)
	if made.Username == "" || made.Hostname == "" || !strings.HasPrefix(made.PlainText, "pscale_pw_") {
		fail("%s does not tell how to log in", create)
	}

	get := &planetscale.GetDatabaseBranchPasswordRequest{
		Organization: organization, Database: database, Branch: name, PasswordId: made.PublicID,
	}
	found, err := client.Passwords.Get(ctx, get)
	check("Passwords.Get", err)
	expect("Passwords.Get", "the user", found.Username, made.Username)
	expect("Passwords.Get", "the password, which is told once only", found.PlainText, "")
	// Without a branch, all passwords are listed.
	for _, of := range []string{name, ""} {
		passwords, err := client.Passwords.List(ctx, &planetscale.ListDatabaseBranchPasswordRequest{
			Organization: organization, Database: database, Branch: of,
		})
		check("Passwords.List", err)
		listed := false
		for _, password := range passwords {
			listed = listed || password.PublicID == made.PublicID
		}
		expect("Passwords.List", "whether the new one is there", listed, true)
	}
	renewed, err := client.Passwords.Renew(ctx, &planetscale.RenewDatabaseBranchPasswordRequest{
		Organization: organization, Database: database, Branch: name, PasswordId: made.PublicID,
	})
	check("Passwords.Renew", err)
	if !renewed.ExpiresAt.After(made.ExpiresAt) {
		fail("Passwords.Renew does not give it more time")
	}
	check("Passwords.Delete", client.Passwords.Delete(ctx, &planetscale.DeleteDatabaseBranchPasswordRequest{
		Organization: organization, Database: database, Branch: name, PasswordId: made.PublicID,
	}))
	_, err = client.Passwords.Get(ctx, get)
	expectCode("Passwords.Get of a deleted one", err, planetscale.ErrNotFound)

	password := newPassword(ctx, client, name, "admin")
	check("writing the password", json.NewEncoder(os.Stdout).Encode(map[string]string{
		"access_host_url": password.Hostname,
		"username":        password.Username,
		"plain_text":      password.PlainText,
	}))
}

func newPassword(ctx context.Context, client *planetscale.Client, branch, role string) *planetscale.DatabaseBranchPassword {
	made, err := client.Passwords.Create(ctx, &planetscale.DatabaseBranchPasswordRequest{
		Organization: organization, Database: database, Branch: branch, Name: role, Role: role, TTL: 600,
	})
	check("Passwords.Create", err)
	return made
}

// Reads the changes of a branch: a new table, and one with a lint error.
func compare(ctx context.Context, client *planetscale.Client, name string) {
	check("DatabaseBranches.RefreshSchema", client.DatabaseBranches.RefreshSchema(ctx,
		&planetscale.RefreshSchemaRequest{Organization: organization, Database: database, Branch: name}))
	schema, err := client.DatabaseBranches.Schema(ctx, &planetscale.BranchSchemaRequest{
		Organization: organization, Database: database, Branch: name, Keyspace: database,
	})
	check("DatabaseBranches.Schema", err)
	if table := tableIn(schema, tableOf(name)); table == nil || !strings.HasPrefix(table.Raw, "CREATE TABLE") {
		fail("DatabaseBranches.Schema does not show the new table")
	}
	diff, err := client.DatabaseBranches.Diff(ctx,
		&planetscale.DiffBranchRequest{Organization: organization, Database: database, Branch: name})
	check("DatabaseBranches.Diff", err)
	if table := tableIn(diff, tableOf(name)); table == nil || !strings.HasPrefix(table.Raw, "+CREATE TABLE") {
		fail("DatabaseBranches.Diff does not show the new table")
	}

	lint := "DatabaseBranches.LintSchema"
	findings, err := client.DatabaseBranches.LintSchema(ctx,
		&planetscale.LintSchemaRequest{Organization: organization, Database: database, Branch: name})
	check(lint, err)
	expect(lint, "the number", len(findings), 1)
	expect(lint, "the error", findings[0].LintError, "NO_UNIQUE_KEY")
	expect(lint, "the table", findings[0].Table, "loose")
	expect(lint, "the keyspace", findings[0].Keyspace, database)
	if findings[0].ErrorDescription == "" || findings[0].DocsURL == "" {
		fail("%s does not explain what is wrong", lint)
	}
}

// Finds a table in a schema or a difference.
func tableIn(tables []*planetscale.Diff, name string) *planetscale.Diff {
	for _, table := range tables {
		if table.Name == name && table.HTML != "" {
			return table
		}
	}
	return nil
}

// Deletes a branch.
func remove(ctx context.Context, client *planetscale.Client, name string) {
	check("DatabaseBranches.Delete", client.DatabaseBranches.Delete(ctx,
		&planetscale.DeleteDatabaseBranchRequest{Organization: organization, Database: database, Branch: name}))
	_, err := client.DatabaseBranches.Get(ctx, &planetscale.GetDatabaseBranchRequest{
		Organization: organization, Database: database, Branch: name,
	})
	expectCode("DatabaseBranches.Get of a deleted one", err, planetscale.ErrNotFound)
	err = client.DatabaseBranches.Delete(ctx,
		&planetscale.DeleteDatabaseBranchRequest{Organization: organization, Database: database, Branch: production})
	expectCode("DatabaseBranches.Delete of production", err, planetscale.ErrInvalid)
}
