package iam

// Distinct is a list without what stands in it before, in time proportional to
// its length: lists that callers send are sets in Keycloak. A nil list stays nil.
func Distinct[T comparable](list []T) []T {
	if list == nil {
		return nil
	}
	seen := make(map[T]bool, min(len(list), 1000))
	out := make([]T, 0, min(len(list), 1000))
	for _, v := range list {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}
