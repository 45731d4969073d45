//! Gateways into callboard: HTTP, live event streams, blobs and the local command line.
