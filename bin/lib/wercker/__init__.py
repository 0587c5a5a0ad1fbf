"""The local runner of wercker.yml: what `bin/wercker` does, over the Docker command line. No package is needed but PyYAML."""
