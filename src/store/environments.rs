//! Machines and programs, each stored once.

use rusqlite::{Connection, Row, named_params};

use super::Result;
use super::value::to_integer;
use crate::hash::sha256_hex;
use crate::record::Environment;

/// Stores an environment, unless it is there already, and returns its id.
pub(super) fn insert(connection: &Connection, environment: &Environment) -> Result<i64> {
    let canonical = serde_json::to_vec(environment).expect("an environment is plain data");
    let fingerprint = sha256_hex(&canonical);
    connection.execute(
        "INSERT INTO environments (
            fingerprint, hostname, os, kernel, cpu_model, num_cpus, memory_bytes, engine, speclora_version, git_commit,
            git_dirty
        )
        VALUES (
            :fingerprint, :hostname, :os, :kernel, :cpu_model, :num_cpus, :memory_bytes, :engine, :speclora_version,
            :git_commit, :git_dirty
        )
        ON CONFLICT (fingerprint) DO NOTHING",
        named_params! {
            ":fingerprint": fingerprint,
            ":hostname": environment.hostname,
            ":os": environment.os,
            ":kernel": environment.kernel,
            ":cpu_model": environment.cpu_model,
            ":num_cpus": environment.num_cpus,
            ":memory_bytes": environment.memory_bytes.map(to_integer),
            ":engine": environment.engine,
            ":speclora_version": environment.speclora_version,
            ":git_commit": environment.git_commit,
            ":git_dirty": environment.git_dirty,
        },
    )?;
    let sql = "SELECT id FROM environments WHERE fingerprint = ?1";
    Ok(connection.query_row(sql, [fingerprint], |row| row.get(0))?)
}

/// Reads an environment.
pub(super) fn get(connection: &Connection, id: i64) -> Result<Environment> {
    let sql = "SELECT
            hostname, os, kernel, cpu_model, num_cpus, memory_bytes, engine, speclora_version, git_commit, git_dirty
        FROM environments
        WHERE id = ?1";
    Ok(connection.query_row(sql, [id], from_row)?)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Environment> {
    Ok(Environment {
        hostname: row.get("hostname")?,
        os: row.get("os")?,
        kernel: row.get("kernel")?,
        cpu_model: row.get("cpu_model")?,
        num_cpus: row.get("num_cpus")?,
        memory_bytes: row.get::<_, Option<i64>>("memory_bytes")?.map(i64::unsigned_abs),
        engine: row.get("engine")?,
        speclora_version: row.get("speclora_version")?,
        git_commit: row.get("git_commit")?,
        git_dirty: row.get("git_dirty")?,
    })
}
