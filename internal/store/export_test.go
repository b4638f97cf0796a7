package store

import "context"

// Endless runs a statement that ends only with its context.
func (db *DB) Endless(ctx context.Context) error {
	_, err := one(ctx, &db.Reader, scanValue[int64], `with recursive endless (n) as (select 1 union all select 1 from endless) select count(*) from endless`)
	return err
}

// EndlessOnes counts the statements of Endless that PostgreSQL still runs.
func (db *DB) EndlessOnes(ctx context.Context) (int64, error) {
	return one(ctx, &db.Reader, scanValue[int64], `select count(*) from pg_stat_activity where datname = current_database() and state = 'active' and query like '%as (select 1 union%from endless'`)
}
