"""PostgreSQL behind the protocol of storage: set-based batches, a few connections, no state in a session."""
