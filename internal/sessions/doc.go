// Package sessions holds the rules of user sessions, client sessions and
// offline sessions: how they begin, when they time out, how an offline session
// comes out of an online one, and how they end. The database is the truth: any
// node serves any request, and nothing that decides is cached. Only the time of
// the last access is written behind (Toucher).
package sessions
