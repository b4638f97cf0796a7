package jose

import (
	"crypto/sha256"
	"sync"
)

// verified is a bounded set of the tokens whose signature one key has verified.
// Of those not seen for a while it forgets half at a time.
type verified struct {
	mu         sync.Mutex
	young, old map[[sha256.Size]byte]struct{}
}

// maxVerified is how many tokens are in each half.
const maxVerified = 2048

// mark is what a token is remembered by: all of it, whatever it says.
func (t *Token) mark() [sha256.Size]byte {
	return sha256.Sum256(append(append([]byte(t.input), '.'), t.sig...))
}

func (v *verified) has(mark [sha256.Size]byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.young[mark]; ok {
		return true
	}
	_, ok := v.old[mark]
	if ok {
		v.put(mark)
	}
	return ok
}

func (v *verified) add(mark [sha256.Size]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.put(mark)
}

func (v *verified) put(mark [sha256.Size]byte) {
	if len(v.young) >= maxVerified {
		v.old, v.young = v.young, make(map[[sha256.Size]byte]struct{}, maxVerified)
	}
	v.young[mark] = struct{}{}
}
