//! A database of its own for each test.

use crate::support::ground::eventually;
use tokio_postgres::{Client, NoTls, Row};

/// An empty database; dropped with its last connection.
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    pub async fn create() -> Self {
        let server = std::env::var("DARKROOM_TEST_DATABASE_URL");
        Self::create_on(server.unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned()))
            .await
    }

    pub async fn create_on(server: String) -> Self {
        let name = format!("darkroom_test_{:016x}", rand::random::<u64>());
        connect(&server).await.batch_execute(&format!("create database {name}")).await.unwrap();
        Self { server, name }
    }

    /// The URL of the server, with our name in place of its own.
    pub fn url(&self) -> String {
        let (before, query) = self.server.split_once('?').unwrap_or((&self.server, ""));
        let (base, _) = before.rsplit_once('/').unwrap();
        if query.is_empty() {
            format!("{base}/{}", self.name)
        } else {
            format!("{base}/{}?{query}", self.name)
        }
    }

    /// Host and port of the server, for a proxy before it.
    pub fn address(&self) -> String {
        let config: tokio_postgres::Config = self.server.parse().unwrap();
        let Some(tokio_postgres::config::Host::Tcp(host)) = config.get_hosts().first() else {
            panic!("DARKROOM_TEST_DATABASE_URL must name a host")
        };
        format!("{host}:{}", config.get_ports().first().unwrap_or(&5432))
    }

    /// The URL, by way of a proxy.
    pub fn url_through(&self, proxy: std::net::SocketAddr) -> String {
        self.url().replace(&self.address(), &proxy.to_string())
    }

    /// Runs statements, one after the other, in one transaction.
    pub async fn run(&self, sql: &str) {
        connect(&self.url()).await.batch_execute(sql).await.unwrap();
    }

    pub async fn rows(&self, sql: &str) -> Vec<Row> {
        connect(&self.url()).await.query(sql, &[]).await.unwrap()
    }

    /// The only value of the only row.
    pub async fn number(&self, sql: &str) -> i64 {
        self.rows(sql).await[0].get(0)
    }

    /// A transaction that has run this and goes on until it is dropped.
    pub async fn hold(&self, sql: &str) -> Client {
        let client = connect(&self.url()).await;
        client.batch_execute(&format!("begin; {sql}")).await.unwrap();
        client
    }

    /// Takes all connections of the server, to another database than this one.
    pub fn hoard(&self) -> Hoard {
        Hoard { server: self.server.clone(), clients: Vec::new() }
    }

    /// Whether new connections are let in.
    pub async fn admit(&self, whether: bool) {
        let sql = format!("alter database {} with allow_connections = {whether}", self.name);
        connect(&self.server).await.batch_execute(&sql).await.unwrap();
    }

    /// Waits until nobody else is connected. A connection reports what it read, at the latest, when it ends.
    pub async fn all_closed(&self) {
        eventually("all connections are closed", || async {
            let open = "select count(*) from pg_stat_activity
                        where datname = current_database() and backend_type = 'client backend'";
            // But the one that asks.
            (self.number(open).await == 1).then_some(())
        })
        .await;
    }

    /// Ends every other connection to this database.
    pub async fn terminate_connections(&self) {
        let sql =
            format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}'", self.name);
        connect(&self.server).await.query(&sql, &[]).await.unwrap();
    }
}

/// All connections that a server gives.
pub struct Hoard {
    server: String,
    clients: Vec<Client>,
}

impl Hoard {
    /// Takes what is free, until nothing is.
    pub async fn fill(&mut self) {
        while let Ok((client, connection)) = tokio_postgres::connect(&self.server, NoTls).await {
            tokio::spawn(connection);
            self.clients.push(client);
        }
    }

    /// Ends all connections to a database; none of these, which are to another.
    pub async fn end_connections(&self, database: &Database) {
        let sql = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{}'",
            database.name
        );
        self.clients.first().expect("a connection").query(&sql, &[]).await.unwrap();
    }
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL; see ./dev test");
    tokio::spawn(connection);
    client
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, sql) =
            (self.server.clone(), format!("drop database if exists {} with (force)", self.name));
        // Not within the runtime of the test, which may be ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { connect(&server).await.batch_execute(&sql).await.unwrap() });
        });
        // After a failure the server may be away, and a second panic would end all that is to be told of the first.
        assert!(
            dropping.join().is_ok() || std::thread::panicking(),
            "the database of a test cannot be dropped"
        );
    }
}
