-- +goose Up
-- The chains of rotating refresh tokens of a client session, as JSON (iam.RefreshChain).
-- Before, each was a note; see oldchains.go. chains_version is the row's version that
-- this column was written with: a node of the version before leaves both as they are.
alter table client_sessions add column refresh_chains text not null default '';
alter table client_sessions add column chains_version bigint not null default 0;
