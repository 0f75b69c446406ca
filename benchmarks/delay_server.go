// A server whose delays are known, for benchmarks/fidelity.py: lognormal, each of a thousand quantiles once in
// every thousand requests, in an order of chance. With -freeze no answer leaves it in that stretch, counted from
// the first request. GET /books has how long each request was really held, in microseconds.
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

const quantiles = 1000

var (
	median   = flag.Float64("median-ms", 20, "")
	sigma    = flag.Float64("sigma", 0.6, "")
	freezeAt = flag.Duration("freeze-at", 0, "")
	freeze   = flag.Duration("freeze", 0, "")

	lock  sync.Mutex
	first time.Time
	order []int
	held  []time.Duration
)

func main() {
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() { // It ends with whoever started it.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	http.HandleFunc("/books", func(w http.ResponseWriter, _ *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		for _, one := range held {
			fmt.Fprintln(w, one.Microseconds())
		}
	})
	http.HandleFunc("/", answer)
	panic(http.Serve(listener, nil))
}

func answer(w http.ResponseWriter, r *http.Request) {
	came := time.Now()
	time.Sleep(time.Until(due(came)))
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/health" {
		_, _ = io.WriteString(w, `{"status":"healthy"}`)
	} else {
		_, _ = io.WriteString(w, `[{"id":"0a1b2c3d4e5f","name":"row-1"},{"id":"1a1b2c3d4e5f","name":"row-2"}]`)
	}
	took := time.Since(came)
	lock.Lock()
	defer lock.Unlock()
	held = append(held, took)
}

// When the answer to a request that came then is to leave.
func due(came time.Time) time.Time {
	lock.Lock()
	defer lock.Unlock()
	if first.IsZero() {
		first = came
	}
	if len(order) == 0 {
		order = rand.Perm(quantiles)
	}
	share := (float64(order[0]) + 0.5) / quantiles
	order = order[1:]
	ms := *median * math.Exp(*sigma*math.Sqrt2*math.Erfinv(2*share-1))
	begins := came
	if since := came.Sub(first); since >= *freezeAt && since < *freezeAt+*freeze {
		begins = first.Add(*freezeAt + *freeze)
	}
	return begins.Add(time.Duration(ms * float64(time.Millisecond)))
}
