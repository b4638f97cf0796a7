// Package seal encrypts secrets for the database, and short-lived state for URLs and cookies, with keys from a key file.
// A Ring holds the file's keys: it seals with the first, the active one, and opens with any. The file has a line per key, "id base64",
// and is readable by its owner only. Keys are rotated by putting a new one first (Rotate), sealing everything anew (NeedsReseal
// tells what) and then dropping the rest (Retire); where several nodes share a database, each must have the new key before the first one
// seals with it, so they are stopped for the first step. Check and Verify notice the wrong key file before it does harm.
package seal
