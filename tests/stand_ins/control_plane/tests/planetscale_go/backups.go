package main

import (
	"context"

	"github.com/planetscale/planetscale-go/planetscale"
)

// Creates, reads and deletes a backup of production, and creates a branch from it.
func backups(ctx context.Context, client *planetscale.Client, name string) {
	made, err := client.Backups.Create(ctx, &planetscale.CreateBackupRequest{
		Organization: organization, Database: database, Branch: production,
		Name: "before", RetentionUnit: "day", RetentionValue: 3,
	})
	check("Backups.Create", err)
	expect("Backups.Create", "the name", made.Name, "before")
	expect("Backups.Create", "the state", made.State, "pending")
	expect("Backups.Create", "the days that it is kept", made.ExpiresAt.Sub(made.CreatedAt).Hours(), 3*24)
	expect("Backups.Create", "whether it has begun", made.StartedAt.IsZero(), true)

	get := &planetscale.GetBackupRequest{
		Organization: organization, Database: database, Branch: production, Backup: made.PublicID,
	}
	found := made
	wait(ctx, "Backups.Get", "waits for a backup", func() bool {
		found, err = client.Backups.Get(ctx, get)
		check("Backups.Get", err)
		return found.State == "success"
	})
	expectTime("Backups.Get", "started_at", found.StartedAt)
	expectTime("Backups.Get", "completed_at", found.CompletedAt)
	if found.Size <= 0 || found.Actor == nil {
		fail("Backups.Get does not tell its size or who has made it")
	}
	all, err := client.Backups.List(ctx, &planetscale.ListBackupsRequest{
		Organization: organization, Database: database, Branch: production,
	})
	check("Backups.List", err)
	expect("Backups.List", "the number", len(all), 1)
	expect("Backups.List", "the id", all[0].PublicID, made.PublicID)

	_, err = client.DatabaseBranches.Create(ctx, &planetscale.CreateDatabaseBranchRequest{
		Organization: organization, Database: database, Name: name, ParentBranch: production,
		BackupID: made.PublicID, ClusterSize: "PS_10",
	})
	check("DatabaseBranches.Create of a backup", err)
	check("Backups.Delete", client.Backups.Delete(ctx, &planetscale.DeleteBackupRequest{
		Organization: organization, Database: database, Branch: production, Backup: made.PublicID,
	}))
	_, err = client.Backups.Get(ctx, get)
	expectCode("Backups.Get of a deleted one", err, planetscale.ErrNotFound)
}
