package iam

// How an authorization request that was not pushed gives a request object.
const (
	ObjectNone    = "none"
	ObjectByValue = "request"
	ObjectByURI   = "request_uri"
)

// AttrObjectDemanded is the client's attribute whose values are the keys of
// ObjectsDemanded. Keycloak: OIDCConfigAttributes.REQUEST_OBJECT_REQUIRED.
const AttrObjectDemanded = "request.object.required"

// An ObjectDemand says how a client must give its request objects.
type ObjectDemand struct {
	ByValue, ByURI bool   // which will do; neither when none is demanded
	Problem        string // what a request that does otherwise is told
}

// ObjectsDemanded are the demands that clients can be under.
var ObjectsDemanded = map[string]ObjectDemand{
	"request or request_uri": {true, true, "Client is required to use 'request' or 'request_uri' parameter."},
	"request only":           {true, false, "Client is required to use 'request' parameter."},
	"request_uri only":       {false, true, "Client is required to use 'request_uri' parameter."},
}

// Met tells whether a request whose Object is given does as is demanded.
func (d ObjectDemand) Met(object string) bool {
	return !d.ByValue && !d.ByURI || d.ByValue && object == ObjectByValue || d.ByURI && object == ObjectByURI
}
