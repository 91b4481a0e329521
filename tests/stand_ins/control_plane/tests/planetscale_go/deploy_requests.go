package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/planetscale/planetscale-go/planetscale"
)

// Opens a deploy request, comments on it, and checks what is refused before it is deployed.
func open(ctx context.Context, client *planetscale.Client, branch string) {
	const create = "DeployRequests.Create"
	made := newDeployRequest(ctx, client, branch)
	expect(create, "the state", made.State, "open")
	expect(create, "deployment_state", made.DeploymentState, "pending")
	expect(create, "the branch", made.Branch, branch)
	expect(create, "into_branch", made.IntoBranch, production)
	expect(create, "the notes", made.Notes, "by <planetscale-go>")
	expect(create, "approved", made.Approved, false)
	expect(create, "the actor", made.Actor.ID, os.Getenv("PLANETSCALE_SERVICE_TOKEN_ID"))
	expectTime(create, "created_at", made.CreatedAt)
	if made.ClosedAt != nil || made.ClosedBy != nil || made.DeployedAt != nil {
		fail("%s answers with one that has ended", create)
	}

	ready := waitFor(ctx, client, made.Number, "ready")
	const get = "DeployRequests.Get"
	expect(get, "the id", ready.ID, made.ID)
	expect(get, "deployment.deployable", ready.Deployment.Deployable, true)
	expect(get, "deployment.deploy_request_number", ready.Deployment.DeployRequestNumber, made.Number)
	expect(get, "deployment.into_branch", ready.Deployment.IntoBranch, production)
	expect(get, "the number of deployment.lint_errors", len(ready.Deployment.LintErrors), 0)
	expect(get, "the number of deployment.preceding_deployments", len(ready.Deployment.PrecedingDeployments), 0)
	if ready.Deployment.StartedAt != nil || ready.Deployment.FinishedAt != nil {
		fail("%s tells of a deployment that nobody has ordered", get)
	}

	diff, err := client.DeployRequests.Diff(ctx,
		&planetscale.DiffRequest{Organization: organization, Database: database, Number: made.Number})
	check("DeployRequests.Diff", err)
	if table := tableIn(diff, tableOf(branch)); table == nil || !strings.Contains(table.Raw, "+") {
		fail("DeployRequests.Diff does not show the table that is changed")
	}
	expectOperations(ctx, client, made.Number, tableOf(branch), "pending")

	const review = "DeployRequests.CreateReview"
	comment := &planetscale.ReviewDeployRequestRequest{
		Organization: organization, Database: database, Number: made.Number,
		CommentText: "a look", ReviewAction: planetscale.ReviewComment,
	}
	commented, err := client.DeployRequests.CreateReview(ctx, comment)
	check(review, err)
	expect(review, "the state", commented.State, "commented")
	expect(review, "the body", commented.Body, "a look")
	expectTime(review, "created_at", commented.CreatedAt)
	comment.ReviewAction = planetscale.ReviewApprove
	_, err = client.DeployRequests.CreateReview(ctx, comment)
	expectCode(review+" by who has opened it", err, planetscale.ErrInvalid)

	_, err = order(ctx, client, made.Number)
	expectCode("DeployRequests.Deploy without an approval", err, planetscale.ErrInvalid)
	_, err = client.DeployRequests.Create(ctx, &planetscale.CreateDeployRequestRequest{
		Organization: organization, Database: database, Branch: branch, IntoBranch: production,
	})
	expectCode("DeployRequests.Create beside an open one", err, planetscale.ErrInvalid)
}

// Approves the open deploy request of a branch, with another token.
func approve(ctx context.Context, client *planetscale.Client, branch string) {
	number := openOf(ctx, client, branch)
	review, err := client.DeployRequests.CreateReview(ctx, &planetscale.ReviewDeployRequestRequest{
		Organization: organization, Database: database, Number: number, ReviewAction: planetscale.ReviewApprove,
	})
	check("DeployRequests.CreateReview", err)
	expect("DeployRequests.CreateReview", "the state", review.State, "approved")
	expect("DeployRequests.CreateReview", "the actor", review.Actor.ID, os.Getenv("PLANETSCALE_SERVICE_TOKEN_ID"))
	expect("DeployRequests.Get", "approved", deployRequest(ctx, client, number).Approved, true)
}

