//! Engines behind the ports of callboard: records and kernel on SQLite, blobs, live messages, clock, processes.
