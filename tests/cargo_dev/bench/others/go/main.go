// The routes of get-order and list-orders in Go. `cargo dev bench --others` measures them beside ours.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/go-sql-driver/mysql"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

type order struct {
	ID         uuid.UUID `json:"id"`
	CustomerID string    `json:"customer_id"`
	Status     string    `json:"status"`
	Currency   string    `json:"currency"`
	Items      []item    `json:"items,omitempty"`
	Total      amount    `json:"total"`
	Version    uint32    `json:"version"`
	CreatedAt  timestamp `json:"created_at"`
	UpdatedAt  timestamp `json:"updated_at"`
}

type item struct {
	SKU       string `json:"sku"`
	Quantity  uint32 `json:"quantity"`
	UnitPrice amount `json:"unit_price"`
}

type page struct {
	Orders []order `json:"orders"`
	Next   *string `json:"next"`
}

// In a currency with two decimals.
type amount struct{ decimal.Decimal }

func (a amount) MarshalJSON() ([]byte, error) { return []byte(`"` + a.StringFixed(2) + `"`), nil }

type timestamp struct{ sql.Null[time.Time] }

func (t timestamp) MarshalJSON() ([]byte, error) {
	return []byte(t.V.Format(`"2006-01-02T15:04:05.000000Z"`)), nil
}

func (o *order) columns() []any {
	return []any{&o.ID, &o.CustomerID, &o.Status, &o.Currency, &o.Total, &o.Version, &o.CreatedAt, &o.UpdatedAt}
}

var (
	// The bench passes the statements of get-order and list-orders.
	findOrder, listOrders = os.Getenv("FIND_ORDER"), os.Getenv("LIST_ORDERS")
	db                    *sql.DB
)

func main() {
	ctx := context.Background()
	secrets := secretsmanager.NewFromConfig(must(config.LoadDefaultConfig(ctx)))
	id := aws.String(os.Getenv("DATABASE_SECRET_ID"))
	secret := must(secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: id}))
	var login struct {
		Host, Username, Password, DBName string
		Port                             int
	}
	must(login, json.Unmarshal([]byte(*secret.SecretString), &login))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(must(os.ReadFile(os.Getenv("DATABASE_CA_FILE"))))

	options := mysql.NewConfig()
	options.Net, options.Addr = "tcp", net.JoinHostPort(login.Host, strconv.Itoa(login.Port))
	options.User, options.Passwd, options.DBName = login.Username, login.Password, login.DBName
	options.TLS = &tls.Config{RootCAs: roots, ServerName: login.Host}
	options.ParseTime = true
	// One round trip for each statement, as PlanetScale advises.
	options.InterpolateParams = true
	db = sql.OpenDB(must(mysql.NewConnector(options)))
	most, err := strconv.Atoi(os.Getenv("DATABASE_POOL_MAX"))
	if err != nil {
		most = 10
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	db.SetConnMaxIdleTime(4 * time.Minute)
	must(db, db.PingContext(ctx))
	lambda.Start(answer)
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func answer(ctx context.Context, event events.APIGatewayV2HTTPRequest) (answer events.APIGatewayV2HTTPResponse, err error) {
	var content any
	if event.RouteKey == "GET /orders/{order_id}" {
		content, err = find(ctx, event.PathParameters["order_id"])
	} else {
		content, err = list(ctx, event.PathParameters["customer_id"], event.QueryStringParameters["limit"])
	}
	if err != nil {
		return answer, err
	}
	body, err := json.Marshal(content)
	answer.StatusCode, answer.Body = 200, string(body)
	answer.Headers = map[string]string{"content-type": "application/json", "cache-control": "private, no-cache"}
	return answer, err
}

func find(ctx context.Context, text string) (*order, error) {
	id, err := uuid.Parse(text)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, findOrder, id[:])
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found order
	for rows.Next() {
		var item item
		if err := rows.Scan(append(found.columns(), &item.SKU, &item.Quantity, &item.UnitPrice)...); err != nil {
			return nil, err
		}
		found.Items = append(found.Items, item)
	}
	return &found, rows.Err()
}

func list(ctx context.Context, customer, text string) (*page, error) {
	limit, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	rows, err := db.QueryContext(ctx, listOrders, customer, uuid.Max[:], limit+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	orders := make([]order, 0, limit+1)
	for rows.Next() {
		var order order
		if err := rows.Scan(order.columns()...); err != nil {
			return nil, err
		}
		orders = append(orders, order)
	}
	if len(orders) <= limit {
		return &page{Orders: orders}, rows.Err()
	}
	last := orders[limit-1].ID
	tag := sha256.Sum256(fmt.Appendf(nil, "%s\n\n%s", customer, last))
	next := base64.RawURLEncoding.EncodeToString(append(last[:], tag[:8]...))
	return &page{orders[:limit], &next}, rows.Err()
}
