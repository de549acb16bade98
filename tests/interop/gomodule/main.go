// Agents of Calico's wire that print what they receive as JSON lines. Each line on standard input is answered with a
// digest of every agent's state. Ends when all agents have ended, or with standard input.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"
)

type options struct {
	address, feed, hostname string
	snappy, restart, modern bool
	reconnect, quiet        bool
	sleep, readTimeout      time.Duration
	sleepAt, disconnectAt   string
	at, agents              int
	mu                      sync.Mutex
	out                     *json.Encoder
}

func (o *options) print(line map[string]interface{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.out.Encode(line); err != nil {
		os.Exit(1)
	}
}

func main() {
	points := " (connect, hello, server-hello, restart: before its ACK, ack, kvs, status, ping)"
	o := options{out: json.NewEncoder(os.Stdout)}
	o.out.SetEscapeHTML(false)
	flag.StringVar(&o.feed, "feed", "felix", "felix, bgp, tunnel-ip-allocation or node-status")
	flag.StringVar(&o.hostname, "hostname", "node", "host name; the agent's number is appended")
	flag.IntVar(&o.agents, "agents", 1, "connections")
	flag.BoolVar(&o.snappy, "snappy", false, "offer snappy")
	flag.BoolVar(&o.restart, "restart", true, "support decoder restarts")
	flag.BoolVar(&o.modern, "modern", true, "support modern policy keys")
	flag.BoolVar(&o.reconnect, "reconnect", false, "connect again when a connection ends")
	flag.BoolVar(&o.quiet, "quiet", false, "print no KVs")
	flag.DurationVar(&o.sleep, "sleep", 0, "how long to sleep at -sleep-at")
	flag.StringVar(&o.sleepAt, "sleep-at", "", "stop reading at this point"+points)
	flag.StringVar(&o.disconnectAt, "disconnect-at", "", "end the connection at this point"+points)
	flag.IntVar(&o.at, "at", 1, "which time the point is reached")
	flag.DurationVar(&o.readTimeout, "read-timeout", 30*time.Second, "how long nothing complete may come")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: agent [flags] HOST:PORT")
		flag.PrintDefaults()
		os.Exit(2)
	}
	o.address = flag.Arg(0)

	agents, running := make([]*agent, o.agents), sync.WaitGroup{}
	for number := range agents {
		agents[number] = &agent{number: number, options: &o, state: map[string]string{}}
		running.Add(1)
		go func() {
			defer running.Done()
			agents[number].run()
		}()
	}
	go func() {
		for input := bufio.NewScanner(os.Stdin); input.Scan(); {
			for _, each := range agents {
				each.digest()
			}
		}
		os.Exit(0)
	}()
	running.Wait()
}