// Deploys the open deploy request of a branch, with a manual cutover and without a revert.
func deploy(ctx context.Context, client *planetscale.Client, branch string) {
	number := openOf(ctx, client, branch)
	gated(ctx, client, number)
	deployUntil(ctx, client, number, "pending_cutover")
	expectOperations(ctx, client, number, tableOf(branch), "in_progress")

	applied, err := client.DeployRequests.ApplyDeploy(ctx,
		&planetscale.ApplyDeployRequestRequest{Organization: organization, Database: database, Number: number})
	check("DeployRequests.ApplyDeploy", err)
	expect("DeployRequests.ApplyDeploy", "deployment_state", applied.DeploymentState, "in_progress_cutover")
	done := waitFor(ctx, client, number, "complete_pending_revert")
	const get = "DeployRequests.Get"
	expect(get, "the state", done.State, "open")
	if done.DeployedAt == nil || done.Deployment.FinishedAt == nil || done.Deployment.CutoverActor == nil {
		fail("%s does not tell when and by whom it was deployed", get)
	}
	if done.ClosedAt != nil || done.ClosedBy != nil {
		fail("%s tells of an end, though it could be reverted", get)
	}
	expectOperations(ctx, client, number, tableOf(branch), "complete")

	kept, err := client.DeployRequests.SkipRevertDeploy(ctx,
		&planetscale.SkipRevertDeployRequestRequest{Organization: organization, Database: database, Number: number})
	check("DeployRequests.SkipRevertDeploy", err)
	expect("DeployRequests.SkipRevertDeploy", "deployment_state", kept.DeploymentState, "complete")
	expect("DeployRequests.SkipRevertDeploy", "the state", kept.State, "closed")
	if kept.ClosedAt == nil || kept.ClosedBy == nil {
		fail("DeployRequests.SkipRevertDeploy does not tell when and by whom it was closed")
	}
	_, err = client.DeployRequests.RevertDeploy(ctx,
		&planetscale.RevertDeployRequestRequest{Organization: organization, Database: database, Number: number})
	expectCode("DeployRequests.RevertDeploy of what is complete", err, planetscale.ErrInvalid)
}

// Deploys a branch with an automatic cutover and reverts the deployment.
func revert(ctx context.Context, client *planetscale.Client, branch string) {
	number := newDeployRequest(ctx, client, branch).Number
	waitFor(ctx, client, number, "ready")
	deployUntil(ctx, client, number, "complete_pending_revert")
	reverting, err := client.DeployRequests.RevertDeploy(ctx,
		&planetscale.RevertDeployRequestRequest{Organization: organization, Database: database, Number: number})
	check("DeployRequests.RevertDeploy", err)
	expect("DeployRequests.RevertDeploy", "deployment_state", reverting.DeploymentState, "in_progress_revert")
	ended := waitFor(ctx, client, number, "complete_revert")
	expect("DeployRequests.Get", "the state", ended.State, "closed")
}

// Cancels a deployment before its cutover.
func cancel(ctx context.Context, client *planetscale.Client, branch string) {
	number := newDeployRequest(ctx, client, branch).Number
	waitFor(ctx, client, number, "ready")
	gated(ctx, client, number)
	deployUntil(ctx, client, number, "pending_cutover")
	expect("DeployRequests.CancelDeploy", "deployment_state", callOff(ctx, client, number), "in_progress_cancel")
	ended := waitFor(ctx, client, number, "complete_cancel")
	if ended.Deployment.CancelledActor == nil || ended.DeployedAt != nil {
		fail("DeployRequests.Get does not tell who has cancelled the deployment")
	}
	withdraw(ctx, client, number)
}

// Queues a deployment behind one that waits for its cutover, and cancels it there.
func queue(ctx context.Context, client *planetscale.Client, branch string) {
	number := newDeployRequest(ctx, client, branch).Number
	waitFor(ctx, client, number, "ready")
	_, err := order(ctx, client, number)
	check("DeployRequests.Deploy", err)
	const get = "DeployRequests.Get"
	waiting := deployRequest(ctx, client, number)
	expect(get, "deployment_state", waiting.DeploymentState, "queued")
	expect(get, "the number of deployment.preceding_deployments", len(waiting.Deployment.PrecedingDeployments), 1)
	first := waiting.Deployment.PrecedingDeployments[0]
	expect(get, "the number of the preceding one", first.DeployRequestNumber, number-1)
	expect(get, "the state of the preceding one", first.State, "pending_cutover")
	expect(get, "into_branch of the preceding one", first.IntoBranch, production)
	expectTime(get, "created_at of the preceding one", first.CreatedAt)
	if first.Actor == nil || first.QueuedAt == nil || first.StartedAt == nil || first.FinishedAt != nil {
		fail("%s does not tell how far the preceding deployment is", get)
	}
	expect("DeployRequests.CancelDeploy", "deployment_state", callOff(ctx, client, number), "cancelled")
	withdraw(ctx, client, number)
}

// Closes a deploy request without a deployment.
func withdraw(ctx context.Context, client *planetscale.Client, number uint64) {
	closed, err := client.DeployRequests.CloseDeploy(ctx,
		&planetscale.CloseDeployRequestRequest{Organization: organization, Database: database, Number: number})
	check("DeployRequests.CloseDeploy", err)
	expect("DeployRequests.CloseDeploy", "the state", closed.State, "closed")
	if closed.ClosedAt == nil || closed.ClosedBy == nil || closed.DeployedAt != nil {
		fail("DeployRequests.CloseDeploy does not tell when and by whom it was closed")
	}
	_, err = order(ctx, client, number)
	expectCode("DeployRequests.Deploy of a closed one", err, planetscale.ErrInvalid)
	_, err = client.DeployRequests.Get(ctx, &planetscale.GetDeployRequestRequest{
		Organization: organization, Database: database, Number: number + 1,
	})
	expectCode("DeployRequests.Get of one to come", err, planetscale.ErrNotFound)
}

