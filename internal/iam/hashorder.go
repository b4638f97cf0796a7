package iam

import "slices"

// HashOrder brings what was added to a Java HashSet or HashMap into the order in which it is
// read: by bucket, and in one bucket as it was added. others is how many more elements the set
// has. Keys are ASCII. Keycloak writes scopes, and names of fields, in such an order.
func HashOrder[E any](list []E, others int, key func(E) string) {
	buckets := uint32(16)
	for len(list)+others > int(buckets)*3/4 {
		buckets *= 2
	}
	slices.SortStableFunc(list, func(a, b E) int {
		return int(hashBucket(key(a), buckets)) - int(hashBucket(key(b), buckets))
	})
}

// hashBucket: String.hashCode and HashMap.hash.
func hashBucket(key string, buckets uint32) uint32 {
	h := uint32(0)
	for i := range len(key) {
		h = 31*h + uint32(key[i])
	}
	return (h ^ h>>16) & (buckets - 1)
}
