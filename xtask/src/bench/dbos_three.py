"""The flow of three steps as DBOS has it: each step writes its row in a transaction that also notes its end.

Takes the address of a PostgreSQL and how many callers there are at most. Serves runs over HTTP on a free port of this machine,
with a thread for each connection, and prints the port. Nothing but what DBOS itself does stands between a request and its run."""

import os
import socketserver
import sys
import time

import sqlalchemy
from dbos import DBOS, SQLAlchemyDatasource

url = sys.argv[1].replace("postgres://", "postgresql+psycopg://", 1)
# Nobody waits for a connection.
pool = {"pool_size": int(sys.argv[2]) + 8, "max_overflow": 0}
DBOS(
    config={
        "name": "three",
        "executor_id": str(os.getpid()),
        "system_database_url": url,
        "db_engine_kwargs": pool,
        "log_level": "ERROR",
    }
)
records = SQLAlchemyDatasource.create(url, engine_kwargs=pool)
TABLE = """CREATE TABLE IF NOT EXISTS three (tenant text NOT NULL, run text NOT NULL, step text NOT NULL,
    at_ms bigint NOT NULL, PRIMARY KEY (tenant, run, step))"""
NOTE = sqlalchemy.text("INSERT INTO three (tenant, run, step, at_ms) VALUES ('demo', :run, :step, :at_ms)")


def note(step):
    values = {"run": DBOS.workflow_id, "step": step, "at_ms": time.time_ns() // 1_000_000}
    records.sql_session().execute(NOTE, values)


@records.transaction(isolation_level="READ COMMITTED")
def first():
    note("first")


@records.transaction(isolation_level="READ COMMITTED")
def second():
    note("second")


@records.transaction(isolation_level="READ COMMITTED")
def third():
    note("third")


@DBOS.workflow()
def three():
    first()
    second()
    third()


class Caller(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        while self.rfile.readline().strip():
            length = 0
            while line := self.rfile.readline().strip().lower():
                if line.startswith(b"content-length:"):
                    length = int(line[15:])
            self.rfile.read(length)
            three()
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull")


class Door(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64


with records.engine.begin() as connection:
    connection.execute(sqlalchemy.text(TABLE))
DBOS.launch()
with Door(("127.0.0.1", 0), Caller) as door:
    print(door.server_address[1], flush=True)
    door.serve_forever()
