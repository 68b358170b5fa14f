// Writes a Trivy database (schema 2) with the findings given on standard input.
// Built inside Trivy's own source tree, so that the schema is Trivy's.
package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/aquasecurity/trivy-db/pkg/db"
	"github.com/aquasecurity/trivy-db/pkg/types"
	bolt "go.etcd.io/bbolt"
)

type finding struct {
	ID        string   `json:"id"`
	Ecosystem string   `json:"ecosystem"`
	Package   string   `json:"package"`
	OS        string   `json:"os"`
	Release   string   `json:"release"`
	Below     string   `json:"below"`
	Bucket    string   `json:"bucket"`
	Source    string   `json:"source"`
	Aliases   []string `json:"aliases"`
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	var findings []finding
	check(json.NewDecoder(os.Stdin).Decode(&findings))
	dir := filepath.Join(os.Args[1], "db")
	check(db.Init(dir))
	store := db.Config{}
	check(store.BatchUpdate(func(tx *bolt.Tx) error {
		for _, f := range findings {
			var advisory any = types.Advisory{FixedVersion: f.Below}
			if f.OS == "" {
				advisory = types.Advisory{
					VulnerableVersions: []string{"<" + f.Below}, PatchedVersions: []string{f.Below},
				}
			}
			check(store.PutDataSource(tx, f.Bucket, types.DataSource{ID: types.SourceID(f.Source), Name: "planted"}))
			check(store.PutAdvisoryDetail(tx, f.ID, f.Package, []string{f.Bucket}, advisory))
			check(store.SaveAdvisoryDetails(tx, f.ID))
			check(store.PutVulnerabilityID(tx, f.ID))
			check(store.PutVulnerability(tx, f.ID, types.Vulnerability{
				Title: "planted", Severity: "HIGH",
			}))
		}
		return nil
	}))
	check(store.DeleteAdvisoryDetailBucket())
	check(db.Close())
	now := time.Now().UTC()
	meta, err := json.Marshal(map[string]any{
		"Version": db.SchemaVersion, "UpdatedAt": now, "DownloadedAt": now,
		"NextUpdate": now.Add(240 * time.Hour),
	})
	check(err)
	check(os.WriteFile(filepath.Join(dir, "metadata.json"), meta, 0o644))
}
