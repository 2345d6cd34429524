"""What runs inside Lamplighter's pods: launcher, packager, fetcher and server. The standard library only."""
