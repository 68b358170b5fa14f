// Ground truth by construction: an executed static binary carries all its modules;
// which of their functions run depends on the route.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os/exec"

	"golang.org/x/crypto/ssh"
	"golang.org/x/net/html"
	"golang.org/x/text/language"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { // driven
		node, err := html.Parse(r.Body)
		fmt.Fprintln(w, node != nil, err)
	})
	http.HandleFunc("/language", func(w http.ResponseWriter, r *http.Request) { // driven
		tags, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
		fmt.Fprintln(w, tags)
	})
	http.HandleFunc("/key", func(w http.ResponseWriter, r *http.Request) { // not driven
		_, err := ssh.ParsePublicKey([]byte(r.URL.Query().Get("k")))
		fmt.Fprintln(w, err)
	})
	http.HandleFunc("/convert", func(w http.ResponseWriter, r *http.Request) { // not driven
		out, err := exec.Command("/bin/convert").Output()
		fmt.Fprintln(w, string(out), err)
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
