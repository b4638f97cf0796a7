-- +goose Up
create table meta (
  name text not null primary key,
  value bytea not null
);

create table leases (
  name text not null primary key,
  holder text not null,
  until bigint not null
);

create table realms (
  id text not null primary key,
  name text not null unique,
  enabled boolean not null,
  not_before bigint not null,
  doc bytea not null,
  version bigint not null
);

-- Every change of a realm's configuration bumps its row here; nodes poll it.
create table realm_versions (
  realm_id text not null primary key,
  version bigint not null,
  changed_at bigint not null
);
create index realm_versions_changed on realm_versions (changed_at);

-- Configuration that is only ever read with its realm: client scopes, flows,
-- authenticator configurations, required actions, components, identity
-- providers and their mappers. unique_name is null where names may repeat.
create table objects (
  realm_id text not null references realms (id) on delete cascade,
  kind text not null,
  id text not null,
  parent_id text not null,
  name text not null,
  unique_name text,
  position bigint not null,
  doc bytea not null,
  version bigint not null,
  primary key (realm_id, kind, id),
  unique (realm_id, kind, unique_name)
);

create table clients (
  realm_id text not null references realms (id) on delete cascade,
  id text not null,
  client_id text not null,
  enabled boolean not null,
  not_before bigint not null,
  doc bytea not null,
  version bigint not null,
  primary key (realm_id, id),
  unique (realm_id, client_id)
);

-- client_id is '' for the realm's own default and optional scopes.
create table client_scopes (
  realm_id text not null references realms (id) on delete cascade,
  client_id text not null,
  scope_id text not null,
  optional boolean not null,
  primary key (realm_id, client_id, scope_id)
);
create index client_scopes_scope on client_scopes (realm_id, scope_id);

create table roles (
  realm_id text not null references realms (id) on delete cascade,
  id text not null,
  client_id text not null,
  name text not null,
  doc text not null,
  version bigint not null,
  primary key (realm_id, id),
  unique (realm_id, client_id, name)
);

create table role_composites (
  realm_id text not null references realms (id) on delete cascade,
  role_id text not null,
  child_id text not null,
  primary key (realm_id, role_id, child_id)
);
create index role_composites_child on role_composites (realm_id, child_id);

-- Role scope mappings: owner is a client or a client scope.
create table scope_roles (
  realm_id text not null references realms (id) on delete cascade,
  owner_id text not null,
  role_id text not null,
  primary key (realm_id, owner_id, role_id)
);
create index scope_roles_role on scope_roles (realm_id, role_id);

create table groups (
  realm_id text not null references realms (id) on delete cascade,
  id text not null,
  parent_id text not null,
  name text not null,
  name_lower text not null,
  is_default boolean not null,
  doc text not null,
  version bigint not null,
  primary key (realm_id, id),
  unique (realm_id, parent_id, name)
);

create table group_roles (
  realm_id text not null references realms (id) on delete cascade,
  group_id text not null,
  role_id text not null,
  primary key (realm_id, group_id, role_id)
);
create index group_roles_role on group_roles (realm_id, role_id);

-- email_unique repeats email where the realm forbids duplicates, else null.
create table users (
  realm_id text not null references realms (id) on delete cascade,
  id text not null,
  username text not null,
  email text,
  email_unique text,
  email_verified boolean not null,
  first_name text not null,
  last_name text not null,
  first_lower text not null,
  last_lower text not null,
  enabled boolean not null,
  service_client_id text,
  federation text not null,
  created_at bigint not null,
  not_before bigint not null,
  doc text not null,
  version bigint not null,
  primary key (realm_id, id),
  unique (realm_id, username),
  unique (realm_id, email_unique),
  unique (realm_id, service_client_id)
);
create index users_email on users (realm_id, email);

create table user_attributes (
  realm_id text not null,
  user_id text not null,
  name text not null,
  position bigint not null,
  value_lower text not null,
  primary key (realm_id, user_id, name, position),
  foreign key (realm_id, user_id) references users (realm_id, id) on delete cascade
);
create index user_attributes_value on user_attributes (realm_id, name, value_lower);

create table user_roles (
  realm_id text not null,
  user_id text not null,
  role_id text not null,
  primary key (realm_id, user_id, role_id),
  foreign key (realm_id, user_id) references users (realm_id, id) on delete cascade
);
create index user_roles_role on user_roles (realm_id, role_id);

