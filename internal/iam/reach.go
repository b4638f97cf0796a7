package iam

// A Reach is how far the server goes to call an address, by who gave it.
type Reach uint8

const (
	// ReachAll is for what administrators configure: it may be inside the network.
	ReachAll Reach = iota
	// ReachNetwork is for what a client registered itself: everything but the
	// addresses at which a machine finds its own secrets.
	ReachNetwork
	// ReachPublic is the same in a realm that wants no calls inside the network.
	ReachPublic
)

// Reach is how far the server goes for the addresses of a client. One that has a
// registration access token can be changed by whoever holds it.
func (r *Realm) Reach(c *Client) Reach {
	switch {
	case !c.Registered:
		return ReachAll
	case r.Attrs[SettingRegisteredAddresses] == addressesPublic:
		return ReachPublic
	}
	return ReachNetwork
}
