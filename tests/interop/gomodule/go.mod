// A Calico agent's side of the wire with Go's own encoding/gob, and nothing of Calico's or ours. For tests, never shipped.
module typha.test/interop

go 1.26.0

require github.com/golang/snappy v1.0.0
