package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"latchkey/internal/iam"
	"latchkey/internal/realms"
	"latchkey/internal/web"
)

// keptTexts is how many languages of consoles are kept ready, some 110 kB each.
const keptTexts = 24

// textsKey names texts that are ready. Realms without texts of their own share them.
type textsKey struct {
	console, language string
	realm             iam.RealmID
	version           int64
}

// packedTexts are texts as they are answered.
type packedTexts struct {
	zipped []byte
	size   int
	tag    string
}

// A keyedText is a text as the reference lists it.
type keyedText struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// serveTexts answers with a console's texts in a language, the realm's own among them, and
// English ones for those that lack. Anybody may read them: the login pages show such texts, too.
// Keycloak: ThemeResource.getLocalizationTexts.
func (h *Handler) serveTexts(w http.ResponseWriter, r *http.Request, console string) {
	realm, err := h.Realms.Get(r.Context(), r.PathValue("realm"))
	if err != nil && !realms.Missing(err) {
		h.fail(w, r, err)
		return
	}
	if err != nil {
		web.SecurityHeaders(w.Header(), nil, "")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	t, err := h.packed(realm, console, r.PathValue("lng"))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	head := w.Header()
	web.SecurityHeaders(head, realm.SecurityHeaders, "application/json")
	head.Set("Vary", "Accept-Encoding")
	head.Set("ETag", t.tag)
	if r.Header.Get("If-None-Match") == t.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	head.Set("Content-Type", "application/json")
	if web.AcceptsEncoding(r, "gzip") {
		head.Set("Content-Encoding", "gzip")
		head.Set("Content-Length", strconv.Itoa(len(t.zipped)))
		_, _ = w.Write(t.zipped)
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(t.zipped))
	if err != nil {
		h.fail(w, r, err)
		return
	}
	head.Set("Content-Length", strconv.Itoa(t.size))
	_, _ = io.Copy(w, z)
}

// packed makes the texts ready, or finds them so.
func (h *Handler) packed(realm *realms.Realm, console, language string) (*packedTexts, error) {
	chain := h.chain(realm, console, language)
	k := textsKey{console: console, language: chain[len(chain)-1]}
	if slices.ContainsFunc(chain, func(l string) bool { return len(realm.Locale.Texts[l]) > 0 }) {
		k.realm, k.version = realm.ID, realm.Version
	}
	if t, ok := h.texts.Get(k); ok {
		return t, nil
	}
	all := map[string]string{}
	for _, l := range chain {
		built, err := h.builtTexts(console, l)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, built)
		maps.Copy(all, realm.Locale.Texts[l])
	}
	list := make([]keyedText, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		list = append(list, keyedText{key, all[key]})
	}
	text, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	t := &packedTexts{zipped: b.Bytes(), size: len(text), tag: `"` + hex.EncodeToString(sum[:12]) + `"`}
	h.texts.Add(k, t)
	return t, nil
}

// builtTexts are the texts of the build, none without one.
func (h *Handler) builtTexts(console, language string) (map[string]string, error) {
	if h.build == nil {
		return nil, nil
	}
	return h.build.texts(console, language)
}

// chain are the languages whose texts are laid over each other, the last on top: English, what a language is a
// variant of, itself. A language of which neither console nor realm has texts is English.
func (h *Handler) chain(realm *realms.Realm, console, language string) []string {
	chain := []string{"en"}
	language = strings.ReplaceAll(language, "_", "-")
	var own []string
	for l := language; l != "" && l != "en"; l = l[:max(strings.LastIndexByte(l, '-'), 0)] {
		if h.build != nil && slices.Contains(h.build.Languages[console], l) || len(realm.Locale.Texts[l]) > 0 {
			own = append(own, l)
		}
	}
	slices.Reverse(own)
	return append(chain, own...)
}
