// Package realmfiles holds that realm files of every version of Keycloak come
// in by the command, that what `import --check` says of them is the truth, and
// that exports of them come back as they were. It runs on files of its own, one
// for each version; `go test ./test/realmfiles -dir DIR` runs it on a folder of
// other people's, which are not ours to keep. A table in the folder, README.md
// or verdicts.tsv, says what the reference answered to each: its lines have a
// file's name first, and the status among the columns. `-reference URL` asks a
// running one, and compares what is in the realm then.
package realmfiles
