// Package i18n reads message bundles in Java's .properties form, formats their messages as java.text.MessageFormat does, and chooses a
// locale the way Keycloak does, so that Keycloak's bundles and a realm's own texts can be used as they are. A Catalog is loaded
// once; Messages is one request's view of it: a locale with its fallbacks, the realm's texts laid over each.
package i18n
