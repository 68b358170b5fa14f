// Writes a Grype v6 database with the findings given on standard input.
// Built inside Grype's own source tree, so that the schema is Grype's.
package main

import (
	"encoding/json"
	"os"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/spf13/afero"
)

type finding struct {
	ID        string   `json:"id"`
	Aliases   []string `json:"aliases"`
	Ecosystem string   `json:"ecosystem"` // deb, rpm, npm, go-module, ...
	Package   string   `json:"package"`
	OS        string   `json:"os"`
	Release   string   `json:"release"`
	Codename  string   `json:"codename"`
	Below     string   `json:"below"`
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	var findings []finding
	check(json.NewDecoder(os.Stdin).Decode(&findings))
	dir := os.Args[1]
	check(os.MkdirAll(dir, 0o755))
	store, err := v6.NewWriter(v6.Config{DBDirPath: dir})
	check(err)
	check(store.SetDBMetadata())
	now := time.Now().UTC()
	for _, f := range findings {
		provider, format := "github", "semver"
		switch f.Ecosystem {
		case "deb":
			provider, format = "debian", "dpkg"
		case "rpm":
			provider, format = "amazon", "rpm"
		case "go-module":
			format = "go"
		}
		handle := &v6.VulnerabilityHandle{
			Name: f.ID, Status: v6.VulnerabilityActive, PublishedDate: &now,
			Provider: &v6.Provider{ID: provider, Version: "1", Processor: "probe", DateCaptured: &now},
			BlobValue: &v6.VulnerabilityBlob{
				ID: f.ID, Aliases: f.Aliases, Description: "planted",
				Severities: []v6.Severity{{Scheme: v6.SeveritySchemeCHMLN, Value: "high", Rank: 1}},
			},
		}
		check(store.AddVulnerabilities(handle))
		affected := &v6.AffectedPackageHandle{
			Vulnerability: handle,
			Package:       &v6.Package{Ecosystem: f.Ecosystem, Name: f.Package},
			BlobValue: &v6.PackageBlob{Ranges: []v6.Range{{
				Version: v6.Version{Type: format, Constraint: "< " + f.Below},
				Fix:     &v6.Fix{Version: f.Below, State: v6.FixedStatus},
			}}},
		}
		if f.OS != "" {
			affected.OperatingSystem = &v6.OperatingSystem{
				Name: f.OS, ReleaseID: f.OS, MajorVersion: f.Release, Codename: f.Codename,
			}
		}
		check(store.AddAffectedPackages(affected))
	}
	check(store.Close())
	_, err = v6.WriteImportMetadata(afero.NewOsFs(), dir, "probe")
	check(err)
}
