// Run by the server, on a route that no test takes.
package main

import (
	"fmt"

	"gopkg.in/yaml.v2"
)

func main() {
	var value map[string]int
	fmt.Println(yaml.Unmarshal([]byte("a: 1"), &value), value)
}
