package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func ring(t testing.TB) *Ring {
	t.Helper()
	r, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSealOpen(t *testing.T) {
	r, aad := ring(t), []byte("credentials/1/secret")
	for _, plain := range []string{"", "x", strings.Repeat("long", 1000)} {
		sealed := r.Seal([]byte(plain), aad)
		if got, err := r.Open(sealed, aad); err != nil || string(got) != plain {
			t.Fatalf("%q, %v", got, err)
		}
		if again := r.Seal([]byte(plain), aad); bytes.Equal(again, sealed) {
			t.Error("sealed twice to the same bytes")
		}
		if plain != "" && plain != "x" && bytes.Contains(sealed, []byte("long")) {
			t.Error("the plain text shows")
		}
		if _, err := r.Open(sealed, []byte("credentials/2/secret")); !errors.Is(err, ErrCorrupt) {
			t.Errorf("moved: %v", err)
		}
		for i := 0; i < min(len(sealed), 60); i++ {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1
			want := ErrCorrupt
			if i >= 1 && i < headLength {
				want = ErrUnknownKey
			}
			if _, err := r.Open(bad, aad); !errors.Is(err, want) {
				t.Errorf("byte %d changed: %v", i, err)
			}
			if _, err := r.Open(sealed[:i], aad); i < headLength+24+16 && !errors.Is(err, ErrCorrupt) {
				t.Errorf("cut to %d: %v", i, err)
			}
		}
	}
	other := ring(t)
	_, err := other.Open(r.Seal([]byte("x"), nil), nil)
	if !errors.Is(err, ErrUnknownKey) || !strings.Contains(err.Error(), r.ActiveID()) || !strings.Contains(err.Error(), other.ActiveID()) {
		t.Errorf("another ring: %v", err)
	}
	if err := r.Verify(r.Check()); err != nil {
		t.Error(err)
	}
	for name, check := range map[string][]byte{"other": other.Check(), "empty": nil, "no check": r.Seal([]byte("latchkey"), nil)} {
		if err := r.Verify(check); err == nil || !strings.Contains(err.Error(), "does not belong to this database") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestToken(t *testing.T) {
	r := ring(t)
	token := r.SealToken("login", []byte("state"))
	if got, err := r.OpenToken("login", token); err != nil || string(got) != "state" {
		t.Fatalf("%q, %v", got, err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"other purpose": second(r.OpenToken("logout", token)),
		"as at rest":    second(r.Open(raw, nil)),
		"at rest":       second(r.OpenToken("login", base64.RawURLEncoding.EncodeToString(r.Seal([]byte("state"), nil)))),
		"empty":         second(r.OpenToken("login", "")),
		"no base64":     second(r.OpenToken("login", "???")),
		"line break":    second(r.OpenToken("login", token[:8]+"\n"+token[8:])),
		"padded":        second(r.OpenToken("login", token+"=")),
	} {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ring(t).OpenToken("login", token); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("other ring: %v", err)
	}
}

func second(_ []byte, err error) error { return err }

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.key")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	if _, err := Rotate(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("rotation without a file: %v", err)
	}
	first, err := LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed, check := first.Seal([]byte("x"), nil), first.Check()
	token := first.SealToken("p", []byte("y"))
	rotated, err := Rotate(path)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*Ring{"returned": rotated, "loaded": loaded} {
		if len(r.IDs()) != 2 || r.IDs()[1] != first.ActiveID() || r.ActiveID() == first.ActiveID() {
			t.Errorf("%s: %s after %s", name, r, first)
		}
		if got, err := r.Open(sealed, nil); err != nil || string(got) != "x" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if got, err := r.OpenToken("p", token); err != nil || string(got) != "y" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err := r.Verify(check); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !r.NeedsReseal(sealed) || r.NeedsReseal(r.Seal(nil, nil)) || !r.NeedsReseal(nil) {
			t.Errorf("%s: needs reseal", name)
		}
	}
	retired, err := Retire(path)
	if err != nil || len(retired.IDs()) != 1 || retired.ActiveID() != rotated.ActiveID() {
		t.Fatalf("%v, %v", retired, err)
	}
	if _, err := retired.Open(sealed, nil); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("retired key: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Rotate(path); !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), ".lock") {
		t.Errorf("locked: %v", err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreate(path); !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), "0600") {
		t.Errorf("mode 0640: %v", err)
	}
}

// Of rotations at once, each either happens or is refused, and no key is ever lost.
func TestRotationRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.key")
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]bool{}
	created := map[string]bool{}
	for range 8 {
		wg.Go(func() {
			r, err := LoadOrCreate(path)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			created[r.ActiveID()], ids[r.ActiveID()] = true, true
		})
	}
	wg.Wait()
	if len(created) != 1 {
		t.Fatalf("%d key files were made", len(created))
	}
	for range 8 {
		wg.Go(func() {
			r, err := Rotate(path)
			if errors.Is(err, ErrKeyFile) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[r.ActiveID()] = true
		})
	}
	wg.Wait()
	r, err := Load(path)
	if err != nil || len(r.IDs()) != len(ids) || len(ids) < 2 {
		t.Fatalf("%v, %v, want %v", r, err, ids)
	}
	for _, id := range r.IDs() {
		if !ids[id] {
			t.Errorf("stray key %s", id)
		}
	}
}

func TestParse(t *testing.T) {
	a, b := ring(t), ring(t)
	lineA, lineB := string(a.text()), string(b.text())
	r, err := Parse([]byte("# comment\n\n" + lineA + "\r\n  " + lineB))
	if err != nil || r.String() != "ring "+a.ActiveID()+" "+b.ActiveID() {
		t.Fatalf("%v, %v", r, err)
	}
	for name, text := range map[string]string{
		"empty":        "",
		"only comment": "# x\n",
		"key only":     strings.Fields(lineA)[1],
		"three fields": strings.TrimSpace(lineA) + " x",
		"twice":        lineA + lineA,
		"wrong id":     strings.Fields(lineA)[0] + " " + strings.Fields(lineB)[1],
		"short key":    "00000000 AAAA",
		"not base64":   strings.Fields(lineA)[0] + " ?",
	} {
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrKeyFile) || strings.Contains(err.Error(), strings.Fields(lineA)[1]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A ring prints its ids only.
func TestRingIsSilent(t *testing.T) {
	r := ring(t)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "ring", r)
	encoded := base64.StdEncoding.EncodeToString(r.keys[0].raw[:])
	numbers := strings.Trim(fmt.Sprint(r.keys[0].raw[:6]), "[]")
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %s", r, r, r, r), log.String()} {
		if !strings.Contains(s, r.ActiveID()) || strings.Contains(s, encoded) || strings.Contains(s, numbers) {
			t.Errorf("printed %s", s)
		}
	}
}

func BenchmarkSealToken(b *testing.B) {
	r, plain := ring(b), make([]byte, 600)
	for b.Loop() {
		if _, err := r.OpenToken("p", r.SealToken("p", plain)); err != nil {
			b.Fatal(err)
		}
	}
}
