// Answers questions with the reference library, one JSON object a line each way.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	"github.com/openvex/go-vex/pkg/vex"
)

type question struct {
	Ask          string          `json:"ask"`
	General      string          `json:"general"`
	Specific     string          `json:"specific"`
	Document     json.RawMessage `json:"document"`
	Vuln         string          `json:"vulnerability"`
	Product      string          `json:"product"`
	Subcomponent []string        `json:"subcomponents"`
}

type answer struct {
	Error   string   `json:"error,omitempty"`
	Matches bool     `json:"matches"`
	Hash    string   `json:"hash,omitempty"`
	Ids     []string `json:"ids,omitempty"`
	Invalid []int    `json:"invalid,omitempty"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<26)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var q question
		var a answer
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			panic(err)
		}
		if q.Ask == "purl" {
			a.Matches = vex.PurlMatches(q.General, q.Specific)
		} else if doc, err := vex.Parse(q.Document); err != nil {
			a.Error = err.Error()
		} else {
			answerAbout(doc, q, &a)
		}
		if err := out.Encode(a); err != nil {
			panic(err)
		}
	}
}

func answerAbout(doc *vex.VEX, q question, a *answer) {
	switch q.Ask {
	case "hash":
		// Validation first: hashing sorts the statements in place.
		for i := range doc.Statements {
			if doc.Statements[i].Validate() != nil {
				a.Invalid = append(a.Invalid, i)
			}
		}
		hash, err := doc.CanonicalHash()
		if err != nil {
			a.Error = err.Error()
		}
		a.Hash = hash
	case "matches":
		for _, s := range doc.Matches(q.Vuln, q.Product, q.Subcomponent) {
			a.Ids = append(a.Ids, s.ID)
		}
	}
}
