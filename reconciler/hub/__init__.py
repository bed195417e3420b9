"""The hub: takes the reports of all sites, and shows the fleet. An ASGI app over SQLite or PostgreSQL."""
