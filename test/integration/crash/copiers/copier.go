// The transactional copy of copier.mjs by franz-go: copier ADDRESS INPUT OUTPUT NAME. It says `commit` and `abort` by lines;
// what it cannot go on from ends it, and another process takes its place.
package main

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const chunkMax = 40

func main() {
	address, input, output, name := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(address),
		kgo.ClientID(name),
		kgo.TransactionalID(name),
		kgo.TransactionTimeout(30*time.Second),
		kgo.ConsumerGroup(name),
		kgo.ConsumeTopics(input),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(),
		kgo.SessionTimeout(6*time.Second),
		kgo.RebalanceTimeout(6*time.Second),
		kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.FetchMaxWait(100*time.Millisecond),
		kgo.DefaultProduceTopic(output),
	)
	must(err)
	ctx := context.Background()
	for {
		fetches := session.PollRecords(ctx, 1+rand.Intn(chunkMax))
		if fetches.NumRecords() == 0 {
			continue
		}
		must(session.Begin())
		promise := kgo.AbortingFirstErrPromise(session.Client())
		fetches.EachRecord(func(record *kgo.Record) {
			copy := kgo.StringRecord("copy of " + string(record.Value))
			session.Produce(ctx, copy, promise.Promise())
		})
		isWanted := rand.Float64() >= 0.25
		hasFailed := promise.Err() != nil
		isCommitted, err := session.End(ctx, kgo.TransactionEndTry(isWanted && !hasFailed))
		must(err)
		switch {
		case isCommitted:
			fmt.Println("commit")
		case isWanted:
			fmt.Println("failed")
		default:
			fmt.Println("abort")
		}
		time.Sleep(time.Duration(rand.Intn(20)) * time.Millisecond)
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
