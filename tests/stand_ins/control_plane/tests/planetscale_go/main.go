// Drives the local control plane with PlanetScale's own Go library, unchanged.
//
// The first argument is a stage, the second the branch that it is about. A stage makes its calls,
// holds every answer against what it should be, and exits with 1 and a sentence that names the
// call where one is wrong. What the branch is to change is applied between the stages, with the
// password that the stage "branch" has printed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/planetscale/planetscale-go/planetscale"
)

const (
	organization = "local"
	database     = "orders"
	production   = "main"
)

// How long a stage may take, and how often it looks while it waits.
const (
	deadline = time.Minute
	pace     = 10 * time.Millisecond
)

// What the stages are called by.
var stages = map[string]func(context.Context, *planetscale.Client, string){
	"look":    look,
	"branch":  branch,
	"compare": compare,
	"open":    open,
	"approve": approve,
	"deploy":  deploy,
	"revert":  revert,
	"cancel":  cancel,
	"queue":   queue,
	"remove":  remove,
	"backups": backups,
}

func main() {
	if len(os.Args) != 3 || stages[os.Args[1]] == nil {
		fail("which stage, and of which branch?")
	}
	ctx, stop := context.WithTimeout(context.Background(), deadline)
	defer stop()
	client := connect(os.Getenv("PLANETSCALE_SERVICE_TOKEN"))
	stages[os.Args[1]](ctx, client, os.Args[2])
}

// The client of a service token, as every user of the library makes it.
func connect(token string) *planetscale.Client {
	client, err := planetscale.NewClient(
		planetscale.WithBaseURL(os.Getenv("PLANETSCALE_API_URL")),
		planetscale.WithServiceToken(os.Getenv("PLANETSCALE_SERVICE_TOKEN_ID"), token),
	)
	check("NewClient", err)
	return client
}

// Everything above branches, and what the library makes of refusals.
func look(ctx context.Context, client *planetscale.Client, _ string) {
	organizations, err := client.Organizations.List(ctx)
	check("Organizations.List", err)
	expect("Organizations.List", "the number", len(organizations), 1)
	expect("Organizations.List", "the name", organizations[0].Name, organization)
	found, err := client.Organizations.Get(ctx, &planetscale.GetOrganizationRequest{Organization: organization})
	check("Organizations.Get", err)
	expect("Organizations.Get", "the name", found.Name, organization)
	expectTime("Organizations.Get", "created_at", found.CreatedAt)
	expectTime("Organizations.Get", "updated_at", found.UpdatedAt)

	databases, err := client.Databases.List(ctx, &planetscale.ListDatabasesRequest{Organization: organization})
	check("Databases.List", err)
	expect("Databases.List", "the number", len(databases), 1)
	beyond, err := client.Databases.List(ctx,
		&planetscale.ListDatabasesRequest{Organization: organization}, planetscale.WithPage(2))
	check("Databases.List", err)
	expect("Databases.List", "the number past the end", len(beyond), 0)
	got, err := client.Databases.Get(ctx,
		&planetscale.GetDatabaseRequest{Organization: organization, Database: database})
	check("Databases.Get", err)
	expect("Databases.Get", "what the list has", *got, *databases[0])
	expect("Databases.Get", "the name", got.Name, database)
	expect("Databases.Get", "the kind", got.Kind, planetscale.DatabaseEngineMySQL)
	expect("Databases.Get", "the state", got.State, planetscale.DatabaseReady)
	expect("Databases.Get", "whether the region is enabled", got.Region.Enabled, true)
	expectTime("Databases.Get", "created_at", got.CreatedAt)

	const recommend = "SchemaRecommendations.List"
	recommendations, err := client.SchemaRecommendations.List(ctx,
		&planetscale.ListSchemaRecommendationsRequest{Organization: organization, Database: database})
	check(recommend, err)
	for at, recommendation := range recommendations {
		expect(recommend, "the number", recommendation.Number, at+1)
		expect(recommend, "the keyspace", recommendation.Keyspace, database)
		expect(recommend, "the state", recommendation.State, "open")
		if recommendation.Title == "" || recommendation.Table == "" || recommendation.DDLStatement == "" {
			fail("%s does not tell what to do", recommend)
		}
	}

	_, err = client.Organizations.Get(ctx, &planetscale.GetOrganizationRequest{Organization: "other"})
	expectCode("Organizations.Get of another", err, planetscale.ErrNotFound)
	_, err = client.Databases.Get(ctx,
		&planetscale.GetDatabaseRequest{Organization: organization, Database: "other"})
	expectCode("Databases.Get of another", err, planetscale.ErrNotFound)
	_, err = client.DatabaseBranches.Create(ctx, &planetscale.CreateDatabaseBranchRequest{
		Organization: organization, Database: database, Name: production,
	})
	expectCode("DatabaseBranches.Create of a name that is taken", err, planetscale.ErrInvalid)
	_, err = connect("another").Databases.List(ctx,
		&planetscale.ListDatabasesRequest{Organization: organization})
	expectCode("Databases.List with a wrong token", err, planetscale.ErrPermission)
}

// Ends the program when a call has failed.
func check(call string, err error) {
	if err != nil {
		fail("%s fails: %v", call, err)
	}
}

// Ends the program unless a call has answered what it should.
func expect[T comparable](call, what string, got, want T) {
	if got != want {
		fail("%s: %s is %+v instead of %+v", call, what, got, want)
	}
}

// Ends the program unless a moment is one of the last minutes.
func expectTime(call, what string, got time.Time) {
	if age := time.Since(got); age < -time.Minute || age > time.Hour {
		fail("%s: %s is %v", call, what, got)
	}
}

// Ends the program unless a call was refused, for the reason that the library knows by this code.
func expectCode(call string, err error, code planetscale.ErrorCode) {
	var refusal *planetscale.Error
	if !errors.As(err, &refusal) {
		fail("%s is not refused, but: %v", call, err)
	}
	expect(call, "the code of the refusal", refusal.Code, code)
	if refusal.Error() == "" {
		fail("%s is refused without a message", call)
	}
}

// Waits for something, and ends the program when it does not come.
func wait(ctx context.Context, call, what string, come func() bool) {
	for !come() {
		select {
		case <-ctx.Done():
			fail("%s: %s in vain", call, what)
		case <-time.After(pace):
		}
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
