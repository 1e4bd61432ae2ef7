"""What every room needs: checks of values, orientation, seeds, provenance, refusals of the command."""
