"""What a site's agent needs at its site: manifests, rights, trust and credentials."""
