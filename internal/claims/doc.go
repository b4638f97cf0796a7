// Package claims runs protocol mappers: it decides what stands in access, ID,
// userinfo and introspection tokens besides the few claims that the protocol
// itself demands. A mapper is a line in the table (mapper.go) and a function;
// it reads an Input and sets claims in a Set, an ordered JSON object.
package claims