create table user_groups (
  realm_id text not null,
  user_id text not null,
  group_id text not null,
  primary key (realm_id, user_id, group_id),
  foreign key (realm_id, user_id) references users (realm_id, id) on delete cascade
);
create index user_groups_group on user_groups (realm_id, group_id);

create table credentials (
  realm_id text not null,
  user_id text not null,
  id text not null,
  kind text not null,
  label text,
  priority bigint not null,
  created_at bigint not null,
  data text not null,
  secret bytea not null,
  version bigint not null,
  primary key (realm_id, user_id, id),
  foreign key (realm_id, user_id) references users (realm_id, id) on delete cascade
);

create table federated_identities (
  realm_id text not null,
  user_id text not null,
  provider text not null,
  external_id text not null,
  external_username text not null,
  token bytea,
  primary key (realm_id, user_id, provider),
  unique (realm_id, provider, external_id),
  foreign key (realm_id, user_id) references users (realm_id, id) on delete cascade
);

-- scopes is a JSON list of client scope ids.
create table consents (
  realm_id text not null,
  user_id text not null,
  client_id text not null,
  scopes text not null,
  created_at bigint not null,
  updated_at bigint not null,
  primary key (realm_id, user_id, client_id),
  foreign key (realm_id, user_id) references users (realm_id, id) on delete cascade
);
create index consents_client on consents (realm_id, client_id);

create table login_failures (
  realm_id text not null references realms (id) on delete cascade,
  user_id text not null,
  failures bigint not null,
  temporary_lockouts bigint not null,
  secondary_failures bigint not null,
  last_failure bigint not null,
  last_ip text not null,
  not_before bigint not null,
  primary key (realm_id, user_id)
);

create table auth_sessions (
  realm_id text not null references realms (id) on delete cascade,
  id text not null,
  shard bigint not null,
  created_at bigint not null,
  expires_at bigint not null,
  primary key (realm_id, id)
);
create index auth_sessions_expiry on auth_sessions (shard, expires_at);

create table auth_tabs (
  realm_id text not null,
  root_id text not null,
  id text not null,
  doc bytea not null,
  version bigint not null,
  primary key (realm_id, root_id, id),
  foreign key (realm_id, root_id) references auth_sessions (realm_id, id) on delete cascade
);

-- An online and an offline session may share an id: the offline one came out of the online one.
create table user_sessions (
  realm_id text not null references realms (id) on delete cascade,
  id text not null,
  offline boolean not null,
  user_id text not null,
  remember boolean not null,
  username text not null,
  ip text not null,
  auth_method text not null,
  broker_session text not null,
  broker_user text not null,
  started_at bigint not null,
  last_access bigint not null,
  notes text not null,
  version bigint not null,
  primary key (realm_id, id, offline)
);
create index user_sessions_user on user_sessions (realm_id, user_id, offline);
create index user_sessions_access on user_sessions (realm_id, offline, last_access);

create table client_sessions (
  realm_id text not null,
  session_id text not null,
  offline boolean not null,
  client_id text not null,
  refresh_id text not null,
  refresh_use bigint not null,
  redirect_to text not null,
  started_at bigint not null,
  last_access bigint not null,
  notes text not null,
  version bigint not null,
  primary key (realm_id, session_id, offline, client_id),
  foreign key (realm_id, session_id, offline) references user_sessions (realm_id, id, offline) on delete cascade
);
create index client_sessions_client on client_sessions (realm_id, client_id, offline);

-- Codes, action tokens, assertion ids, revoked tokens: what must happen once.
create table single_use (
  realm_id text not null,
  key text not null,
  shard bigint not null,
  expires_at bigint not null,
  value bytea not null,
  primary key (realm_id, key)
);
create index single_use_expiry on single_use (shard, expires_at);

create table events (
  realm_id text not null references realms (id) on delete cascade,
  id text not null,
  time bigint not null,
  kind text not null,
  client_id text not null,
  user_id text not null,
  session_id text not null,
  ip text not null,
  error text not null,
  details text not null,
  primary key (realm_id, id)
);
create index events_time on events (realm_id, time, id);

create table admin_events (
  realm_id text not null references realms (id) on delete cascade,
  id text not null,
  time bigint not null,
  auth_realm text not null,
  auth_client text not null,
  auth_user text not null,
  ip text not null,
  operation text not null,
  resource_type text not null,
  resource_path text not null,
  representation text not null,
  error text not null,
  details text not null,
  primary key (realm_id, id)
);
create index admin_events_time on admin_events (realm_id, time, id);
