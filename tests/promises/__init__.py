"""One file per theme of the protocol's promises; each test is a history that broke an earlier version of the rules."""
