"""What the documentation site needs beyond Sphinx: pages made from the code, mathematics without scripts."""