func newDeployRequest(ctx context.Context, client *planetscale.Client, branch string) *planetscale.DeployRequest {
	made, err := client.DeployRequests.Create(ctx, &planetscale.CreateDeployRequestRequest{
		Organization: organization, Database: database, Branch: branch, IntoBranch: production,
		Notes: "by <planetscale-go>", AutoCutover: true,
	})
	check("DeployRequests.Create", err)
	return made
}

// Finds the number of a branch's open deploy request, as `pscale` does.
func openOf(ctx context.Context, client *planetscale.Client, branch string) uint64 {
	list := &planetscale.ListDeployRequestsRequest{
		Organization: organization, Database: database, State: "open", Branch: branch, IntoBranch: production,
	}
	found, err := client.DeployRequests.List(ctx, list)
	check("DeployRequests.List", err)
	expect("DeployRequests.List", "the number of open ones", len(found), 1)
	expect("DeployRequests.List", "the branch", found[0].Branch, branch)
	list.State = "closed"
	closed, err := client.DeployRequests.List(ctx, list)
	check("DeployRequests.List", err)
	for _, other := range closed {
		expect("DeployRequests.List", "the state of closed ones", other.State, "closed")
	}
	return found[0].Number
}

func deployRequest(ctx context.Context, client *planetscale.Client, number uint64) *planetscale.DeployRequest {
	found, err := client.DeployRequests.Get(ctx,
		&planetscale.GetDeployRequestRequest{Organization: organization, Database: database, Number: number})
	check("DeployRequests.Get", err)
	expect("DeployRequests.Get", "the number", found.Number, number)
	if found.Deployment == nil {
		fail("DeployRequests.Get does not tell of the deployment")
	}
	expect("DeployRequests.Get", "deployment.state", found.Deployment.State, found.DeploymentState)
	return found
}

// Waits until the deployment has this state.
func waitFor(ctx context.Context, client *planetscale.Client, number uint64, state string) *planetscale.DeployRequest {
	var found *planetscale.DeployRequest
	wait(ctx, "DeployRequests.Get", "waits for "+state, func() bool {
		found = deployRequest(ctx, client, number)
		return found.DeploymentState == state
	})
	return found
}

// Lets the deployment wait for a manual cutover.
func gated(ctx context.Context, client *planetscale.Client, number uint64) {
	_, err := client.DeployRequests.AutoApplyDeploy(ctx, &planetscale.AutoApplyDeployRequestRequest{
		Organization: organization, Database: database, Number: number, Enable: false,
	})
	check("DeployRequests.AutoApplyDeploy", err)
}

func order(ctx context.Context, client *planetscale.Client, number uint64) (*planetscale.DeployRequest, error) {
	return client.DeployRequests.Deploy(ctx,
		&planetscale.PerformDeployRequest{Organization: organization, Database: database, Number: number})
}

// Deploys and checks that the states come in order.
func deployUntil(ctx context.Context, client *planetscale.Client, number uint64, state string) {
	ordered, err := order(ctx, client, number)
	check("DeployRequests.Deploy", err)
	expect("DeployRequests.Deploy", "deployment_state", ordered.DeploymentState, "queued")
	seen := []string{ordered.DeploymentState}
	wait(ctx, "DeployRequests.Get", "waits for "+state, func() bool {
		now := deployRequest(ctx, client, number)
		if now.DeploymentState != seen[len(seen)-1] {
			seen = append(seen, now.DeploymentState)
		}
		return now.DeploymentState == state
	})
	steps := []string{"queued", "submitting", "in_progress"}
	if state != "pending_cutover" {
		steps = append(steps, "in_progress_cutover")
	}
	if steps = append(steps, state); !slices.Equal(seen, steps) {
		fail("DeployRequests.Get tells of the states %v instead of %v", seen, steps)
	}
}

// Cancels a deployment and returns its state.
func callOff(ctx context.Context, client *planetscale.Client, number uint64) string {
	cancelled, err := client.DeployRequests.CancelDeploy(ctx,
		&planetscale.CancelDeployRequestRequest{Organization: organization, Database: database, Number: number})
	check("DeployRequests.CancelDeploy", err)
	return cancelled.DeploymentState
}

// Returns the only operation of a deployment.
func expectOperations(ctx context.Context, client *planetscale.Client, number uint64, table, state string) {
	const call = "DeployRequests.GetDeployOperations"
	operations, err := client.DeployRequests.GetDeployOperations(ctx,
		&planetscale.GetDeployOperationsRequest{Organization: organization, Database: database, Number: number})
	check(call, err)
	expect(call, "the number", len(operations), 1)
	expect(call, "the table", operations[0].Table, table)
	expect(call, "the keyspace", operations[0].Keyspace, database)
	expect(call, "the operation", operations[0].Operation, "CREATE")
	expect(call, "the state", operations[0].State, state)
	expect(call, "whether progress_percentage is 100", operations[0].ProgressPercentage == 100, state == "complete")
	expectTime(call, "created_at", operations[0].CreatedAt)
}
