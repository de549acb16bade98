// One agent: says hello, follows decoder restarts, answers pings, keeps the state that the server's updates add up to.
package main

import (
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"sort"
	"sync"
	"time"

	"github.com/golang/snappy"
)

var errDisconnect = errors.New("disconnected where it was told to")

type agent struct {
	number  int
	options *options
	reached map[string]int // point -> how often, on this connection

	mu     sync.Mutex
	state  map[string]string // key -> value
	unseen map[string]bool   // keys of the last connection that this one has not sent yet; nil: nothing to forget
	synced bool
}

func (a *agent) say(is string, line map[string]interface{}) {
	if line == nil {
		line = map[string]interface{}{}
	}
	line["agent"], line["is"] = a.number, is
	a.options.print(line)
}

// run connects once, or again and again with -reconnect; the last line of each connection is "end".
func (a *agent) run() {
	for {
		err := a.connect()
		a.say("end", map[string]interface{}{"error": err.Error()})
		if !a.options.reconnect || errors.Is(err, errDisconnect) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// point sleeps or disconnects where the flags say so.
func (a *agent) point(name string) error {
	a.reached[name]++
	if a.reached[name] != a.options.at {
		return nil
	}
	if name == a.options.sleepAt {
		a.say("sleep", nil)
		time.Sleep(a.options.sleep)
		a.say("awake", nil)
	}
	if name == a.options.disconnectAt {
		return errDisconnect
	}
	return nil
}

func (a *agent) connect() error {
	conn, err := net.DialTimeout("tcp", a.options.address, 10*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	a.reached = map[string]int{}
	a.forgetLater()
	if err := a.point("connect"); err != nil {
		return err
	}
	encoder := gob.NewEncoder(conn)
	hello := MsgClientHello{
		Hostname: fmt.Sprintf("%s-%d", a.options.hostname, a.number), Info: "interop", Version: "go",
		SyncerType: SyncerType(a.options.feed), SupportsDecoderRestart: a.options.restart,
		SupportsModernPolicyKeys: a.options.modern, ClientConnID: uint64(a.number) + 1,
	}
	if a.options.snappy {
		hello.SupportedCompressionAlgorithms = []CompressionAlgorithm{"snappy"}
	}
	if err := encoder.Encode(&Envelope{hello}); err != nil {
		return err
	}
	if err := a.point("hello"); err != nil {
		return err
	}
	decoder, greeted := gob.NewDecoder(conn), false
	for {
		var envelope Envelope
		if err := conn.SetReadDeadline(time.Now().Add(a.options.readTimeout)); err != nil {
			return err
		}
		if err := decoder.Decode(&envelope); err != nil {
			return err
		}
		point := "kvs"
		switch m := envelope.Message.(type) {
		case MsgServerHello:
			point = "server-hello"
			if err := a.check(m, greeted); err != nil {
				return err
			}
			greeted = true
		case MsgDecoderRestart:
			a.say("restart", map[string]interface{}{"compression": m.CompressionAlgorithm, "message": m.Message})
			if err := a.point("restart"); err != nil {
				return err
			}
			if err := encoder.Encode(&Envelope{MsgACK{}}); err != nil {
				return err
			}
			point = "ack"
			var source io.Reader = conn
			if m.CompressionAlgorithm == "snappy" {
				source = snappy.NewReader(conn)
			}
			decoder = gob.NewDecoder(source)
		case MsgKVs:
			a.apply(m.KVs)
		case MsgSyncStatus:
			point = "status"
			a.status(m.SyncStatus)
		case MsgPing:
			point = "ping"
			a.say("ping", map[string]interface{}{"unix_ns": m.Timestamp.UnixNano()})
			if err := encoder.Encode(&Envelope{MsgPong{PingTimestamp: m.Timestamp}}); err != nil {
				return err
			}
		default:
			return fmt.Errorf("message %T", m)
		}
		if !greeted {
			return errors.New("something came before the server hello")
		}
		if err := a.point(point); err != nil {
			return err
		}
	}
}

// check holds a hello to what Calico's own client demands of it.
func (a *agent) check(m MsgServerHello, greeted bool) error {
	a.say("hello", map[string]interface{}{
		"version": m.Version, "feed": m.SyncerType, "node_resources": m.SupportsNodeResourceUpdates,
		"connection": fmt.Sprint(m.ServerConnID),
	})
	wanted := a.options.feed
	if wanted == "" {
		wanted = "felix"
	}
	switch {
	case greeted:
		return errors.New("a second server hello")
	case !m.SupportsNodeResourceUpdates:
		return errors.New("a server without node resource updates")
	case string(m.SyncerType) != wanted:
		return fmt.Errorf("feed %q where %q was asked for", m.SyncerType, wanted)
	}
	return nil
}

func (a *agent) apply(updates []SerializedUpdate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, u := range updates {
		delete(a.unseen, u.Key)
		line := map[string]interface{}{
			"key": u.Key, "value": nil, "revision": fmt.Sprint(u.Revision), "v3": u.V3ResourceVersion, "type": u.UpdateType,
		}
		if u.Value == nil {
			delete(a.state, u.Key)
		} else {
			a.state[u.Key], line["value"] = string(u.Value), string(u.Value)
		}
		if !a.options.quiet {
			a.say("kv", line)
		}
	}
}

// forgetLater: what the server does not send again before it is in sync is gone (the dedupe buffer of Calico's agents).
func (a *agent) forgetLater() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unseen, a.synced = map[string]bool{}, false
	for key := range a.state {
		a.unseen[key] = true
	}
}

func (a *agent) status(status SyncStatus) {
	a.mu.Lock()
	if status == 2 && !a.synced {
		for key := range a.unseen {
			delete(a.state, key)
		}
		a.synced = true
	}
	keys := len(a.state)
	a.mu.Unlock()
	a.say("status", map[string]interface{}{"status": status, "keys": keys})
}

// digest is the SHA-256 over key, 0, value, 0 of all keys in byte order.
func (a *agent) digest() {
	a.mu.Lock()
	keys := make([]string, 0, len(a.state))
	for key := range a.state {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	hash := sha256.New()
	for _, key := range keys {
		fmt.Fprintf(hash, "%s\x00%s\x00", key, a.state[key])
	}
	a.mu.Unlock()
	a.say("state", map[string]interface{}{"keys": len(keys), "digest": hex.EncodeToString(hash.Sum(nil))})
}
