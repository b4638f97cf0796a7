-- +goose Up
-- How sessions and clients' parts in them began and went on. Written with the
-- session, so that a record costs no statement of its own; see ended_sessions
-- for what is kept of them afterwards. JSON, without addresses and names.
alter table user_sessions add column origin text not null default '{}';
alter table client_sessions add column origin text not null default '{}';
alter table client_sessions add column refreshes bigint not null default 0;
alter table client_sessions add column issued text not null default '';
drop index user_sessions_user;
drop index user_sessions_access;
drop index client_sessions_client;
create index user_sessions_user on user_sessions (realm_id, user_id, offline, started_at, id);
create index user_sessions_started on user_sessions (realm_id, offline, remember, started_at, id);
create index user_sessions_access on user_sessions (realm_id, offline, remember, last_access, id);
create index user_sessions_address on user_sessions (realm_id, ip, offline, started_at, id);
create index client_sessions_client on client_sessions (realm_id, client_id, offline, started_at, session_id);

-- A client got the scope because the realm had it as a default when the client was made.
alter table client_scopes add column inherited boolean not null default false;

create table ended_sessions (
  realm_id text not null references realms (id) on delete cascade,
  session_id text not null,
  offline boolean not null,
  started_at bigint not null,
  user_id text not null,
  username text not null,
  ip text not null,
  remember boolean not null,
  auth_method text not null,
  last_access bigint not null,
  ended_at bigint not null,
  reason text not null,
  device text not null,
  origin text not null,
  ending text not null,
  primary key (realm_id, session_id, offline, started_at)
);
create index ended_sessions_started on ended_sessions (realm_id, offline, started_at, session_id);
create index ended_sessions_access on ended_sessions (realm_id, offline, last_access, session_id);
create index ended_sessions_user on ended_sessions (realm_id, user_id, offline, started_at, session_id);
create index ended_sessions_reason on ended_sessions (realm_id, reason, offline, started_at, session_id);
create index ended_sessions_address on ended_sessions (realm_id, ip, offline, started_at, session_id);
create index ended_sessions_ended on ended_sessions (realm_id, ended_at);

-- alone: the part ended, and its session went on without it.
create table ended_parts (
  realm_id text not null references realms (id) on delete cascade,
  session_id text not null,
  offline boolean not null,
  client_id text not null,
  started_at bigint not null,
  alone boolean not null,
  user_id text not null,
  last_access bigint not null,
  ended_at bigint not null,
  reason text not null,
  refreshes bigint not null,
  issued text not null,
  origin text not null,
  ending text not null,
  primary key (realm_id, session_id, offline, client_id, started_at)
);
create index ended_parts_client on ended_parts (realm_id, client_id, offline, started_at, session_id, alone);
create index ended_parts_user on ended_parts (realm_id, user_id, ended_at);
create index ended_parts_ended on ended_parts (realm_id, ended_at);

-- The clients that have left a session which goes on without them.
create table left_parts (
  realm_id text not null,
  session_id text not null,
  offline boolean not null,
  client_id text not null,
  started_at bigint not null,
  last_access bigint not null,
  primary key (realm_id, session_id, offline, client_id),
  foreign key (realm_id, session_id, offline) references user_sessions (realm_id, id, offline) on delete cascade
);
create index left_parts_client on left_parts (realm_id, client_id, offline, started_at, session_id);

-- The names of clients that are gone, for records that name them.
create table removed_clients (
  realm_id text not null references realms (id) on delete cascade,
  id text not null,
  client_id text not null,
  removed_at bigint not null,
  primary key (realm_id, id)
);

-- Refused logins and tokens, and tokens without a session, counted by the hour.
-- id is a hash of kind, user, client, address, reason and hour. JSON in doc.
create table occurrences (
  realm_id text not null references realms (id) on delete cascade,
  id text not null,
  kind text not null,
  user_id text not null,
  client_id text not null,
  ip text not null,
  reason text not null,
  count bigint not null,
  first_at bigint not null,
  last_at bigint not null,
  doc text not null,
  primary key (realm_id, id)
);
create index occurrences_kind on occurrences (realm_id, kind, first_at, id);
create index occurrences_last on occurrences (realm_id, kind, last_at, id);
create index occurrences_user on occurrences (realm_id, user_id, kind, first_at, id);
create index occurrences_client on occurrences (realm_id, client_id, kind, first_at, id);
create index occurrences_reason on occurrences (realm_id, reason, kind, first_at, id);
create index occurrences_address on occurrences (realm_id, ip, kind, first_at, id);

create index events_session on events (realm_id, session_id, time);
create index events_user on events (realm_id, user_id, time);
