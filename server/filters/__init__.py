"""IP filters in the process: where rules come from, the state that is in force, what it says of a request."""
