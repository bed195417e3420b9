"""What Wayside speaks of, as frozen values. Standard library only."""
