// Calls the local control plane with PlanetScale's own Go library, unchanged.
//
// The first argument is a stage, the second a branch. A stage makes its calls and checks every
// answer. If one is wrong, it names the call and exits with 1. Between the stages, the test changes
// the branch with the password that the stage "branch" has printed.
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

// The longest time for a stage, and the time between two reads while it waits.
const (
	deadline = time.Minute
	pace     = 10 * time.Millisecond
)

// The stages by name.
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

// Creates a client with a service token, as any user of the library does.
func connect(token string) *planetscale.Client {
	client, err := planetscale.NewClient(
		planetscale.WithBaseURL(os.Getenv("PLANETSCALE_API_URL")),
		planetscale.WithServiceToken(os.Getenv("PLANETSCALE_SERVICE_TOKEN_ID"), token),
	)
	check("NewClient", err)
	return client
}

// Reads the organization and the database, and checks how the library reports refusals.
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

// Exits if a call has failed.
func check(call string, err error) {
	if err != nil {
		fail("%s fails: %v", call, err)
	}
}

// Exits if an answer is not the expected one.
func expect[T comparable](call, what string, got, want T) {
	if got != want {
		fail("%s: %s is %+v instead of %+v", call, what, got, want)
	}
}

// Exits if a time is not in the last minutes.
func expectTime(call, what string, got time.Time) {
	if age := time.Since(got); age < -time.Minute || age > time.Hour {
		fail("%s: %s is %v", call, what, got)
	}
}

// Exits unless a call was refused with this error code of the library.
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

// Waits for a condition and exits if it does not become true.
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
