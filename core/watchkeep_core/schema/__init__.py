"""All DDL: `bootstrap.sql`, the migrations, and `schema.sql`, which is what they add up to on plain PostgreSQL."""
