// The messages of Calico's wire, as its agents declare them: names of fields and the registered names are the protocol.
package main

import (
	"encoding/gob"
	"time"
)

type (
	// Envelope is every top-level gob value, both ways.
	Envelope struct{ Message interface{} }

	CompressionAlgorithm string
	SyncerType           string
	SyncStatus           uint8
	UpdateType           uint8

	MsgClientHello struct {
		Hostname                       string
		Info                           string
		Version                        string
		SyncerType                     SyncerType
		SupportsDecoderRestart         bool
		SupportedCompressionAlgorithms []CompressionAlgorithm
		SupportsModernPolicyKeys       bool
		ClientConnID                   uint64
	}
	MsgServerHello struct {
		Version                     string
		SyncerType                  SyncerType
		SupportsNodeResourceUpdates bool
		ServerConnID                uint64
	}
	MsgDecoderRestart struct {
		Message              string
		CompressionAlgorithm CompressionAlgorithm
	}
	MsgACK        struct{}
	MsgSyncStatus struct{ SyncStatus SyncStatus }
	MsgPing       struct{ Timestamp time.Time }
	MsgPong       struct{ PingTimestamp, PongTimestamp time.Time }
	MsgKVs        struct{ KVs []SerializedUpdate }

	SerializedUpdate struct {
		Key               string
		Value             []byte
		Revision          interface{}
		V3ResourceVersion string
		TTL               time.Duration
		UpdateType        UpdateType
	}
)

func init() {
	const pkg = "github.com/projectcalico/typha/pkg/syncproto."
	gob.RegisterName(pkg+"MsgClientHello", MsgClientHello{})
	gob.RegisterName(pkg+"MsgServerHello", MsgServerHello{})
	gob.RegisterName(pkg+"MsgDecoderRestart", MsgDecoderRestart{})
	gob.RegisterName(pkg+"MsgACK", MsgACK{})
	gob.RegisterName(pkg+"MsgSyncStatus", MsgSyncStatus{})
	gob.RegisterName(pkg+"MsgPing", MsgPing{})
	gob.RegisterName(pkg+"MsgPong", MsgPong{})
	gob.RegisterName(pkg+"MsgKVs", MsgKVs{})
}
