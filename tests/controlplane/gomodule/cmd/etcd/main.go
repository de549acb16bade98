// etcd is the unchanged etcd server of the release in go.mod, built for tests and benches.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
